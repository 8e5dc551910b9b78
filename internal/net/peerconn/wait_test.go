package peerconn

import (
	"io"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"shoal/internal/format/wire"
	"shoal/internal/value/block"
	"shoal/internal/value/mono"
)

// line is a socket at the end of a line of a given rate, with the clock of a bubble: a packet of the
// stream arrives now and then, and wakes the reader when the low-water mark is reached. It counts
// what the machine would do.
type line struct {
	mu      sync.Mutex
	came    []byte
	ended   bool
	mark    int
	arrived chan struct{} // an edge
	wakeups int           // the reader slept and was woken
	reads   int           // calls of the system
	now     func() mono.Time
}

func newLine() *line { return &line{arrived: make(chan struct{}, 1), mark: 1} }

// packet is the payload of a full packet on Ethernet.
const packet = 1448

// carry brings the stream at a rate in bytes a second.
func (l *line) carry(stream []byte, rate int) {
	for _, p := range split(stream, packet) {
		time.Sleep(time.Duration(len(p)) * time.Second / time.Duration(rate))
		l.add(p)
	}
}

func (l *line) add(p []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.came = append(l.came, p...)
	l.edge()
}

// end is the end of the stream.
func (l *line) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	l.edge()
}

// edge reports that there is enough to read. The lock is held.
func (l *line) edge() {
	if len(l.came) >= l.mark || l.ended {
		select {
		case l.arrived <- struct{}{}:
		default:
		}
	}
}

func (l *line) read(prepare func() [][]byte, idle func(), w wait) (n int, err error) {
	var late <-chan time.Time
	if w.beat > 0 {
		late = time.After(w.beat.Sub(l.now()))
	}
	for {
		l.mu.Lock()
		if l.mark = w.low; w.low == 0 {
			l.mark = 240 << 10
		}
		l.reads++
		for _, b := range prepare() {
			k := copy(b, l.came)
			l.came = l.came[k:]
			n += k
		}
		ended := l.ended
		l.mu.Unlock()
		if n > 0 || ended {
			return n, eof(n, nil)
		}
		idle()
		select {
		case <-l.arrived:
			l.wakeups++
		case <-late:
			l.wakeups++
			return 0, os.ErrDeadlineExceeded
		}
	}
}

// lineRig is a reader at the end of a line.
type lineRig struct {
	*rig
	*line
	conn *Conn
}

func newLineRig(t *testing.T, blocks int) *lineRig {
	g := geometry(int64(blocks) * block.Size)
	r := newRig(t, g, 64)
	start := time.Now()
	r.tor.Beats = beatsOf(t, func() mono.Time { return mono.Start.Add(time.Since(start)) })
	l := &lineRig{rig: r, line: newLine(), conn: New(7, newScript(true), r.tor)}
	r.group.Add(1)
	rd := newReader(l.conn)
	l.now = r.tor.Beats.Now
	rd.src = l.line
	rd.ahead = newAhead(rd)
	go func() {
		defer r.group.Done()
		err := rd.run()
		rd.ahead.release()
		if rd.cur != nil {
			r.budget.Put(rd.cur)
		}
		l.conn.Close(err)
		r.tor.Closed(7, err)
	}()
	return l
}

// blocks returns the first n blocks of the torrent as a stream.
func (l *lineRig) blocks(n int) (stream []byte) {
	for i := range n {
		stream = piece(stream, l.geo, l.geo.Block(uint32(i/2), uint32(i%2)))
	}
	return stream
}

// finish ends the line and the connection.
func (l *lineRig) finish() {
	l.line.end()
	l.group.Wait()
	if n := l.budget.InUse(); n != 0 {
		l.t.Errorf("%d blocks were not given back", n)
	}
}

// At the pace of a line a packet is not an event. These are counts per block at 20 Mbit/s, one packet
// every 0.6 ms, eleven for a block: they may fall, and a change by which they rise has to say why.
func TestWakeupsAtLinePace(t *testing.T) {
	const blocks, rate = 300, 20e6 / 8
	for _, c := range []struct {
		name           string
		patient        bool
		wakeups, reads float64 // per block, at most
	}{
		// A block wakes the reader with its first packet and with its last.
		{"a block at a time", false, 2, 4},
		// Seven or eight blocks arrive between two beats.
		{"by beats", true, 0.15, 0.31},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLineRig(t, blocks)
				l.conn.Patient(map[bool]int{true: 1}[c.patient])
				l.carry(l.blocks(blocks), rate)
				l.finish()
				if len(l.items) != blocks {
					t.Fatalf("%d blocks came, want %d", len(l.items), blocks)
				}
				wakeups, reads := float64(l.wakeups)/blocks, float64(l.reads)/blocks
				if wakeups > c.wakeups || reads > c.reads {
					t.Errorf("a block takes %.2f wake-ups and %.2f reads, want at most %.2f and %.2f", wakeups, reads, c.wakeups, c.reads)
				}
			})
		})
	}
}

// A peer that sends HAVE ten times a second wakes the reader at beats only, together with all others;
// when it falls silent there are no beats.
func TestWakeupsOfChatter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLineRig(t, 2)
		l.conn.Patient(4)
		when := make(map[mono.Time]bool)
		l.deliver = func(*Batch) bool {
			when[l.tor.Beats.Now()] = true
			return true
		}
		for range 100 {
			time.Sleep(97 * time.Millisecond)
			l.add(wire.AppendHave(nil, 0))
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		early := 0
		for at := range when {
			if at%mono.Time(4*mono.Beat) != 0 {
				early++
			}
		}
		if early > 1 {
			t.Errorf("%d of %d times the reader woke between beats, want the first time only", early, len(when))
		}
		if most := 97*100/200 + emptyBeats + 5; l.wakeups > most {
			t.Errorf("%d wake-ups for ten seconds of chatter and a minute of silence, want at most %d", l.wakeups, most)
		}
		l.finish()
	})
}

// What a silent peer says first is read at once, and what a patient connection brings a beat later at
// most. Without patience nothing waits.
func TestNothingWaitsLongerThanABeat(t *testing.T) {
	for _, patient := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			l := newLineRig(t, 2)
			l.conn.Patient(map[bool]int{true: 1}[patient])
			var sent time.Time
			var took []time.Duration
			l.deliver = func(*Batch) bool {
				took = append(took, time.Since(sent))
				return true
			}
			for _, after := range []time.Duration{time.Hour, 7 * time.Millisecond, 120 * time.Millisecond, time.Hour} {
				time.Sleep(after)
				synctest.Wait()
				sent = time.Now()
				l.add(wire.AppendSimple(nil, wire.Unchoke))
				time.Sleep(mono.Beat)
				synctest.Wait()
			}
			l.finish()
			if len(took) != 4 {
				t.Fatalf("%d messages were read in time, want 4", len(took))
			}
			for i, d := range took {
				if late := d > 0; late && (!patient || i == 0 || i == 3) {
					t.Errorf("patient %v: message %d waited %v", patient, i, d)
				}
			}
		})
	}
}

// lineConn is a stream of which only bytes are to be had.
type lineConn struct {
	*script
	line *line
}

func (c lineConn) Read(b []byte) (int, error) {
	return c.line.read(func() [][]byte { return [][]byte{b} }, nothing, wait{low: 1})
}

func (c lineConn) Close() error {
	c.line.end()
	return c.script.Close()
}

// A stream without a low-water mark is looked at by beats while it brings little, and at once while it
// brings much.
func TestStreamWaitsForBeats(t *testing.T) {
	const blocks = 300 // 3,390 packets
	for _, c := range []struct {
		name        string
		rate        int
		patient     bool
		least, most int // reads
	}{
		{"slow", 200e3, true, 300, 700},
		{"slow, not patient", 200e3, false, 6500, 8000},
		{"fast", 20e6, true, 4500, 8000},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLineRig(t, blocks)
				l.finish() // its reader; this one is another
				l.closed = nil
				l.line = newLine()
				conn := New(8, lineConn{newScript(true), l.line}, l.tor)
				conn.Patient(map[bool]int{true: 1}[c.patient])
				conn.Start()
				l.carry(l.blocks(blocks), c.rate)
				time.Sleep(time.Second)
				synctest.Wait()
				if len(l.items) != blocks {
					t.Errorf("%d blocks came, want %d", len(l.items), blocks)
				}
				if l.reads < c.least || l.reads > c.most {
					t.Errorf("%d reads, want %d to %d", l.reads, c.least, c.most)
				}
				conn.Close(io.EOF)
				l.group.Wait()
			})
		})
	}
}

// A connection that ends while its reader waits for a beat ends at once.
func TestStreamEndsWhileItWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLineRig(t, 2)
		l.finish()
		l.closed = nil
		l.line = newLine()
		conn := New(8, lineConn{newScript(true), l.line}, l.tor)
		conn.Patient(1)
		conn.Start()
		time.Sleep(mono.Beat / 3)
		l.add(wire.AppendKeepAlive(nil))
		time.Sleep(mono.Beat / 3)
		began := time.Now()
		conn.Close(io.EOF)
		l.group.Wait()
		if d := time.Since(began); d > 0 {
			t.Errorf("it took %v", d)
		}
	})
}

func (l *line) quiet() {}
