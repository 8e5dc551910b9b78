package peerconn

import (
	"io"
	"testing"
	"unsafe"

	"shoal/internal/value/block"
)

// tape is a socket that always has more of a stream: each read is filled to the end. It
// sees where payload is put.
type tape struct {
	stream []byte
	at     int
	reads  int
	placed map[*byte]bool // where whole blocks were read to
}

func (s *tape) read(prepare func() [][]byte, _ func(), _ wait) (n int, err error) {
	s.reads++
	for _, b := range prepare() {
		k := copy(b, s.stream[s.at:])
		if k == block.Size {
			s.placed[unsafe.SliceData(b)] = true
		}
		s.at += k
		n += k
	}
	return n, eof(n, nil)
}

// What a block costs while data flows, as exact figures: they may fall, and a change by
// which they rise has to say why. Those that depend on the time of the day are bounds,
// in TestSteadyFlow.
func TestCountsPerBlock(t *testing.T) {
	t.Run("receive", func(t *testing.T) {
		const blocks = 15 * 20
		g := geometry(blocks * block.Size)
		r := newRig(t, g, 64)
		s := &tape{placed: make(map[*byte]bool)}
		for p := range g.Pieces {
			s.stream = piece(piece(s.stream, g, g.Block(p, 0)), g, g.Block(p, 1))
		}
		handOffs, got, copied := 0, 0, 0
		r.deliver = func(b *Batch) bool {
			handOffs++
			for _, it := range b.Items {
				got++
				if !s.placed[unsafe.SliceData(it.Block.Data)] {
					copied++
				}
			}
			return true
		}
		c := New(7, newScript(false), r.tor)
		rd := newReader(c)
		rd.src, rd.ahead = s, newAhead(rd)
		rd.ahead.flows()
		rd.ahead.last = aheadBlocks * block.Size // it has been flowing
		for {
			_, err := rd.ahead.read(0)
			if !rd.deliver() {
				t.Fatal("not taken")
			}
			if err == io.EOF {
				break
			}
		}
		if s.reads != blocks/15+1 || handOffs != blocks/15 || got != blocks || copied != 0 {
			t.Errorf("%d blocks took %d reads and %d hand-offs, %d were copied; want one read and one hand-off for 15, none copied",
				got, s.reads-1, handOffs, copied)
		}
		if n := r.budget.InUse(); n != 0 {
			t.Errorf("%d blocks were not given back", n)
		}
	})
	t.Run("send", func(t *testing.T) {
		f := newFlow(t, direct, nil)
		const runs = 10
		for range runs {
			f.send()
		}
		if r, w := f.reads.Load(), f.writes.Load(); r != runs*blocksPerRun/16 || w != runs*blocksPerRun/16 {
			t.Errorf("%d blocks took %d reads of the disk and %d writes; want one of each for 16", runs*blocksPerRun, r, w)
		}
	})
}

func (s *tape) quiet() {}
