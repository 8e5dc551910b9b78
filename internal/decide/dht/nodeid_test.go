package dht

import (
	"encoding/hex"
	"math/rand/v2"
	"net/netip"
	"testing"

	"shoal/internal/format/krpc"
	"shoal/internal/testkit"
)

func TestVectorsOfNodeIDs(t *testing.T) {
	var file struct {
		Vectors []struct {
			ID, IP string
			R      byte
			CRC    string `json:"crc32c"`
			NodeID string `json:"node_id_hex"`
			OK     bool
		}
	}
	testkit.Vectors(t, "node-id.json", &file)
	if len(file.Vectors) != 18 {
		t.Fatalf("%d vectors, want 18", len(file.Vectors))
	}
	for _, v := range file.Vectors {
		raw, _ := hex.DecodeString(v.NodeID)
		addr := netip.MustParseAddr(v.IP)
		if got := fits(krpc.ID(raw), addr); got != v.OK {
			t.Errorf("%s: %s fits %s: %v, want %v", v.ID, v.NodeID, v.IP, got, v.OK)
		}
		want, _ := hex.DecodeString(v.CRC)
		c := prefix(addr, v.R)
		if got := [4]byte{byte(c >> 24), byte(c >> 16), byte(c >> 8), byte(c)}; got != [4]byte(want) {
			t.Errorf("%s: checksum %x, want %s", v.ID, got, v.CRC)
		}
	}
}

// An id made for an address fits it, and next to no other.
func TestIDsForAddresses(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	chance := 0
	for i := range 1000 {
		var a16 [16]byte
		fill(a16[:], rng)
		a := netip.AddrFrom4([4]byte{81, a16[0], a16[1], a16[2]})
		other := netip.AddrFrom4([4]byte{82, a16[3], a16[4], a16[5]})
		if i%2 == 1 {
			a16[0] = 0x20
			a, other = netip.AddrFrom16(a16), netip.AddrFrom16([16]byte{0x2a, a16[1], 2: byte(i), 15: 1})
		}
		id := idFor(a, rng)
		if !fits(id, a) {
			t.Errorf("%s does not fit %s", id, a)
		}
		if fits(id, other) {
			chance++
		}
	}
	if chance > 1 {
		t.Errorf("%d of 1000 ids fit another address", chance)
	}
}
