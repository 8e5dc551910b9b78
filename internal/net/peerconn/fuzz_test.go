package peerconn

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"

	"shoal/internal/format/wire"
	"shoal/internal/value/bitfield"
	"shoal/internal/value/block"
)

// write makes a stream by a recipe: so a fuzzer reaches streams of many whole blocks
// without having to find all their bytes.
func write(recipe []byte) (stream []byte) {
	g := fuzzGeometry
	next := func() uint32 {
		if len(recipe) == 0 {
			return 0
		}
		b := recipe[0]
		recipe = recipe[1:]
		return uint32(b)
	}
	for len(recipe) > 0 && len(stream) < 2<<20 {
		switch op := next(); op % 10 {
		case 0, 1: // a row of whole blocks
			for range op / 10 {
				stream = piece(stream, g, g.Block(next()%(g.Pieces-1), op%2))
			}
		case 2:
			stream = piece(stream, g, g.Block(g.Pieces-1, 0))
		case 3:
			stream = wire.AppendHave(stream, next())
		case 4:
			have := bitfield.New(g.Pieces)
			have.Set(next() % g.Pieces)
			stream = wire.AppendBitfield(stream, have)
		case 5:
			stream = wire.AppendKeepAlive(stream)
		case 6: // something unknown
			n := next() * next()
			stream = append(binary.BigEndian.AppendUint32(stream, n+1), byte(50+next()))
			stream = append(stream, make([]byte, n)...)
		case 7: // anything at all
			n := min(int(next()), len(recipe))
			stream = append(stream, recipe[:n]...)
			recipe = recipe[n:]
		case 8:
			stream = wire.AppendRequest(stream, block.Ref{Piece: next(), Begin: next() << 10, Length: next() << 8})
		case 9: // the beginning of a block, and no more
			stream = piece(stream, g, g.Block(next()%g.Pieces, 0))
			stream = stream[:len(stream)-int(next()*next())%len(stream)]
		}
	}
	return stream
}

var fuzzGeometry = geometry(60*block.Size + 300)

// FuzzReader reads any stream in any pieces with any number of buffers, as it comes and
// from a real socket. What comes of it is what a plain reading of the whole gives; no
// buffer is lost and none is kept back.
func FuzzReader(f *testing.F) {
	f.Add([]byte{7, 5, 0, 0, 0, 0, 0}, uint64(1))
	f.Add([]byte{4, 1, 5, 3, 2, 0xf0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 2, 8, 1, 1, 64, 5}, uint64(2))
	f.Add([]byte{0xf0, 1, 3, 9, 0xf1, 6, 200, 200, 1, 0xf0, 2, 2}, uint64(3))
	f.Add([]byte{0xf0, 1, 2, 3, 4, 9, 3, 70, 80}, uint64(4))
	f.Add([]byte{0x96, 9, 9, 9, 7, 4, 0xff, 0xff, 0xff, 0xff}, uint64(5))
	f.Fuzz(func(t *testing.T, recipe []byte, seed uint64) {
		if len(recipe) > 4096 {
			return
		}
		stream := write(recipe)
		want, bad := model(fuzzGeometry, stream)
		rng := rand.New(rand.NewPCG(seed, 0))
		var chunks [][]byte
		for rest := stream; len(rest) > 0; {
			n := min(1+rng.IntN(1<<(4+rng.IntN(16))), len(rest))
			chunks = append(chunks, rest[:n:n])
			rest = rest[n:]
		}
		buffers := 1 + rng.IntN(64)

		ended := func(r *rig) {
			t.Helper()
			err := r.end()
			check(t, r, want)
			if (bad == nil) == isBad(err) {
				t.Errorf("it ended with %v, a plain reading with %v", err, bad)
			}
		}
		r := newRig(t, fuzzGeometry, buffers)
		r.start(newScript(false, chunks...))
		ended(r)

		r = newRig(t, fuzzGeometry, buffers)
		near, far := tcp(t)
		var wg sync.WaitGroup
		wg.Go(func() {
			for _, c := range chunks {
				if _, err := far.Write(c); err != nil {
					break // it has seen enough
				}
			}
			far.CloseWrite()
		})
		r.start(near)
		ended(r)
		wg.Wait()
		far.Close()
	})
}

// isBad reports whether a connection ended because of what the peer sent.
func isBad(err error) bool {
	return errors.Is(err, wire.ErrTooLong) || errors.Is(err, wire.ErrLength) || errors.Is(err, wire.ErrRange)
}
