package krpc

import (
	"errors"

	"shoal/bencode"
)

// ErrMessage is returned for a datagram that is not a KRPC message, or that breaks BEP 5 in a
// way that gets no answer. The caller drops it.
var ErrMessage = errors.New("not a KRPC message")

// QueryError is what is wrong with a query whose sender can be answered: the transaction id
// is known, and the answer is an error with this code and text.
type QueryError struct {
	Code int
	Text string
}

func (e *QueryError) Error() string { return "krpc: query: " + e.Text }

// Possible errors of a query; created once, so that nonsense costs no memory.
var (
	errNoArguments = &QueryError{ProtocolError, "no arguments"}
	errNoID        = &QueryError{ProtocolError, "id is not 20 bytes"}
	errNoTarget    = &QueryError{ProtocolError, "target is not 20 bytes"}
	errNoInfoHash  = &QueryError{ProtocolError, "info_hash is not 20 bytes"}
	errNoToken     = &QueryError{ProtocolError, "no token"}
	errPort        = &QueryError{ProtocolError, "port is not 1 to 65535"}
	errMethod      = &QueryError{MethodUnknown, "Method Unknown"}
)

// limits bounds the bencode. No existing message nests deeper or holds more values.
var limits = bencode.Options{Lenient: true, MaxDepth: 16, MaxTokens: 1024}

// Parse reads a datagram into m. The error is a *[QueryError] when the datagram is a query
// that must be answered with an error; then Kind and Transaction are set. Otherwise it is
// [ErrMessage]. The slices of m are parts of b.
//
// Keys may come in any order, because deployed programs send them so. A query for an unknown
// method is accepted when it has a target: the successors of BEP 5 expect an answer as for
// find_node.
//
// Keys may come in any order, for deployed programs send them so. A query for an unknown
// method is accepted when it has a target, as BEP 5's successors expect it to be answered
// like find_node.
func Parse(b []byte, m *Message) error {
	m.reset()
	// Most datagrams that are not messages (uTP, tracker replies, noise) end here.
	if len(b) < 2 || b[0] != 'd' || b[len(b)-1] != 'e' {
		return ErrMessage
	}
	d, err := limits.Parse(b)
	if err != nil {
		return ErrMessage
	}
	var ok bool
	if m.Transaction, ok = d.Get("t").Bytes(); !ok || len(m.Transaction) > MaxTransaction {
		return ErrMessage
	}
	if v, _ := d.Get("v").Bytes(); len(v) <= maxVersion {
		m.Version = v
	}
	switch y, _ := d.Get("y").Bytes(); string(y) {
	case "q":
		m.Kind = Query
		return m.parseQuery(d)
	case "r":
		m.Kind = Reply
		return m.parseReply(d)
	case "e":
		m.Kind = Error
		m.parseError(d.Get("e"))
		return nil
	}
	return ErrMessage
}

func (m *Message) parseQuery(d bencode.Value) error {
	q, ok := d.Get("q").Bytes()
	if !ok {
		return ErrMessage
	}
	m.Method, m.Name = method(q), q
	m.ReadOnly = truth(d.Get("ro"))
	a := d.Get("a")
	if a.Kind() != bencode.Dict {
		return errNoArguments
	}
	target, hash := readID(&m.Target, a.Get("target")), false
	if !target {
		hash = readID(&m.Target, a.Get("info_hash"))
	}
	m.HasTarget = target || hash
	if m.Method == Other && !m.HasTarget {
		return errMethod
	}
	if !readID(&m.ID, a.Get("id")) {
		return errNoID
	}
	m.Want = want(a.Get("want"))
	switch m.Method {
	case FindNode:
		if !target {
			return errNoTarget
		}
	case GetPeers:
		if !readID(&m.Target, a.Get("info_hash")) {
			return errNoInfoHash
		}
	case AnnouncePeer:
		if !readID(&m.Target, a.Get("info_hash")) {
			return errNoInfoHash
		}
		if m.Token, ok = a.Get("token").Bytes(); !ok || len(m.Token) > MaxToken {
			return errNoToken
		}
		// BEP 5: a non-zero implied_port makes port void, whatever its value.
		m.ImpliedPort = truth(a.Get("implied_port"))
		if port, _ := a.Get("port").Int(); port >= 1 && port <= 65535 {
			m.Port = uint16(port)
		} else if !m.ImpliedPort {
			return errPort
		}
	}
	return nil
}

func (m *Message) parseReply(d bencode.Value) error {
	r := d.Get("r")
	if !readID(&m.ID, r.Get("id")) {
		return ErrMessage
	}
	if ip, ok := d.Get("ip").Bytes(); ok {
		m.IP, _ = ParsePeer(ip)
	}
	if t, _ := r.Get("token").Bytes(); len(t) <= MaxToken {
		m.Token = t
	}
	if !m.nodes(r.Get("nodes"), IPv4, Node4) || !m.nodes(r.Get("nodes6"), IPv6, Node6) {
		return ErrMessage
	}
	for v := range r.Get("values").Items() {
		if len(m.Values) == MaxValues {
			break
		}
		s, _ := v.Bytes()
		if p, ok := ParsePeer(s); ok {
			m.Values = append(m.Values, p)
		}
	}
	return nil
}

// nodes reads one of the lists of nodes; a list that is not whole makes the reply invalid.
func (m *Message) nodes(v bencode.Value, f Families, size int) bool {
	if !v.Exists() {
		return true
	}
	list, ok := v.Bytes()
	if ok {
		m.Nodes, ok = AppendNodes(m.Nodes, list, size)
		m.Lists |= f
	}
	return ok
}

// parseError reads what it can: an error ends a query whatever its form.
func (m *Message) parseError(e bencode.Value) {
	code, _ := e.Index(0).Int()
	m.Code = int(min(max(code, 0), 999_999))
	m.Text, _ = e.Index(1).Bytes()
	m.Text = m.Text[:min(len(m.Text), maxText)]
}

func method(q []byte) Method {
	for i := Ping; i <= AnnouncePeer; i++ {
		if string(q) == methods[i] {
			return i
		}
	}
	return Other
}

func readID(id *ID, v bencode.Value) bool {
	b, _ := v.Bytes()
	if len(b) != len(id) {
		return false
	}
	*id = ID(b)
	return true
}

// truth reads a flag: an integer other than 0 is true.
func truth(v bencode.Value) bool {
	n, _ := v.Int()
	return n != 0
}

func want(v bencode.Value) (f Families) {
	for w := range v.Items() {
		switch s, _ := w.Bytes(); string(s) {
		case "n4":
			f |= IPv4
		case "n6":
			f |= IPv6
		}
	}
	return f
}
