package bitfield

import (
	"errors"
	"slices"
	"testing"
)

// model is the set of pieces said plainly.
type model struct {
	n   uint32
	has map[uint32]bool
}

func (m model) pieces() []uint32 {
	var p []uint32
	for i := range m.n {
		if m.has[i] {
			p = append(p, i)
		}
	}
	return p
}

// agree checks everything that a Bitfield says of itself against the model.
func agree(t *testing.T, f *Bitfield, m model) {
	t.Helper()
	want := m.pieces()
	if got := slices.Collect(f.Pieces()); !slices.Equal(got, want) {
		t.Fatalf("pieces %v, want %v", got, want)
	}
	if f.Len() != m.n || f.Count() != uint32(len(want)) || f.None() != (len(want) == 0) || f.All() != (len(want) == int(m.n)) {
		t.Fatalf("%d of %d, none %v, all %v; want %v", f.Count(), f.Len(), f.None(), f.All(), want)
	}
	for _, i := range []uint32{0, 1, 7, 8, m.n - 1, m.n, m.n + 1, m.n | 7, 1 << 31} {
		if f.Has(i) != m.has[i] {
			t.Fatalf("Has(%d) is %v", i, f.Has(i))
		}
	}
	b := f.AppendWire([]byte("x"))
	if len(b) != 1+WireLen(m.n) || b[0] != 'x' {
		t.Fatalf("wire form %x", b)
	}
	again, err := FromWire(b[1:], m.n)
	if err != nil {
		t.Fatalf("our own wire form %x: %v", b[1:], err)
	}
	if again.Count() != f.Count() || !slices.Equal(slices.Collect(again.Pieces()), want) {
		t.Fatalf("read again as %v", again)
	}
}

func TestWireLen(t *testing.T) {
	for n, want := range map[uint32]int{0: 0, 1: 1, 8: 1, 9: 2, 1313: 165, 1<<32 - 1: 1 << 29} {
		if got := WireLen(n); got != want {
			t.Errorf("%d pieces in %d bytes, want %d", n, got, want)
		}
	}
}

func TestFromWire(t *testing.T) {
	for _, c := range []struct {
		wire string
		n    uint32
		want []uint32
		err  error
	}{
		{"", 0, nil, nil},
		{"\x80", 1, []uint32{0}, nil},
		{"\x90\x40", 10, []uint32{0, 3, 9}, nil},
		{"\x00\x80", 9, []uint32{8}, nil},
		{"\xff", 8, []uint32{0, 1, 2, 3, 4, 5, 6, 7}, nil},
		{"\x00", 0, nil, ErrLength},
		{"", 1, nil, ErrLength},
		{"\x00", 9, nil, ErrLength},
		{"\x00\x00\x00", 9, nil, ErrLength},
		{"\x00\x00\x00", 16, nil, ErrLength},
		{"\xff\xff", 10, nil, ErrSpare},
		{"\x00\x20", 10, nil, ErrSpare},
		{"\x40", 1, nil, ErrSpare},
		{"\x01", 7, nil, ErrSpare},
	} {
		f, err := FromWire([]byte(c.wire), c.n)
		if !errors.Is(err, c.err) || c.err == nil && err != nil {
			t.Errorf("%x of %d pieces: %v, want %v", c.wire, c.n, err, c.err)
			continue
		}
		if err == nil && !slices.Equal(slices.Collect(f.Pieces()), c.want) {
			t.Errorf("%x of %d pieces: %v, want %v", c.wire, c.n, f, c.want)
		}
	}
}

// The bytes given are not kept: they belong to a read buffer.
func TestFromWireCopies(t *testing.T) {
	b := []byte{0x80}
	f, err := FromWire(b, 8)
	if err != nil {
		t.Fatal(err)
	}
	b[0] = 0
	c := f.Clone()
	c.Set(1)
	f.Set(2)
	if f.String() != "10100000" || c.String() != "11000000" {
		t.Errorf("%v and its clone %v", f, c)
	}
}

func TestSetClear(t *testing.T) {
	f := New(10)
	if !f.Set(9) || f.Set(9) || f.Set(10) || f.Set(1<<31) || f.Count() != 1 {
		t.Errorf("set: %v", f)
	}
	if f.Clear(8) || f.Clear(10) || !f.Clear(9) || f.Clear(9) || !f.None() {
		t.Errorf("clear: %v", f)
	}
	for _, n := range []uint32{0, 1, 7, 8, 9, 64, 65} {
		f := New(n)
		f.SetAll()
		if !f.All() || f.Count() != n || f.Has(n) {
			t.Errorf("all of %d: %v", n, f)
		}
		if _, err := FromWire(f.AppendWire(nil), n); err != nil {
			t.Errorf("all of %d sets spare bits: %v", n, err)
		}
	}
	var zero Bitfield
	if !zero.None() || !zero.All() || zero.Has(0) || zero.Set(0) || zero.Clear(0) {
		t.Error("the zero value is not the empty set of no pieces")
	}
}

func TestHasAny(t *testing.T) {
	for _, c := range []struct {
		f, other string
		want     bool
	}{
		{"0000000000", "0000000000", false},
		{"1000000000", "0000000000", true},
		{"1000000000", "1000000000", false},
		{"0000000001", "1111111110", true},
		{"0111111111", "1111111111", false},
		{"1100000000", "0011111111", true},
		{"1111111111", "0111111111", true},
	} {
		if got := parse(c.f).HasAny(parse(c.other)); got != c.want {
			t.Errorf("%s has something that %s lacks: %v", c.f, c.other, got)
		}
	}
}

func parse(s string) *Bitfield {
	f := New(uint32(len(s)))
	for i, c := range s {
		if c == '1' {
			f.Set(uint32(i))
		}
	}
	return f
}

// A loop may end early, and what it says is ascending.
func TestPieces(t *testing.T) {
	f := parse("0110000010000001")
	var got []uint32
	for i := range f.Pieces() {
		got = append(got, i)
		if len(got) == 3 {
			break
		}
	}
	if !slices.Equal(got, []uint32{1, 2, 8}) {
		t.Error(got)
	}
}

func TestString(t *testing.T) {
	if s := parse("110").String(); s != "110" {
		t.Error(s)
	}
	f := New(65)
	f.Set(64)
	if s := f.String(); s != "1 of 65 pieces" {
		t.Error(s)
	}
}

func TestAllocs(t *testing.T) {
	f, other := New(1000), New(1000)
	buf := make([]byte, 0, 200)
	other.Set(999)
	if n := testing.AllocsPerRun(100, func() {
		f.Set(500)
		f.HasAny(other)
		for range f.Pieces() {
		}
		f.AppendWire(buf)
		f.Clear(500)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Any row of operations leaves a Bitfield that agrees with a plain set.
func FuzzBitfield(f *testing.F) {
	f.Fuzz(func(t *testing.T, n uint16, wire, ops []byte) {
		m := model{n: uint32(n) % 300, has: map[uint32]bool{}}
		set, err := FromWire(wire, m.n)
		if err != nil {
			if !errors.Is(err, ErrLength) && !errors.Is(err, ErrSpare) {
				t.Fatal(err)
			}
			set = New(m.n)
		}
		for i := range m.n {
			if err == nil && wire[i/8]>>(7-i%8)&1 == 1 {
				m.has[i] = true
			}
		}
		agree(t, set, m)
		before := set.Clone()
		for len(ops) >= 2 {
			i := uint32(ops[1]) + uint32(ops[0]>>4)*40
			switch inside := i < m.n; ops[0] & 3 {
			case 0, 1:
				if set.Set(i) != (inside && !m.has[i]) {
					t.Fatalf("set %d", i)
				}
				if inside {
					m.has[i] = true
				}
			case 2:
				if set.Clear(i) != m.has[i] {
					t.Fatalf("clear %d", i)
				}
				delete(m.has, i)
			case 3:
				if ops[1] == 0 {
					set.SetAll()
					for i := range m.n {
						m.has[i] = true
					}
				}
			}
			ops = ops[2:]
		}
		agree(t, set, m)
		gained := false
		for _, i := range m.pieces() {
			gained = gained || !before.Has(i)
		}
		if set.HasAny(before) != gained {
			t.Fatalf("%v has something that %v lacks: %v", set, before, !gained)
		}
	})
}
