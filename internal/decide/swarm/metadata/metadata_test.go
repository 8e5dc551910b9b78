package metadata

import (
	"bytes"
	"crypto/sha1"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"shoal/internal/golden"
	"shoal/internal/testkit"
	"shoal/internal/value/mono"
)

// A peer is a capital letter. "A has 40000" claims a size, "A sends 0 1" answers,
// "A sends 0!" answers with something wrong.
func TestScripts(t *testing.T) {
	golden.Run(t, "testdata/*.txt", func(t *testing.T) func(string) string {
		d := &script{t: t}
		return d.command
	})
}

type script struct {
	t     *testing.T
	m     *Machine
	right []byte
	limit int64
	now   mono.Time
	out   strings.Builder
}

func (d *script) command(line string) string {
	words := strings.Fields(line)
	d.out.Reset()
	switch words[0] {
	case "metadata":
		d.now, d.right = mono.Start, testkit.Pattern(d.number(words[1]))
		d.m = New(sha1.Sum(d.right), d.limit)
		return ""
	case "limit":
		d.limit = d.number(words[1])
		return ""
	case "wait":
		d.wait(words[1])
		return d.out.String()
	case "state":
		p := d.m.Progress()
		fmt.Fprintf(&d.out, "%d of %d bytes, %d attempts, room for %d\n", p.Got, p.Size, len(d.m.attempts), d.m.reserved())
		if p.TooLarge > 0 {
			fmt.Fprintf(&d.out, "%d within the limit of %d; beyond it %d, at least %d\n", p.Sources, p.Limit, p.TooLarge, p.TooLargeSize)
		}
		return d.out.String()
	}
	key := Key(words[0][0])
	switch verb, args := words[1], words[2:]; verb {
	case "has":
		d.m.Peer(d.now, key, d.number(args[0]))
	case "gone":
		d.m.Gone(d.now, key)
	case "rejects":
		d.m.Rejected(d.now, key, uint32(d.number(args[0])))
	case "sends":
		for _, arg := range args {
			d.sends(key, arg)
		}
	default:
		d.t.Fatalf("no verb %q", verb)
	}
	d.tell()
	return d.out.String()
}

// sends answers with a part: "1", "1!" wrong, "1+" too long, "1=7" of a whole of 7.
func (d *script) sends(key Key, arg string) {
	wrong, long := strings.HasSuffix(arg, "!"), strings.HasSuffix(arg, "+")
	number, total, _ := strings.Cut(strings.TrimRight(arg, "!+"), "=")
	piece := uint32(d.number(number))
	size := int64(len(d.right))
	if p := d.m.find(key); p != nil && p.size > 0 {
		size = p.size
	}
	whole := testkit.Pattern(size)
	from := min(int(piece)*PieceSize, len(whole))
	part := bytes.Clone(whole[from:min(from+PieceSize, len(whole))])
	if wrong {
		part[0] ^= 1
	}
	if long {
		part = append(part, 0)
	}
	n := size
	if total != "" {
		n = d.number(total)
	}
	d.m.Data(d.now, key, piece, n, part)
}

func (d *script) wait(how string) {
	span, err := time.ParseDuration(how)
	if err != nil {
		d.t.Fatal(err)
	}
	until := d.now.Add(span)
	for d.m.Deadline() <= until {
		d.now = max(d.now, d.m.Deadline())
		d.m.Tick(d.now)
		d.tell()
		if d.m.Deadline() <= d.now {
			d.t.Fatal("a tick leaves a deadline that has passed")
		}
	}
	d.now = until
}

func (d *script) tell() {
	for _, a := range d.m.Take() {
		what := [...]string{"ask", "ban", "drop"}[a.Kind] + " " + string(rune(a.Key))
		if a.Kind == Ask {
			what += fmt.Sprintf(" for %d", a.Piece)
		}
		fmt.Fprintf(&d.out, "%5.1f  %-12s (%s)\n", d.now.Seconds(), what, a.Why.Words())
	}
	if d.m.Raw() != nil {
		fmt.Fprintf(&d.out, "%5.1f  done\n", d.now.Seconds())
		if !bytes.Equal(d.m.Raw(), d.right) {
			d.t.Error("it is not what it should be")
		}
	}
	if err := d.m.CheckInvariants(); err != nil {
		d.t.Error(err)
	}
}

func (d *script) number(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		d.t.Fatal(err)
	}
	return n
}

// Whatever peers say in whatever order: what is held stays bounded, nothing but the
// right metadata is taken, no peer that tells the truth is banned, and as long as one
// honest peer is there it comes to an end.
func TestRandom(t *testing.T) {
	for seed := range uint64(400) {
		if err := random(seed); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
}

func random(seed uint64) error {
	rng := rand.New(rand.NewPCG(seed, 9))
	right := testkit.Pattern(1 + rng.Int64N(12*PieceSize))
	m := New(sha1.Sum(right), 0)
	now := mono.Start
	type who struct {
		liar  bool
		size  int64
		asked []uint32
	}
	peers := map[Key]*who{}
	keys := []Key{}
	join := func(liar bool) {
		key := Key(len(keys) + 1)
		w := &who{liar: liar, size: int64(len(right))}
		if liar {
			w.size = []int64{int64(len(right)), int64(len(right)), int64(len(right)) + 1, DefaultLimit, 1, -5, 1 << 60}[rng.IntN(7)]
		}
		peers[key], keys = w, append(keys, key)
		m.Peer(now, key, w.size)
	}
	for range 1 + rng.IntN(12) {
		join(true)
	}
	join(false)
	if rng.IntN(2) == 0 {
		join(false)
	}
	for step := 0; m.Raw() == nil; step++ {
		if step > 20000 {
			return fmt.Errorf("it does not end")
		}
		for _, a := range m.Take() {
			w := peers[a.Key]
			switch {
			case a.Kind == Ask:
				w.asked = append(w.asked, a.Piece)
			case !w.liar:
				return fmt.Errorf("%v of an honest peer: %s", a.Kind, a.Why)
			}
		}
		if err := m.CheckInvariants(); err != nil {
			return err
		}
		key := keys[rng.IntN(len(keys))]
		w := peers[key]
		switch n := rng.IntN(10); {
		case n == 0:
			now = now.Add(time.Duration(rng.IntN(4000)) * time.Millisecond)
			m.Tick(now)
		case n == 1 && w.liar && rng.IntN(40) == 0:
			m.Gone(now, key)
			w.asked = nil
			join(true)
		case n == 2 && w.liar:
			m.Data(now, key, uint32(rng.IntN(3)), 0, make([]byte, rng.IntN(20)))
		case len(w.asked) > 0:
			piece := w.asked[0]
			w.asked = w.asked[1:]
			part := make([]byte, min(PieceSize, w.size-int64(piece)*PieceSize))
			if w.size == int64(len(right)) {
				copy(part, right[int(piece)*PieceSize:])
			}
			switch {
			case w.liar && rng.IntN(4) == 0:
			case w.liar && rng.IntN(4) == 0:
				m.Rejected(now, key, piece)
			case w.liar && rng.IntN(3) > 0:
				bad := bytes.Clone(part)
				bad[rng.IntN(len(bad))]++
				m.Data(now, key, piece, w.size, bad)
			default:
				m.Data(now, key, piece, w.size, part)
			}
		}
	}
	if !bytes.Equal(m.Raw(), right) {
		return fmt.Errorf("it is not what it should be")
	}
	for _, a := range m.Take() {
		if a.Kind != Ask && !peers[a.Key].liar {
			return fmt.Errorf("%v of an honest peer at the end: %s", a.Kind, a.Why)
		}
	}
	return nil
}

// A peer gets the parts that make two copies as fast as it reads them, a few of them at a
// time with the writer; what it asks for beyond that comes in a steady flow. The queue has a
// bound.
func TestServer(t *testing.T) {
	for _, parts := range []uint32{1, serveBurst, 100} {
		var s Server
		now, asked, sent := mono.Start, uint32(0), 0
		for range maxWaiting {
			if !s.Asked(now, asked%parts, parts) {
				t.Fatalf("request %d is refused", asked)
			}
			asked++
		}
		if s.Asked(now, 0, parts) {
			t.Error("there is no bound")
		}
		fast := max(serveCopies*int(parts), serveBurst)
		for asked < uint32(fast+100) {
			piece, ok := s.Next(now)
			switch {
			case ok && piece != uint32(sent)%parts:
				t.Fatalf("part %d in place of %d", piece, sent)
			case ok:
				sent++
				if s.Asked(now, asked%parts, parts) {
					asked++
				}
			case s.out == maxOut: // the writer has written
				s.Sent(maxOut)
			case sent < fast:
				t.Fatalf("%d parts of %d at once", sent, fast)
			case s.Deadline() <= now || s.Deadline() == mono.Never:
				t.Fatalf("nothing to send at %v, and the deadline is %v", now, s.Deadline())
			default:
				now = s.Deadline()
			}
		}
		if late := sent - fast; late <= 0 || now.Sub(mono.Start) < time.Duration(late)*serveEvery {
			t.Errorf("%d parts after the %d at once, in %v", late, fast, now.Sub(mono.Start))
		}
	}
}

// A peer that does not read has few parts with the writer, and costs nothing beyond them.
func TestServerOfASilentPeer(t *testing.T) {
	var s Server
	for range maxWaiting {
		s.Asked(mono.Start, 0, 1000)
	}
	n := 0
	for now := mono.Start; now < mono.Start.Add(time.Hour); now = now.Add(time.Second) {
		if _, ok := s.Next(now); ok {
			n++
		}
	}
	if n != maxOut || s.Deadline() != mono.Never {
		t.Errorf("%d parts are with the writer, the deadline is %v", n, s.Deadline())
	}
}
