package peerconn

import (
	"errors"
	"net"
	"sync/atomic"
	"testing"

	"shoal/internal/format/wire"
	"shoal/internal/value/bitfield"
	"shoal/internal/value/block"
	"shoal/metainfo"
)

// Before the metadata a connection takes a message about any piece and marks it; a payload,
// which nobody can have requested, ends the connection. Once the bounds are those of the
// pieces, the numbers count.
func TestBare(t *testing.T) {
	g := geometry(10 * block.Size)
	far := wire.AppendHave(nil, 99)
	odd := []byte{0, 0, 0, 4, byte(wire.Bitfield), 1, 2, 3}
	for _, c := range []struct {
		name   string
		learnt bool
		send   []byte
		want   error // nil: it is taken
	}{
		{"have", false, far, nil},
		{"bitfield", false, odd, nil},
		{"too long a bitfield", false, []byte{0, 0x40, 0, 2, byte(wire.Bitfield)}, wire.ErrTooLong},
		{"piece", false, wire.AppendPieceHeader(nil, g.Block(0, 0)), wire.ErrRange},
		{"have, learnt", true, far, wire.ErrRange},
		{"bitfield, learnt", true, odd, wire.ErrLength},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, g, 2)
			r.tor.SetBounds(wire.Bounds{Pieces: metainfo.MaxPieces, NoMetadata: true})
			if c.learnt {
				r.tor.SetBounds(wire.BoundsOf(g, g.Pieces))
			}
			var bare atomic.Bool
			r.deliver = func(b *Batch) bool {
				bare.Store(b.NoMetadata)
				return true
			}
			ours, theirs := net.Pipe()
			r.start(ours)
			go func() {
				theirs.Write(append(wire.AppendSimple(nil, wire.Unchoke), c.send...))
				theirs.Close()
			}()
			err := r.end()
			if c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("it ended with %v, not %v", err, c.want)
			}
			if n := len(r.items); c.want == nil && n != 2 || c.want != nil && n != 1 {
				t.Errorf("%d messages were delivered", n)
			}
			if bare.Load() == c.learnt {
				t.Errorf("marked as unchecked: %v", bare.Load())
			}
		})
	}
	if n := bitfield.WireLen(metainfo.MaxPieces); n != 0x40000 {
		t.Errorf("the largest bitfield has %d bytes, this test believes in another", n)
	}
}
