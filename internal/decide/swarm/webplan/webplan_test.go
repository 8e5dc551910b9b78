package webplan

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"shoal/internal/golden"
	"shoal/internal/value/block"
	"shoal/internal/value/mono"
	"shoal/internal/value/why"
	"shoal/metainfo"
)

// A command is a time and what happens then. The pieces are a row of letters:
//
//	. fresh   p fresh, and a peer has it   h had   f failed   o failed, with blocks of ours   b begun   s shared
//	w asked of a web seed        ! fresh, and a reader waits for it     0-9: fresh, of that level
func TestScripts(t *testing.T) {
	golden.Run(t, "testdata/*.txt", func(t *testing.T) func(string) string {
		d := &driver{t: t}
		return d.command
	})
}

type driver struct {
	t   *testing.T
	b   board
	m   *Machine
	say []string
}

// board is a Board of which a script says how it is.
type board struct {
	geo   metainfo.Geometry
	state []byte
	gen   uint64
	crowd bool
	claim [MaxConns][]uint32 // whole pieces
	was   map[uint32]byte
}

func (b *board) Generation() uint64 { return b.gen }

func (b *board) Offer(_ int, p uint32) (Offer, uint8, bool) {
	switch c := b.state[p]; {
	case c == '.', c == '!':
		return Fresh, 2, true
	case c == 'p':
		return Fresh, 2, false
	case '1' <= c && c <= '9':
		return Fresh, c - '0', true
	case c == 'f':
		return Failed, 2, false
	case c == 'o':
		return Ours, 2, false
	case c == 'b':
		return Rest, 2, false
	case c == 's':
		return Shared, 2, false
	}
	return Nothing, 0, false
}

func (b *board) Free(p uint32, half bool) (index, n uint32) {
	n = b.geo.Blocks(p)
	if half {
		return n / 2, n - n/2
	}
	if b.state[p] == 'b' {
		return 1, n - 1
	}
	return 0, n
}

func (b *board) Urgent(mono.Time) (uint32, bool) {
	i := strings.IndexByte(string(b.state), '!')
	return uint32(i), i >= 0
}

func (b *board) Ranked() bool  { return strings.ContainsAny(string(b.state), "0123456789") }
func (b *board) Crowded() bool { return b.crowd || !strings.Contains(string(b.state), "h") }

func (b *board) Claim(_ mono.Time, conn int, r Run, _, _ time.Duration) {
	p, left := r.Piece, int64(r.Blocks)+int64(r.Block)
	for left > 0 {
		b.was[p] = b.state[p]
		b.state[p] = 'w'
		b.claim[conn] = append(b.claim[conn], p)
		left -= int64(b.geo.Blocks(p))
		p++
	}
}

func (b *board) Release(conn int) {
	for _, p := range b.claim[conn] {
		if b.state[p] == 'w' {
			b.state[p] = b.was[p]
			b.gen++
		}
	}
	b.claim[conn] = nil
}

func (d *driver) command(line string) string {
	words := strings.Fields(line)
	if words[0] == "torrent" {
		d.torrent(words[1:])
		return ""
	}
	after, err := time.ParseDuration(words[0])
	if err != nil {
		d.t.Fatalf("%q: %v", line, err)
	}
	now := mono.Start.Add(after)
	var out strings.Builder
	for d.m.Deadline() <= now {
		at := d.m.Deadline()
		d.m.Tick(at, true)
		if text := d.told(); text != "" {
			fmt.Fprintf(&out, "at %s:\n%s", at.Sub(mono.Start), text)
		}
	}
	d.say = nil
	d.do(now, words[1], words[2:])
	out.WriteString(d.told())
	out.WriteString(strings.Join(d.say, "\n"))
	d.check()
	return out.String()
}

func (d *driver) torrent(args []string) {
	d.b = board{}
	size, seeds, bep17 := int64(1<<20), 1, false
	var files []File
	single := true
	for _, a := range args {
		key, value, _ := strings.Cut(a, "=")
		switch key {
		case "pieces":
			d.b.state = []byte(value)
			if n, err := strconv.Atoi(value); err == nil && n > 9 {
				d.b.state = []byte(strings.Repeat(".", n))
			}
		case "size":
			size = d.size(value)
		case "seeds":
			seeds = d.number(value)
		case "crowd":
			d.b.crowd = true
		case "bep17":
			bep17 = true
		case "files":
			single = false
			at := int64(0)
			for _, f := range strings.Split(value, ",") {
				name, pad := strings.CutSuffix(f, "pad")
				files = append(files, File{Offset: at, Length: d.size(name), Pad: pad})
				at += d.size(name)
			}
		default:
			d.t.Fatalf("torrent: what is %q?", a)
		}
	}
	n := uint32(len(d.b.state))
	d.b.geo = metainfo.Geometry{Total: size * int64(n), PieceLength: uint32(size), Pieces: n}
	d.b.gen, d.b.was = 1, make(map[uint32]byte)
	if files == nil {
		files = []File{{Length: d.b.geo.Total}}
	}
	if last := files[len(files)-1]; last.Offset+last.Length != d.b.geo.Total {
		d.t.Fatalf("the files have %d bytes, the pieces %d", last.Offset+last.Length, d.b.geo.Total)
	}
	cfg := Config{Geometry: d.b.geo, Files: files, Single: single}
	for i := range seeds {
		cfg.Seeds = append(cfg.Seeds, Seed{URL: fmt.Sprint(i), Pieces: bep17})
	}
	d.m = New(cfg, &d.b, rand.New(rand.NewPCG(1, 2)))
}

func (d *driver) do(now mono.Time, verb string, args []string) {
	m := d.m
	switch verb {
	case "tick":
		m.Tick(now, true)
	case "rest":
		m.Tick(now, false)
	case "placed":
		m.Placed(now, d.number(args[0]))
	case "yield":
		m.Yield(now, d.number(args[0]))
		m.Tick(now, true)
	case "ban":
		m.Ban(now, d.number(args[0]), why.OnlySender, "it lied")
	case "room":
		m.MakeRoom(now)
		m.Tick(now, true)
	case "pieces":
		d.b.state = []byte(args[0])
		d.b.gen++
		m.Tick(now, true)
	case "status":
		for i := range m.seeds {
			st := m.Status(i, now)
			d.say = append(d.say, fmt.Sprintf("seed %d is %s, %d connections %s", i, st.State, st.Conns, st.Err))
		}
	case "got":
		if conn, _, ok := m.Fetching(uint64(d.number(args[0]))); ok {
			m.Got(now, conn, d.size(args[1]))
		}
		m.Tick(now, true)
	case "ended":
		d.ended(now, uint64(d.number(args[0])), args[1:])
		m.Tick(now, true)
	default:
		d.t.Fatalf("what is %q?", verb)
	}
}

func (d *driver) ended(now mono.Time, id uint64, args []string) {
	r := Result{Text: strings.Join(args, " ")}
	switch args[0] {
	case "done":
		r.Outcome, r.Text = Done, ""
		r.Whole = len(args) > 1
		if conn, _, ok := d.m.Fetching(id); ok {
			c := d.m.conns[conn]
			d.m.Got(now, conn, c.size-c.got)
			for _, p := range d.b.claim[conn] {
				d.b.state[p] = 'h'
			}
		}
	case "absent":
		r.Outcome, r.File = Absent, d.number(args[1])
	case "busy":
		r.Outcome = Busy
		if len(args) > 1 {
			r.RetryIn, _ = time.ParseDuration(args[1])
		}
	case "no-ranges":
		r.Outcome = NoRanges
	case "broken":
		r.Outcome = Broken
	case "refused":
		r.Outcome = Refused
	default:
		d.t.Fatalf("ended how?")
	}
	d.m.Ended(now, id, r)
}

func (d *driver) told() string {
	var out strings.Builder
	for _, a := range d.m.Acts() {
		fmt.Fprintf(&out, "%s", a.Kind)
		switch a.Kind {
		case Fetch:
			fmt.Fprintf(&out, " %d on %d of seed %d", a.ID, a.Conn, a.Seed)
			if a.Whole {
				out.WriteString(", no ranges")
			}
			if a.Resume {
				out.WriteString(", it goes on")
			}
			fmt.Fprintf(&out, ": %s", d.run(a.Run))
			for _, s := range a.Segments {
				switch {
				case s.Pad:
					fmt.Fprintf(&out, ", %s of padding", bytes(s.Length))
				case len(d.m.cfg.Files) > 1 || a.Whole:
					fmt.Fprintf(&out, ", %s at %s of file %d", bytes(s.Length), bytes(s.Offset), s.File)
				}
				if s.Skip > 0 {
					fmt.Fprintf(&out, " after %s skipped", bytes(s.Skip))
				}
			}
		case Stop:
			fmt.Fprintf(&out, " %d", a.ID)
		case Close:
			fmt.Fprintf(&out, " %d of seed %d", a.Conn, a.Seed)
		default:
			fmt.Fprintf(&out, " seed %d", a.Seed)
		}
		fmt.Fprintf(&out, " (%s)\n", a.Why)
		if a.Text != "" {
			fmt.Fprintf(&out, "  %s\n", a.Text)
		}
	}
	return out.String()
}

func (d *driver) run(r Run) string {
	_, size := d.m.span(r)
	text := fmt.Sprintf("%s from %d:%d", bytes(size), r.Piece, r.Block)
	return text
}

func bytes(n int64) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%dM", n>>20)
	case n >= 1<<10 && n%(1<<10) == 0:
		return fmt.Sprintf("%dK", n>>10)
	}
	return fmt.Sprint(n)
}

// check holds what must always be so.
func (d *driver) check() {
	d.t.Helper()
	if err := invariants(d.m); err != nil {
		d.t.Error(err)
	}
}

func invariants(m *Machine) error {
	conns, asked := make([]int, len(m.seeds)), 0
	for i, c := range m.conns {
		if c == nil {
			continue
		}
		conns[c.seed]++
		if c.running && m.seeds[c.seed].dead != 0 {
			return fmt.Errorf("connection %d fetches from a seed that was given up", i)
		}
	}
	for i, s := range m.seeds {
		asked += s.asked
		if s.conns != conns[i] {
			return fmt.Errorf("seed %d has %d connections, counted %d", i, conns[i], s.conns)
		}
		if s.level < 1 || s.level > perSeed {
			return fmt.Errorf("seed %d should have %d connections", i, s.level)
		}
		asked += s.conns
	}
	if asked > MaxConns {
		return fmt.Errorf("%d connections there and asked for", asked)
	}
	return nil
}

func (d *driver) number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		d.t.Fatal(err)
	}
	return n
}

func (d *driver) size(text string) int64 {
	shift := 0
	if t, ok := strings.CutSuffix(text, "M"); ok {
		text, shift = t, 20
	} else if t, ok := strings.CutSuffix(text, "K"); ok {
		text, shift = t, 10
	}
	return int64(d.number(text)) << shift
}

// Whatever happens in whatever order: never more connections than there may be, nothing
// fetched that is not free, segments as long as their run, and what is due lies ahead.
func FuzzMachine(f *testing.F) {
	f.Add(uint64(1), []byte{0, 1, 2, 3, 4, 5, 6, 7, 8})
	f.Add(uint64(2), []byte{0, 1, 3, 0, 1, 3, 67, 1, 130, 9, 200, 17})
	f.Fuzz(func(t *testing.T, seed uint64, steps []byte) {
		rng := rand.New(rand.NewPCG(seed, 1))
		const length = 3 * block.Size
		n := 1 + rng.IntN(60)
		b := &board{was: make(map[uint32]byte), gen: 1}
		b.geo = metainfo.Geometry{Total: int64(n)*length - 100, PieceLength: length, Pieces: uint32(n)}
		for range n {
			b.state = append(b.state, "....hfobs123"[rng.IntN(12)])
		}
		cfg := Config{Geometry: b.geo, Seeds: make([]Seed, 1+rng.IntN(6))}
		for at := int64(0); at < b.geo.Total; {
			size := min(rng.Int64N(2*length), b.geo.Total-at)
			cfg.Files = append(cfg.Files, File{Offset: at, Length: size, Pad: rng.IntN(8) == 0})
			at += size
		}
		m := New(cfg, b, rng)
		now := mono.Start
		running := make(map[uint64]int)
		placesAsked := make(map[int]int)
		wants := true
		for _, x := range steps {
			now = now.Add(time.Duration(x>>3) * 100 * time.Millisecond)
			switch x & 7 {
			case 0:
				m.Tick(now, wants)
			case 1:
				for s := range m.seeds {
					if placesAsked[s] > 0 {
						placesAsked[s]--
						m.Placed(now, s)
						break
					}
				}
			case 2, 3, 4:
				for id := range m.ids + 1 {
					if conn, _, ok := m.Fetching(id); ok {
						m.Got(now, conn, 1)
						if x&7 == 4 {
							m.Drop(now, conn, 0)
						} else {
							m.Ended(now, id, Result{Outcome: Outcome(rng.IntN(6)), File: rng.IntN(len(cfg.Files)), RetryIn: time.Duration(rng.Int64())})
						}
						break
					}
				}
			case 5:
				m.Yield(now, rng.IntN(len(m.seeds)))
			case 6:
				p := rng.IntN(n)
				if b.state[p] != 'w' {
					b.state[p] = ".h!fobs12"[rng.IntN(9)]
					b.gen++
				}
				m.MakeRoom(now)
			case 7:
				wants = !wants
				m.Tick(now, wants)
			}
			for _, a := range m.Acts() {
				switch a.Kind {
				case Ask:
					placesAsked[a.Seed]++
				case Unask:
					placesAsked[a.Seed]--
				case Fetch:
					if old, ok := running[a.ID]; ok {
						t.Fatalf("fetch %d on %d again, it was on %d", a.ID, a.Conn, old)
					}
					running[a.ID] = a.Conn
					_, size := m.span(a.Run)
					var sum int64
					for _, s := range a.Segments {
						sum += s.Length
						if f := cfg.Files[s.File]; s.Offset < 0 || s.Length <= 0 || s.Offset+s.Length > f.Length || s.Skip < 0 || f.Pad != s.Pad {
							t.Fatalf("segment %+v of file %+v", s, f)
						}
					}
					if sum != size || size == 0 {
						t.Fatalf("segments of %d bytes for a run of %d", sum, size)
					}
				}
			}
			if err := invariants(m); err != nil {
				t.Fatal(err)
			}
			m.Tick(now, wants)
			for _, a := range m.Acts() {
				if a.Kind == Ask {
					placesAsked[a.Seed]++
				}
			}
			if m.Deadline() <= now {
				t.Fatalf("a tick at %v leaves a deadline at %v", now, m.Deadline())
			}
		}
	})
}
