package krpc

import "shoal/bencode"

// Append appends m as a datagram. A query gets only the arguments that its method takes; of
// the lists of nodes, those named in Lists are written, with the nodes of that family. The
// caller keeps the rest in bounds: MaxTransaction, MaxNodes, and a size that is not
// fragmented.
func Append(b []byte, m *Message) []byte {
	w := bencode.NewWriter(b)
	w.BeginDict()
	switch m.Kind {
	case Query:
		w.Key("a")
		m.appendArguments(&w)
		w.Key("q")
		if m.Method == Other {
			w.Bytes(m.Name)
		} else {
			w.String(m.Method.String())
		}
		if m.ReadOnly {
			w.Key("ro")
			w.Int(1)
		}
	case Reply:
		if m.IP.IsValid() {
			var compact [Peer6]byte
			w.Key("ip")
			w.Bytes(AppendPeer(compact[:0], m.IP))
		}
		w.Key("r")
		m.appendValues(&w)
	case Error:
		w.Key("e")
		w.BeginList()
		w.Int(int64(m.Code))
		w.Bytes(m.Text)
		w.End()
	}
	w.Key("t")
	w.Bytes(m.Transaction)
	if len(m.Version) > 0 {
		w.Key("v")
		w.Bytes(m.Version)
	}
	w.Key("y")
	w.String([...]string{Query: "q", Reply: "r", Error: "e"}[m.Kind])
	w.End()
	return w.Finish()
}

func (m *Message) appendArguments(w *bencode.Writer) {
	w.BeginDict()
	w.Key("id")
	w.Bytes(m.ID[:])
	switch m.Method {
	case GetPeers:
		w.Key("info_hash")
		w.Bytes(m.Target[:])
	case AnnouncePeer:
		if m.ImpliedPort {
			w.Key("implied_port")
			w.Int(1)
		}
		w.Key("info_hash")
		w.Bytes(m.Target[:])
		// Sent with implied_port as well, because some nodes do not know implied_port.
		w.Key("port")
		w.Int(int64(m.Port))
	case FindNode, Other:
		if m.Method == FindNode || m.HasTarget {
			w.Key("target")
			w.Bytes(m.Target[:])
		}
	}
	if m.Method == AnnouncePeer {
		w.Key("token")
		w.Bytes(m.Token)
	}
	if m.Want != 0 && (m.Method == FindNode || m.Method == GetPeers) {
		w.Key("want")
		w.BeginList()
		if m.Want&IPv4 != 0 {
			w.String("n4")
		}
		if m.Want&IPv6 != 0 {
			w.String("n6")
		}
		w.End()
	}
	w.End()
}

func (m *Message) appendValues(w *bencode.Writer) {
	w.BeginDict()
	w.Key("id")
	w.Bytes(m.ID[:])
	if m.Lists&IPv4 != 0 {
		w.Key("nodes")
		m.appendNodes(w, true)
	}
	if m.Lists&IPv6 != 0 {
		w.Key("nodes6")
		m.appendNodes(w, false)
	}
	if len(m.Token) > 0 {
		w.Key("token")
		w.Bytes(m.Token)
	}
	if len(m.Values) > 0 {
		w.Key("values")
		w.BeginList()
		for _, p := range m.Values {
			var compact [Peer6]byte
			w.Bytes(AppendPeer(compact[:0], p))
		}
		w.End()
	}
	w.End()
}

func (m *Message) appendNodes(w *bencode.Writer, v4 bool) {
	var room [MaxNodes * Node6]byte
	list, left := room[:0], MaxNodes
	for _, n := range m.Nodes {
		if n.Addr.Addr().Is4() == v4 && left > 0 {
			list = AppendNode(list, n)
			left--
		}
	}
	w.Bytes(list)
}
