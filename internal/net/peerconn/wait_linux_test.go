package peerconn

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"shoal/internal/format/wire"
	"shoal/internal/value/block"
	"shoal/internal/value/mono"
)

// clocked gives a rig the real clock.
func clocked(t *testing.T, r *rig) *rig {
	start := time.Now()
	r.tor.Beats = beatsOf(t, func() mono.Time { return mono.Start.Add(time.Since(start)) })
	return r
}

// A peer that ends in the middle of a block, or dies, is noticed, although the reader waits for the
// rest of the block.
func TestEndInTheMiddleOfABlock(t *testing.T) {
	for _, patient := range []bool{false, true} {
		for _, dies := range []bool{false, true} {
			t.Run(fmt.Sprintf("patient %v, dies %v", patient, dies), func(t *testing.T) {
				g := geometry(2 * block.Size)
				r := clocked(t, newRig(t, g, 4))
				near, far := tcp(t)
				c := New(7, near, r.tor)
				c.Patient(map[bool]int{true: 1}[patient])
				c.Start()
				stream := piece(wire.AppendSimple(nil, wire.Unchoke), g, g.Block(0, 0))
				for _, p := range split(stream[:5*packet], packet) {
					if _, err := far.Write(p); err != nil {
						t.Fatal(err)
					}
					runtime.Gosched()
				}
				if dies {
					far.SetLinger(0) // a reset
				}
				far.Close()
				if err := r.end(); err == nil || !strings.Contains(err.Error(), "closed") && !strings.Contains(err.Error(), "reset") {
					t.Errorf("it ended with %v", err)
				}
			})
		}
	}
}

// A receive buffer that is smaller than a block, and than what a reader waits for, holds nothing up.
func TestSmallReceiveBuffer(t *testing.T) {
	for _, patient := range []bool{false, true} {
		t.Run(fmt.Sprintf("patient %v", patient), func(t *testing.T) {
			const blocks = 4
			g := geometry(blocks * block.Size)
			r := clocked(t, newRig(t, g, blocks))
			near, far := tcp(t)
			if err := near.SetReadBuffer(8 << 10); err != nil {
				t.Fatal(err)
			}
			c := New(7, near, r.tor)
			c.Patient(map[bool]int{true: 1}[patient])
			c.Start()
			var stream []byte
			for i := range blocks {
				stream = piece(stream, g, g.Block(uint32(i/2), uint32(i%2)))
			}
			if _, err := far.Write(stream); err != nil {
				t.Fatal(err)
			}
			far.Close()
			if err := r.end(); err == nil {
				t.Error("it has not ended")
			}
			if len(r.items) != blocks {
				t.Errorf("%d blocks came, want %d", len(r.items), blocks)
			}
		})
	}
}

// sleepy counts how often the reader finds nothing and sleeps.
type sleepy struct {
	source
	sleeps int
}

func (s *sleepy) read(prepare func() [][]byte, idle func(), w wait) (int, error) {
	return s.source.read(prepare, func() { s.sleeps++; idle() }, w)
}

// However the packets of a block come, the reader sleeps at most until its first packet, until its
// rest, and once more when the kernel reported an earlier packet late.
func TestSleepsPerBlock(t *testing.T) {
	const blocks = 64
	g := geometry(blocks * block.Size)
	r := newRig(t, g, blocks)
	near, far := tcp(t)
	c := New(7, near, r.tor)
	rd := newReader(c)
	src := &sleepy{source: rd.src}
	rd.src = src
	ended := make(chan error)
	go func() { ended <- rd.run() }()
	for i := range blocks {
		for _, p := range split(piece(nil, g, g.Block(uint32(i/2), uint32(i%2))), packet) {
			if _, err := far.Write(p); err != nil {
				t.Fatal(err)
			}
			runtime.Gosched()
		}
	}
	far.Close()
	<-ended
	rd.ahead.release()
	near.Close()
	if len(r.items) != blocks {
		t.Fatalf("%d blocks came, want %d", len(r.items), blocks)
	}
	if src.sleeps > 3*blocks {
		t.Errorf("the reader slept %d times for %d blocks, want at most 3 for one", src.sleeps, blocks)
	}
}

// At a beat the reader reads what is there, however little.
func TestBeatEndsTheWait(t *testing.T) {
	g := geometry(2 * block.Size)
	r := clocked(t, newRig(t, g, 4))
	near, far := tcp(t)
	c := New(7, near, r.tor)
	c.Patient(1)
	came := make(chan bool, 8)
	r.deliver = func(*Batch) bool { came <- true; return true }
	c.Start()
	for range 3 {
		if _, err := far.Write(wire.AppendHave(nil, 0)); err != nil {
			t.Fatal(err)
		}
		<-came
	}
	far.Close()
	r.end()
}

// pausing is a socket on which a stream comes a part at a time. Before each part it finds nothing, as
// a reader does that then sleeps.
type pausing struct {
	parts  [][]byte
	asleep func()
}

func (s *pausing) read(prepare func() [][]byte, idle func(), _ wait) (n int, err error) {
	prepare()
	idle()
	s.asleep()
	if len(s.parts) == 0 {
		return 0, io.EOF
	}
	rest := s.parts[0]
	for _, b := range prepare() {
		k := copy(b, rest)
		n, rest = n+k, rest[k:]
	}
	if s.parts[0] = rest; len(rest) == 0 {
		s.parts = s.parts[1:]
	}
	return n, nil
}

func (s *pausing) quiet() {}

// A reader that has guessed at more blocks holds none while it sleeps in the middle of a message:
// else each stranger could keep 15 of the buffers that all share.
func TestSleeperHoldsNoGuesses(t *testing.T) {
	g := geometry(30 * block.Size)
	r := newRig(t, g, 64)
	near, _ := tcp(t)
	defer near.Close()
	rd := newReader(New(7, near, r.tor))
	var burst []byte
	for p := range g.Pieces {
		burst = piece(piece(burst, g, g.Block(p, 0)), g, g.Block(p, 1))
	}
	said := wire.AppendExtended(nil, 1, make([]byte, 1000))
	src := &pausing{parts: [][]byte{burst, said[:20], said[20:]}}
	src.asleep = func() {
		if n := r.budget.InUse(); n != 0 && rd.cur == nil {
			t.Errorf("it sleeps and holds %d buffers, %d parts are to come", n, len(src.parts))
		}
	}
	rd.src = src
	rd.ahead.flows()
	if err := rd.run(); err == nil {
		t.Error("it has not ended")
	}
	rd.ahead.release()
	if len(r.items) != 31 {
		t.Errorf("%d messages, want 30 blocks and what was said", len(r.items))
	}
}
