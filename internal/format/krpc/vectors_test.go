package krpc

import (
	"net/netip"
	"testing"

	"shoal/internal/testkit"
)

var unhex = testkit.Unhex

// The packets of BEP 5 and of the clients that are out there.
func TestVectorsOfPackets(t *testing.T) {
	// What Append writes back, byte for byte; the others hold keys of later BEPs, an empty
	// list, or what we would say in another way.
	same := map[string]bool{
		"error-generic": true, "ping-query": true, "ping-response": true, "find_node-query": true,
		"get_peers-query": true, "get_peers-response-values": true, "announce_peer-query": true,
		"find_node-response-8": true, "find_node-want-both": true, "get_peers-response-both": true,
		"get_peers-response-mixed-values": true, "error-203": true, "error-204": true, "tid-empty": true,
	}
	// What a strict node refuses: the placeholders of BEP 5 for nodes, and packets made wrong.
	refused := map[string]bool{
		"find_node-response": true, "get_peers-response-nodes": true, "no-id": true, "nodes-not-multiple-of-26": true,
		"announce-port-0": true, "not-a-dict": true, "no-y": true,
	}

	var file struct {
		Vectors []struct {
			ID     string
			Packet string `json:"packet_hex"`
			Rule   string
			Note   string
		}
	}
	testkit.Vectors(t, "krpc.json", &file)
	seen := 0
	for _, v := range file.Vectors {
		if v.Packet == "" {
			continue // a rule in words
		}
		b := unhex(t, v.Packet)
		var m Message
		err := Parse(b, &m)
		if refused[v.ID] != (err != nil) {
			t.Errorf("%s: %v (%s)", v.ID, err, v.Note)
			continue
		}
		if same[v.ID] {
			seen++
			if got := Append(nil, &m); string(got) != string(b) {
				t.Errorf("%s:\n got %q\nwant %q", v.ID, got, b)
			}
		}
	}
	if seen != len(same) {
		t.Errorf("%d of %d packets were there", seen, len(same))
	}
}

func TestVectorsOfCompactForms(t *testing.T) {
	var file struct {
		Vectors []struct {
			ID, Kind string
			Input    string `json:"input_hex"`
			Peers    []any
			Invalid  bool `json:"invalid_length"`
		}
	}
	testkit.Vectors(t, "compact-peers.json", &file)
	for _, v := range file.Vectors {
		b := unhex(t, v.Input)
		var got []Node
		size := map[string]int{"ipv4": Peer4, "ipv6": Peer6, "nodes": Node4, "nodes6": Node6}[v.Kind]
		ok := len(b)%size == 0
		if size >= Node4 {
			got, ok = AppendNodes(nil, b, size)
		} else if ok {
			for ; len(b) > 0; b = b[size:] {
				p, _ := ParsePeer(b[:size])
				got = append(got, Node{Addr: p})
			}
		}
		if ok == v.Invalid || len(got) != len(v.Peers) {
			t.Errorf("%s: %v, %d entries", v.ID, ok, len(got))
			continue
		}
		for i, p := range v.Peers {
			addr, isText := p.(string)
			if !isText {
				n := p.(map[string]any)
				addr = n["addr"].(string)
				if got[i].ID.String() != n["id_hex"] {
					t.Errorf("%s: id %s", v.ID, got[i].ID)
				}
			}
			want := netip.MustParseAddrPort(addr)
			want = netip.AddrPortFrom(want.Addr().Unmap(), want.Port())
			if got[i].Addr != want {
				t.Errorf("%s: %s, want %s", v.ID, got[i].Addr, want)
			}
		}
	}
}

func TestVectorsOfDistance(t *testing.T) {
	var file struct {
		Vectors []struct {
			ID       string
			A        string `json:"a_hex"`
			B        string `json:"b_hex"`
			Distance string `json:"distance_hex"`
			Prefix   int    `json:"common_prefix_bits"`
		}
	}
	testkit.Vectors(t, "xor-distance.json", &file)
	for _, v := range file.Vectors {
		a, b := ID(unhex(t, v.A)), ID(unhex(t, v.B))
		if d := xor(a, b); d.String() != v.Distance || xor(b, a) != d || a.Prefix(b) != v.Prefix {
			t.Errorf("%s: distance %s, prefix %d", v.ID, d, a.Prefix(b))
		}
		if a.Compare(a, b) >= 0 || a.Compare(b, a) <= 0 || a.Compare(b, b) != 0 || a.Prefix(a) != 160 {
			t.Errorf("%s: order", v.ID)
		}
	}
}

// xor returns the distance of two ids, as the specification writes it.
func xor(a, b ID) ID {
	for i := range a {
		a[i] ^= b[i]
	}
	return a
}
