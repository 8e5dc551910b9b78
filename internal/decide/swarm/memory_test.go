package swarm

import (
	"math/rand/v2"
	"runtime"
	"testing"

	"shoal/internal/value/bitfield"
	"shoal/internal/value/block"
	"shoal/internal/value/mono"
	"shoal/metainfo"
)

// An engine may have ten thousand torrents that are complete and that nobody asks for:
// what one of them holds must be small.
func TestIdleSwarmIsSmall(t *testing.T) {
	for _, pieces := range []uint32{1, 64, 4096} {
		rng := rand.New(rand.NewPCG(1, 1))
		geo := metainfo.Geometry{Total: int64(pieces) * block.Size, PieceLength: block.Size, Pieces: pieces}
		const many = 1000
		kept := make([]*Swarm, many)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for i := range kept {
			have := bitfield.New(pieces)
			have.SetAll()
			s := New(Config{Geometry: geo, Have: have, Client: "shoal", Port: 6881, DHTPort: 6881}, mono.Start, rng)
			s.Start(mono.Start)
			s.Flush(nil)
			s.Effects()
			s.Searched(mono.Start, 8)
			kept[i] = s
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		each := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) / many
		t.Logf("%d pieces: %d bytes each, %d allocations", pieces, each, (after.Mallocs-before.Mallocs)/many)
		if most := int64(2048 + pieces/4); each > most {
			t.Errorf("%d pieces: %d bytes each, at most %d", pieces, each, most)
		}
		runtime.KeepAlive(kept)
	}
}
