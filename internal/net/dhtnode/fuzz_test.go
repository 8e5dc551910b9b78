package dhtnode

import (
	"net"
	"net/netip"
	"reflect"
	"strconv"
	"testing"
)

// Whatever a state file holds, what loads is written and loaded again the same.
func FuzzParseState(f *testing.F) {
	s := state{id: [20]byte{1}}
	f.Add(s.encode())
	s.id6 = [20]byte{2}
	f.Add(s.encode())
	f.Add([]byte("d2:id20:aaaaaaaaaaaaaaaaaaaa5:nodes26:bbbbbbbbbbbbbbbbbbbbccccdde"))
	f.Fuzz(func(t *testing.T, in []byte) {
		s, err := parseState(in)
		if err != nil {
			return
		}
		if len(s.nodes) > 2*maxSaved {
			t.Fatalf("%d nodes", len(s.nodes))
		}
		again, err := parseState(s.encode())
		if err != nil || again.id != s.id || again.id6 != s.id6 || len(again.nodes) != len(s.nodes) {
			t.Fatalf("%+v came back as %+v, %v", s, again, err)
		}
		for i := range s.nodes {
			if !reflect.DeepEqual(s.nodes[i], again.nodes[i]) {
				t.Fatalf("node %+v came back as %+v", s.nodes[i], again.nodes[i])
			}
		}
	})
}

// Whatever a torrent names as a way into the DHT, what is taken has a host and a port, and is
// read again the same.
func FuzzParseWay(f *testing.F) {
	for _, s := range []string{"router.example:6881", "192.0.2.1:1", "[2001:db8::1]:65535", "[::1%eth0]:6881", ":1", "[]:1", "a:0", "[a:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		w, err := parseBootstrap(in)
		if err != nil {
			return
		}
		if w.port == 0 || w.host == "" {
			t.Fatalf("%q is %+v", in, w)
		}
		if a, err := netip.ParseAddr(w.host); err == nil {
			again, err := parseBootstrap(net.JoinHostPort(a.String(), strconv.Itoa(int(w.port))))
			if err != nil || again.port != w.port {
				t.Fatalf("%q is %+v, then %+v, %v", in, w, again, err)
			}
		}
	})
}
