package webplan

import (
	"slices"
	"sort"

	"shoal/internal/value/block"
	"shoal/internal/value/why"
)

// plan chooses the next run of a seed. c is nil while there is no connection yet.
func (m *Machine) plan(i int, c *conn) (Run, why.Why, bool) {
	s := m.seeds[i]
	if s.whole {
		return m.planWhole(i, c)
	}
	if p, ok := m.board.Urgent(m.now); ok && s.has(p) {
		if r, ok := m.at(i, p); ok {
			return r, why.Urgent, true
		}
	}
	// The server and its disk have probably read ahead for a run that continues.
	p, on := m.follows(c)
	if on && !m.board.Ranked() {
		// Nothing could come before pieces that no peer has.
		if o, level := m.offer(i, p); o == Fresh && level&1 == 1 {
			return m.extend(i, p, level), why.WebOn, true
		}
	}
	look := m.look(i)
	if on {
		if o, level := m.offer(i, p); o == Fresh && level == look.top {
			return m.extend(i, p, level), why.WebOn, true
		}
	}
	switch {
	case look.gap.n > 0 && look.gap.level == look.top:
		if look.gap.level&1 == 1 && m.board.Crowded() {
			return m.extend(i, m.somewhere(i, look), look.gap.level), why.WebSpread, true
		}
		return m.extend(i, look.gap.from, look.gap.level), why.WebGap, true
	case look.best != Nothing:
		r, w := m.single(look.piece, look.best)
		return r, w, r.Blocks > 0
	}
	return Run{}, why.None, false
}

// follows returns the piece that begins where the last run of a connection ended.
func (m *Machine) follows(c *conn) (uint32, bool) {
	length := int64(m.cfg.Geometry.PieceLength)
	if c == nil || c.on < 0 || c.on%length != 0 || c.on >= m.cfg.Geometry.Total {
		return 0, false
	}
	return uint32(c.on / length), true
}

// offer returns what a piece is to a seed, as far as the seed has it, and how much we want
// it: by priority, and within one first the pieces that no peer has.
func (m *Machine) offer(i int, piece uint32) (Offer, uint8) {
	if !m.seeds[i].has(piece) {
		return Nothing, 0
	}
	o, level, rare := m.board.Offer(i, piece)
	level *= 2
	if rare && o == Fresh {
		level++
	}
	return o, level
}

// seen is the result of one look at all pieces.
type seen struct {
	top   uint8  // highest level of anything that we can request
	gap   gap    // longest gap of that level
	fresh uint32 // pieces in all gaps of that level

	best  Offer // best of what else that level has
	piece uint32
}

type gap struct {
	from, n uint32
	level   uint8
}

// look finds the longest gap, and what else there is.
func (m *Machine) look(i int) seen {
	var v seen
	var g gap
	for p := range m.cfg.Geometry.Pieces {
		o, level := m.offer(i, p)
		if o == Nothing {
			g = gap{}
			continue
		}
		if level > v.top {
			v = seen{top: level}
		}
		if o != Fresh {
			g = gap{}
			if level == v.top && (v.best == Nothing || o < v.best) {
				v.best, v.piece = o, p
			}
			continue
		}
		if g.n == 0 || g.level != level {
			g = gap{from: p, level: level}
		}
		g.n++
		if level == v.top {
			v.fresh++
		}
		if level == v.top && g.n > v.gap.n {
			v.gap = g
		}
	}
	return v
}

// somewhere picks a random piece of the highest level, and returns the start of the
// minRun-sized part that contains it, so that few shorter gaps remain.
func (m *Machine) somewhere(i int, look seen) uint32 {
	left := uint32(m.rng.Int64N(int64(look.fresh)))
	run := max(minRun/m.cfg.Geometry.PieceLength, 1)
	from := uint32(0) // start of the gap
	for p := range m.cfg.Geometry.Pieces {
		if o, level := m.offer(i, p); o != Fresh || level != look.top {
			from = p + 1
			continue
		}
		if left == 0 {
			return max(from, p/run*run)
		}
		left--
	}
	return look.gap.from
}

// at returns a run that begins with a piece that a reader waits for.
func (m *Machine) at(i int, piece uint32) (Run, bool) {
	switch o, level := m.offer(i, piece); o {
	case Nothing:
		return Run{}, false
	case Fresh:
		return m.extend(i, piece, level), true
	default:
		r, _ := m.single(piece, o)
		return r, r.Blocks > 0
	}
}

// single returns a run within a piece that is not fresh.
func (m *Machine) single(piece uint32, o Offer) (Run, why.Why) {
	index, n := m.board.Free(piece, o == Shared)
	w := why.Started
	switch o {
	case Failed, Ours:
		w = why.Suspect
	case Shared:
		w = why.WebHelp
	}
	return Run{Piece: piece, Block: index, Blocks: n}, w
}

// extend returns a run of fresh pieces from one on, of the length that fits the rate.
func (m *Machine) extend(i int, from uint32, level uint8) Run {
	s := m.seeds[i]
	want := int64(minRun)
	if s.rate > 0 {
		want = int64(min(max(s.rate*runTime.Seconds(), minRun), maxRun))
	}
	r := Run{Piece: from}
	begin := m.cfg.Geometry.Offset(from, 0)
	end := begin
	for p := from; p < m.cfg.Geometry.Pieces; p++ {
		o, l := m.offer(i, p)
		next := end + int64(m.cfg.Geometry.PieceSize(p))
		// A short gap that no peer has is extended by pieces that peers have: otherwise we
		// would send a storm of requests for a few blocks each.
		same := l == level || l/2 == level/2 && next-begin <= minRun
		if p > from && (o != Fresh || !same || next-begin > want || s.Pieces ||
			m.filesIn(begin, next) > maxFiles) {
			break
		}
		end = next
		r.Blocks += m.cfg.Geometry.Blocks(p)
	}
	return r
}

// planWhole chooses for a seed without ranges: what comes next in the open answer, else
// something near the beginning of a file.
func (m *Machine) planWhole(i int, c *conn) (Run, why.Why, bool) {
	s := m.seeds[i]
	allow := max(freeSkip+s.given/skipShare-s.skipped, 0)
	if c != nil && c.stream && c.on >= 0 {
		if f := m.fileAt(c.on); f >= 0 && c.on > m.cfg.Files[f].Offset {
			if r, ok := m.near(i, c.on, min(allow, m.cfg.Files[f].Offset+m.cfg.Files[f].Length-1-c.on)); ok {
				return r, why.WebOn, true
			}
		}
	}
	for _, f := range m.cfg.Files {
		if f.Pad || f.Length == 0 {
			continue
		}
		if r, ok := m.near(i, f.Offset, min(allow, f.Length-1)); ok {
			return r, why.WebWhole, true
		}
	}
	return Run{}, why.None, false
}

// near returns a run that begins with a free block at from, or at most within bytes after it.
func (m *Machine) near(i int, from, within int64) (Run, bool) {
	g := m.cfg.Geometry
	if g.Pieces == 0 {
		return Run{}, false
	}
	length := int64(g.PieceLength)
	for p := uint32(from / length); p < g.Pieces && g.Offset(p, 0) <= from+within; p++ {
		index, n, ok := uint32(0), g.Blocks(p), false
		switch o, level := m.offer(i, p); o {
		case Fresh:
			ok = true
			if before := from - g.Offset(p, 0); before > 0 {
				index = uint32((before + block.Size - 1) / block.Size)
			}
			if index == 0 {
				r := m.extend(i, p, level)
				return r, true
			}
			n -= min(index, n)
			if n > 0 && p+1 < g.Pieces {
				if o, l := m.offer(i, p+1); o == Fresh && l == level {
					r := m.extend(i, p+1, level)
					return Run{Piece: p, Block: index, Blocks: n + r.Blocks}, true
				}
			}
		case Rest, Failed, Ours:
			index, n = m.board.Free(p, false)
			ok = true
		}
		at := g.Offset(p, 0) + int64(index)*block.Size
		if ok && n > 0 && at >= from && at <= from+within {
			return Run{Piece: p, Block: index, Blocks: n}, true
		}
	}
	return Run{}, false
}

// span returns where a run lies in the torrent, and its length, in bytes.
func (m *Machine) span(r Run) (from, size int64) {
	g := m.cfg.Geometry
	from = g.Offset(r.Piece, r.Block*block.Size)
	p, index, left := r.Piece, r.Block, r.Blocks
	for left > 0 && p < g.Pieces {
		n := min(left, g.Blocks(p)-index)
		if index+n == g.Blocks(p) {
			size += int64(g.PieceSize(p)) - int64(index)*block.Size
		} else {
			size += int64(n) * block.Size
		}
		left -= n
		p, index = p+1, 0
	}
	return from, size
}

// fileAt returns the file that contains a byte of the torrent; -1: none.
func (m *Machine) fileAt(at int64) int {
	i := sort.Search(len(m.cfg.Files), func(i int) bool {
		return m.cfg.Files[i].Offset+m.cfg.Files[i].Length > at
	})
	if i == len(m.cfg.Files) {
		return -1
	}
	return i
}

// filesIn counts the files, without padding, that have bytes from from to before to; it stops
// at maxFiles+1.
func (m *Machine) filesIn(from, to int64) (n int) {
	for i := max(m.fileAt(from), 0); i < len(m.cfg.Files) && m.cfg.Files[i].Offset < to && n <= maxFiles; i++ {
		if f := m.cfg.Files[i]; !f.Pad && f.Length > 0 {
			n++
		}
	}
	return n
}

// segments cuts a range of the torrent at the borders of files.
func (m *Machine) segments(from, size int64) []Segment {
	var out []Segment
	for i := max(m.fileAt(from), 0); size > 0 && i < len(m.cfg.Files); i++ {
		f := m.cfg.Files[i]
		n := min(size, f.Offset+f.Length-from)
		if n <= 0 {
			continue
		}
		out = append(out, Segment{File: i, Offset: from - f.Offset, Length: n, Pad: f.Pad})
		from += n
		size -= n
	}
	return slices.Clip(out)
}
