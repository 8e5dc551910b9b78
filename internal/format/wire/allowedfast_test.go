package wire

import (
	"encoding/hex"
	"net/netip"
	"slices"
	"testing"

	"shoal/internal/testkit"
)

// The sets that the BEP prints, and others.
func TestVectorsOfAllowedFast(t *testing.T) {
	var file struct {
		Vectors []struct {
			ID       string
			IP       string
			InfoHash string `json:"info_hash_hex"`
			Pieces   uint32 `json:"num_pieces"`
			K        int
			Set      []uint32
		}
	}
	testkit.Vectors(t, "allowed-fast.json", &file)
	for _, v := range file.Vectors {
		var hash [20]byte
		if _, err := hex.Decode(hash[:], []byte(v.InfoHash)); err != nil {
			t.Fatal(err)
		}
		if got := AllowedFastSet(netip.MustParseAddr(v.IP), hash, v.Pieces, v.K); !slices.Equal(got, v.Set) {
			t.Errorf("%s: %v, want %v", v.ID, got, v.Set)
		}
	}
}

// A set is never larger than the torrent, and is one for a network: of 24 bits where
// addresses are IPv4, also when they are written as IPv6, of 64 where they are IPv6.
func TestAllowedFastSetIsOfANetwork(t *testing.T) {
	set := func(addr string, pieces uint32, k int) []uint32 {
		return AllowedFastSet(netip.MustParseAddr(addr), [20]byte{1}, pieces, k)
	}
	for _, c := range []struct {
		pieces uint32
		k      int
	}{{0, 10}, {1, 10}, {3, 10}, {10, 10}, {11, 10}, {1000, 0}, {1000, -1}} {
		got := set("192.0.2.1", c.pieces, c.k)
		if want := max(0, min(int(c.pieces), c.k)); len(got) != want {
			t.Errorf("%d of %d pieces: %v", c.k, c.pieces, got)
		}
		slices.Sort(got)
		if len(slices.Compact(got)) != len(got) || len(got) > 0 && got[len(got)-1] >= c.pieces {
			t.Errorf("%d of %d pieces: %v", c.k, c.pieces, got)
		}
	}
	same := [][2]string{
		{"192.0.2.1", "192.0.2.254"}, {"192.0.2.1", "::ffff:192.0.2.7"}, {"2001:db8::1", "2001:db8::ffff:1"},
	}
	for _, s := range same {
		if a, b := set(s[0], 1000, 10), set(s[1], 1000, 10); !slices.Equal(a, b) {
			t.Errorf("%v: %v and %v", s, a, b)
		}
	}
	for _, s := range [][2]string{{"192.0.2.1", "192.0.3.1"}, {"2001:db8::1", "2001:db8:0:1::1"}} {
		if a, b := set(s[0], 1000, 10), set(s[1], 1000, 10); slices.Equal(a, b) {
			t.Errorf("%v: %v for both", s, a)
		}
	}
}
