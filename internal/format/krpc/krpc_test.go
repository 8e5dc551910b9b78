package krpc

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

const (
	abc = "abcdefghij0123456789"
	mno = "mnopqrstuvwxyz123456"
)

// Each way to be wrong, and what it owes: nothing, or an error with a code.
func TestParseRefuses(t *testing.T) {
	query := func(name, args string) string {
		return "d1:ad2:id20:" + abc + args + "e1:q" + name + "1:t2:aa1:y1:qe"
	}
	tests := []struct {
		what, packet string
		code         int // of the QueryError; 0 for ErrMessage
	}{
		{"empty", "", 0},
		{"uTP", "A\x00\x12\x34", 0},
		{"begins like one", "d1:t", 0},
		{"ends like one", "xe", 0},
		{"bytes behind it", "d1:rd2:id20:" + abc + "e1:t2:aa1:y1:reee", 0},
		{"no transaction", "d1:ad2:id20:" + abc + "e1:q4:ping1:y1:qe", 0},
		{"transaction is a number", "d1:ad2:id20:" + abc + "e1:q4:ping1:ti1e1:y1:qe", 0},
		{"transaction too long", "d1:ad2:id20:" + abc + "e1:q4:ping1:t33:" + strings.Repeat("t", 33) + "1:y1:qe", 0},
		{"no kind", "d1:ad2:id20:" + abc + "e1:q4:ping1:t2:aae", 0},
		{"unknown kind", "d1:t2:aa1:y1:xe", 0},
		{"key twice", "d1:rd2:id20:" + abc + "e1:t2:aa1:t2:ab1:y1:re", 0},
		{"deep", "d1:a" + strings.Repeat("l", 40) + strings.Repeat("e", 40) + "1:q4:ping1:t2:aa1:y1:qe", 0},
		{"no arguments", "d1:q4:ping1:t2:aa1:y1:qe", ProtocolError},
		{"arguments are a list", "d1:ale1:q4:ping1:t2:aa1:y1:qe", ProtocolError},
		{"no id", "d1:ade1:q4:ping1:t2:aa1:y1:qe", ProtocolError},
		{"short id", "d1:ad2:id19:bcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe", ProtocolError},
		{"no target", query("9:find_node", ""), ProtocolError},
		{"long target", query("9:find_node", "6:target21:x"+mno), ProtocolError},
		{"target for info_hash", query("9:get_peers", "6:target20:"+mno), ProtocolError},
		{"no token", query("13:announce_peer", "9:info_hash20:"+mno+"4:porti1e"), ProtocolError},
		{"token too long", query("13:announce_peer", "9:info_hash20:"+mno+"4:porti1e5:token129:"+strings.Repeat("t", 129)), ProtocolError},
		{"port 0", query("13:announce_peer", "9:info_hash20:"+mno+"4:porti0e5:token1:t"), ProtocolError},
		{"port 65536", query("13:announce_peer", "9:info_hash20:"+mno+"4:porti65536e5:token1:t"), ProtocolError},
		{"negative port", query("13:announce_peer", "9:info_hash20:"+mno+"4:porti-1e5:token1:t"), ProtocolError},
		{"no port", query("13:announce_peer", "9:info_hash20:"+mno+"5:token1:t"), ProtocolError},
		{"implied_port 0", query("13:announce_peer", "12:implied_porti0e9:info_hash20:"+mno+"5:token1:t"), ProtocolError},
		{"unknown method", query("4:frob", ""), MethodUnknown},
		{"unknown method without id", "d1:ade1:q4:frob1:t2:aa1:y1:qe", MethodUnknown},
		{"reply without id", "d1:rde1:t2:aa1:y1:re", 0},
		{"reply without r", "d1:t2:aa1:y1:re", 0},
		{"ragged nodes", "d1:rd2:id20:" + abc + "5:nodes25:" + strings.Repeat("n", 25) + "e1:t2:aa1:y1:re", 0},
		{"ragged nodes6", "d1:rd2:id20:" + abc + "6:nodes626:" + strings.Repeat("n", 26) + "e1:t2:aa1:y1:re", 0},
		{"nodes is a list", "d1:rd2:id20:" + abc + "5:nodeslee1:t2:aa1:y1:re", 0},
	}
	for _, tt := range tests {
		var m Message
		err := Parse([]byte(tt.packet), &m)
		var q *QueryError
		switch {
		case err == nil:
			t.Errorf("%s: passed", tt.what)
		case errors.As(err, &q):
			if q.Code != tt.code || m.Kind != Query || string(m.Transaction) != "aa" {
				t.Errorf("%s: %v, code %d, transaction %q", tt.what, err, q.Code, m.Transaction)
			}
		case tt.code != 0 || !errors.Is(err, ErrMessage):
			t.Errorf("%s: %v", tt.what, err)
		}
	}
}

// Deployed programs send keys out of order, values of odd lengths, lists beyond measure.
func TestParseTolerates(t *testing.T) {
	var m Message
	if err := Parse([]byte("d1:y1:q1:t0:1:q4:ping1:ad2:id20:"+abc+"e2:roi1e1:v17:abcdefghijklmnopqe"), &m); err != nil {
		t.Fatal(err)
	}
	if m.Method != Ping || !m.ReadOnly || len(m.Transaction) != 0 || m.Version != nil {
		t.Errorf("unsorted: %+v", m)
	}

	long := "d1:rd2:id20:" + abc + "5:nodes780:" + strings.Repeat("n", 780) + "6:valuesl3:abc6:abcdefi1eee1:t2:aa1:y1:re"
	if err := Parse([]byte(long), &m); err != nil {
		t.Fatal(err)
	}
	if len(m.Nodes) != MaxNodes || len(m.Values) != 1 || m.Lists != IPv4 {
		t.Errorf("%d nodes, %d values, lists %d", len(m.Nodes), len(m.Values), m.Lists)
	}

	if err := Parse([]byte("d1:eli-5e500:"+strings.Repeat("x", 500)+"e1:t2:aa1:y1:ee"), &m); err != nil {
		t.Fatal(err)
	}
	if m.Kind != Error || m.Code != 0 || len(m.Text) != maxText || len(m.Nodes)+len(m.Values) != 0 {
		t.Errorf("error: %+v", m)
	}

	// An error that is not put as BEP 5 says still ends the query.
	if err := Parse([]byte("d1:e4:oops1:t2:aa1:y1:ee"), &m); err != nil || m.Kind != Error || m.Code != 0 {
		t.Errorf("%v: %+v", err, m)
	}

	// An unknown method with an info_hash is to be answered like find_node.
	if err := Parse([]byte("d1:ad2:id20:"+abc+"9:info_hash20:"+mno+"e1:q3:foo1:t2:aa1:y1:qe"), &m); err != nil {
		t.Fatal(err)
	}
	if m.Method != Other || string(m.Name) != "foo" || !m.HasTarget || m.Target != ID([]byte(mno)) {
		t.Errorf("unknown method: %+v", m)
	}
}

// implied_port makes port void, even where port stands inside the other's name.
func TestImpliedPort(t *testing.T) {
	head, tail := "d1:ad2:id20:"+abc, "9:info_hash20:"+mno+"4:porti0e5:token1:te1:q13:announce_peer1:t2:aa1:y1:qe"
	var m Message
	if err := Parse([]byte(head+"12:implied_porti1e"+tail), &m); err != nil || !m.ImpliedPort || m.Port != 0 {
		t.Errorf("%v: %+v", err, m)
	}
}

// IPv6 goes through as well, and each list takes the nodes of its family.
func TestBothFamilies(t *testing.T) {
	four, six := netip.MustParseAddrPort("192.0.2.1:6881"), netip.MustParseAddrPort("[2001:db8::1]:6881")
	m := Message{
		Kind: Reply, Transaction: []byte("aa"), ID: ID([]byte(abc)), IP: six, Lists: IPv4 | IPv6,
		Nodes:  []Node{{ID([]byte(mno)), four}, {ID([]byte(abc)), six}},
		Values: []netip.AddrPort{six, four}, Token: []byte("t"),
	}
	var got Message
	if err := Parse(Append(nil, &m), &got); err != nil {
		t.Fatal(err)
	}
	if got.IP != six || got.Lists != m.Lists || len(got.Nodes) != 2 || got.Nodes[0] != m.Nodes[0] || got.Nodes[1] != m.Nodes[1] ||
		len(got.Values) != 2 || got.Values[0] != six || got.Values[1] != four {
		t.Errorf("%+v", got)
	}
}

// A packet costs the one allocation of its bencode document; an answer none.
func TestAllocations(t *testing.T) {
	nodes := make([]Node, 8)
	for i := range nodes {
		nodes[i] = Node{ID([]byte(abc)), netip.MustParseAddrPort("192.0.2.1:6881")}
	}
	out := Message{Kind: Reply, Transaction: []byte("aaaa"), ID: ID([]byte(mno)), Nodes: nodes, Lists: IPv4, Token: []byte("token")}
	b := Append(nil, &out)
	var in Message
	if n := testing.AllocsPerRun(100, func() {
		if Parse(b, &in) != nil || len(in.Nodes) != 8 {
			t.Fatal("not parsed")
		}
	}); n > 1 {
		t.Errorf("Parse: %v allocations", n)
	}
	if n := testing.AllocsPerRun(100, func() { b = Append(b[:0], &out) }); n > 0 {
		t.Errorf("Append: %v allocations", n)
	}
	noise := []byte("A uTP packet")
	if n := testing.AllocsPerRun(100, func() {
		if Parse(noise, &in) == nil {
			t.Fatal("parsed")
		}
	}); n > 0 {
		t.Errorf("noise: %v allocations", n)
	}
}
