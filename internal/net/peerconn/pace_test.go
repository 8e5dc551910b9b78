package peerconn

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"shoal/internal/format/wire"
	"shoal/internal/net/throttle"
	"shoal/internal/value/block"
	"shoal/internal/value/mono"
)

// paced is a connection under limits, inside a bubble. The far end is a pipe: what is not
// read there holds up whoever writes.
type paced struct {
	*rig
	conn *Conn
	far  net.Conn
	up   *throttle.Limiter
	down *throttle.Limiter
	refs []block.Ref
}

func newPaced(t *testing.T, up, down int64) *paced {
	g := geometry(64 * block.Size)
	p := &paced{rig: newRig(t, g, 64)}
	origin := time.Now()
	beats := beatsOf(t, func() mono.Time { return mono.Start.Add(time.Since(origin)) })
	p.up, p.down = throttle.NewLimiter(beats), throttle.NewLimiter(beats)
	p.up.SetLimit(up, 0)
	p.down.SetLimit(down, 0)
	p.tor.Up, p.tor.Down = p.up.Group(), p.down.Group()
	for i := range g.Pieces {
		p.refs = append(p.refs, g.Block(i, 0), g.Block(i, 1))
	}
	var near net.Conn
	near, p.far = net.Pipe()
	p.conn = p.start(near)
	return p
}

// arrivals reads so many blocks and tells when each was whole, since began. What comes in
// front of one is given to other.
func (p *paced) arrivals(began time.Time, n int, other func(wire.ID, time.Duration)) (at []time.Duration) {
	p.t.Helper()
	for len(at) < n {
		var head [5]byte
		if _, err := io.ReadFull(p.far, head[:]); err != nil {
			p.t.Fatal(err)
		}
		length := int64(head[0])<<24 | int64(head[1])<<16 | int64(head[2])<<8 | int64(head[3])
		if _, err := io.CopyN(io.Discard, p.far, length-1); err != nil {
			p.t.Fatal(err)
		}
		if id := wire.ID(head[4]); id == wire.Piece {
			at = append(at, time.Since(began))
		} else {
			other(id, time.Since(began))
		}
	}
	return at
}

// Blocks go out at beats, a few at a time; what is small goes out between them, the moment it is
// given.
func TestPacedUpload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit, claim = 1 << 20, 7 // blocks until the next beat but one
		p := newPaced(t, limit, 0)
		began := time.Now()
		p.conn.Send(wire.AppendSimple(nil, wire.Unchoke), p.refs[:32])
		time.AfterFunc(200*time.Millisecond+time.Microsecond, func() { p.conn.Send(wire.AppendHave(nil, 1), nil) })
		var small []time.Duration
		at := p.arrivals(began, 32, func(_ wire.ID, d time.Duration) { small = append(small, d) })
		for i, d := range at {
			due := time.Duration(i*(block.Size+wire.PieceHeader)) * time.Second / limit
			if d < due-claim*block.Size*time.Second/limit || d > due+2*mono.Beat+5*time.Millisecond || d%(2*mono.Beat) != 0 {
				t.Errorf("block %d went out after %v, was due after %v", i, d, due)
			}
		}
		if len(small) != 2 || small[0] != 0 || small[1] != 200*time.Millisecond+time.Microsecond {
			t.Errorf("small messages went out after %v", small)
		}
		synctest.Wait()
		for _, n := range p.sent {
			if n > claim {
				t.Errorf("%d blocks in one write", n)
			}
		}
		p.conn.Close(errors.New("over"))
		p.end()
	})
}

// What comes is taken at the rate of the limit, and not before: the peer is held up.
func TestPacedDownload(t *testing.T) {
	for _, limit := range []int64{10 << 10, 1 << 20, 64 << 20} {
		synctest.Test(t, func(t *testing.T) {
			p := newPaced(t, 0, limit)
			var stream []byte
			for _, r := range p.refs {
				stream = piece(stream, p.geo, r)
			}
			began := time.Now()
			for n := 0; n < len(stream); {
				k := min(1000, len(stream)-n)
				if _, err := p.far.Write(stream[n : n+k]); err != nil {
					t.Fatal(err)
				}
				n += k
				// What was taken must not be more than the limit allows, but for what one
				// read may take ahead, and idle time saves up.
				allowed := float64(limit)*(time.Since(began)+110*time.Millisecond).Seconds() + float64(min(limit/10, 4*block.Size)) + 16<<10
				if float64(n) > allowed {
					t.Fatalf("%d bytes were taken after %v under a limit of %d", n, time.Since(began), limit)
				}
			}
			took, due := time.Since(began), time.Duration(len(stream))*time.Second/time.Duration(limit)
			if took < due-due/50-120*time.Millisecond || took > due+due/50+2*mono.Beat {
				t.Errorf("%d bytes took %v, want %v", len(stream), took, due)
			}
			p.far.Close()
			p.end()
			if len(p.items) != len(p.refs) {
				t.Errorf("%d of %d blocks", len(p.items), len(p.refs))
			}
		})
	}
}

// Requests come in at once, however low the limit.
func TestSmallMessagesAreNotHeldUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPaced(t, 0, 100)
		began := time.Now()
		var stream []byte
		for _, r := range p.refs {
			stream = wire.AppendRequest(stream, r)
		}
		for range 10 {
			if _, err := p.far.Write(stream); err != nil {
				t.Fatal(err)
			}
		}
		p.far.Close()
		p.end()
		if d := time.Since(began); d != 0 || len(p.items) != 640 {
			t.Errorf("%d requests took %v", len(p.items), d)
		}
	})
}

// Who waits for its turn hears of the end: what is small is still said, and nothing is kept.
func TestEndWhilePaced(t *testing.T) {
	t.Run("closed", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := newPaced(t, 100, 100)
			go io.Copy(io.Discard, p.far)
			p.conn.Send(nil, p.refs[:4])
			p.far.Write(piece(nil, p.geo, p.refs[0])[:5000])
			synctest.Wait()
			p.conn.Close(errors.New("enough"))
			if err := p.end(); err.Error() != "enough" {
				t.Errorf("the end was told as %v", err)
			}
			p.far.Close()
		})
	})
	t.Run("finished", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := newPaced(t, 100, 0)
			said := make(chan []byte)
			go func() {
				b, _ := io.ReadAll(p.far)
				said <- b
			}()
			p.conn.Send(nil, p.refs[:4])
			time.Sleep(time.Second)
			p.conn.Send(wire.AppendSimple(nil, wire.Choke), nil)
			p.conn.Finish(errors.New("enough"))
			if err := p.end(); err.Error() != "enough" {
				t.Errorf("the end was told as %v", err)
			}
			want := wire.AppendSimple(piece(nil, p.geo, p.refs[0]), wire.Choke)
			if got := <-said; string(got) != string(want) {
				t.Errorf("%d bytes were sent, want %d", len(got), len(want))
			}
		})
	})
}

// Limits that are set, changed and lifted while data flows change nothing of what comes:
// in the middle of blocks, and where many are read with one call.
func TestLimitsWhileItFlows(t *testing.T) {
	g := geometry(64 * block.Size)
	r := newRig(t, g, 64)
	var ticks atomic.Int64 // a clock on which every claim is due at once
	down := throttle.NewLimiter(beatsOf(t, func() mono.Time { return mono.Start.Add(time.Duration(ticks.Add(1)) * time.Second) }))
	r.tor.Down = down.Group()
	var stream []byte
	for i := range g.Pieces {
		stream = piece(piece(stream, g, g.Block(i, 0)), g, g.Block(i, 1))
	}
	near, far := tcp(t)
	r.start(near)
	limits := []int64{0, 1 << 20, 100 << 20, 5 << 10, 16 << 20, 0, 3 << 20}
	for round, limit := range limits {
		down.SetLimit(limit, 0)
		half := len(stream)/2 + 1000*round // also in the middle of a block
		far.Write(stream[:half])
		down.SetLimit(limits[len(limits)-1-round], 0)
		far.Write(stream[half:])
	}
	far.Close()
	r.end()
	if want := 64 * len(limits); len(r.items) != want {
		t.Fatalf("%d of %d blocks", len(r.items), want)
	}
	for i, got := range r.items {
		if ref := g.Block(uint32(i%64/2), uint32(i%2)); got.data != string(payload(g, ref)) {
			t.Fatalf("block %d is not what was sent", i)
		}
	}
}
