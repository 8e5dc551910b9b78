// Package storagetest is the conformance suite of storages: a test of one calls Run.
package storagetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"testing"

	"shoal/storage"
)

// Layout is the torrent that the suite uses: files of odd sizes, two that are
// empty, folders, pads, and one name that differs from another in its folder only.
func Layout() []storage.Entry {
	return Lay(
		storage.Entry{Path: "t/a", Length: 10},
		storage.Entry{Path: "t/empty", Length: 0},
		storage.Entry{Path: "t/x/y/b", Length: 40000},
		storage.Entry{Path: "t/pad1", Length: 123, Pad: true},
		storage.Entry{Path: "t/x/a", Length: 1},
		storage.Entry{Path: "t/z/w/empty", Length: 0},
		storage.Entry{Path: "t/x/c", Length: 70001},
		storage.Entry{Path: "t/pad2", Length: 7, Pad: true},
	)
}

// Lay sets the offsets of entries that follow each other.
func Lay(entries ...storage.Entry) []storage.Entry {
	var at int64
	for i := range entries {
		entries[i].Offset = at
		at += entries[i].Length
	}
	return entries
}

// Factory makes an empty storage. What it holds open is closed with t.
type Factory func(t *testing.T, entries []storage.Entry) storage.Storage

// Run checks the contract written on storage.Storage.
func Run(t *testing.T, make Factory) {
	t.Run("empty", func(t *testing.T) { empty(t, make) })
	t.Run("random writes and reads", func(t *testing.T) { random(t, make) })
	t.Run("pads", func(t *testing.T) { pads(t, make) })
	t.Run("prepare", func(t *testing.T) { prepare(t, make) })
	t.Run("state", func(t *testing.T) { state(t, make) })
	t.Run("ranges", func(t *testing.T) { ranges(t, make) })
	t.Run("concurrent", func(t *testing.T) { concurrent(t, make) })
	t.Run("closed", func(t *testing.T) { closed(t, make) })
	t.Run("no bytes at all", func(t *testing.T) { nothing(t, make) })
}

// Expect is what a torrent laid out so must read as after data was written to
// its whole span: the data, with zeros in the pads.
func Expect(entries []storage.Entry, data []byte) []byte {
	want := bytes.Clone(data)
	for _, e := range entries {
		if e.Pad {
			clear(want[e.Offset : e.Offset+e.Length])
		}
	}
	return want
}

// Random returns n bytes that are the same for the same seed.
func Random(seed uint64, n int64) []byte {
	b := make([]byte, n)
	var key [32]byte
	key[0], key[1] = byte(seed), byte(seed>>8)
	_, _ = rand.NewChaCha8(key).Read(b) // never fails
	return b
}

// split cuts b into buffers of random lengths, some of them empty.
func split(rng *rand.Rand, b []byte) (bufs [][]byte) {
	for len(b) > 0 {
		n := min(rng.IntN(len(b)/2+2), len(b))
		bufs = append(bufs, b[:n])
		b = b[n:]
	}
	return append(bufs, nil)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func empty(t *testing.T, make Factory) {
	entries := Layout()
	st := make(t, entries)
	p := [64]byte{}
	n, err := st.ReadAt(p[:], 0)
	if n != 0 || !errors.Is(err, storage.ErrMissing) {
		t.Errorf("read of nothing: %d bytes, %v; want 0 and ErrMissing", n, err)
	}
	states, err := st.State()
	must(t, err)
	for _, s := range states {
		if s.Exists {
			t.Errorf("%s exists after a read", s.Path)
		}
	}
	must(t, st.Sync(t.Context()))
}

func random(t *testing.T, make Factory) {
	entries := Layout()
	st := make(t, entries)
	data := Random(1, st.Size())
	rng := rand.New(rand.NewPCG(1, 2))
	type span struct{ from, to int64 }
	var spans []span
	for at := int64(0); at < st.Size(); {
		n := min(1+rng.Int64N(9000), st.Size()-at)
		spans = append(spans, span{at, at + n})
		at += n
	}
	rng.Shuffle(len(spans), func(i, j int) { spans[i], spans[j] = spans[j], spans[i] })
	for _, s := range spans {
		must(t, st.WriteV(split(rng, data[s.from:s.to]), s.from))
		got := [9000]byte{}
		n, err := st.ReadAt(got[:s.to-s.from], s.from)
		must(t, err)
		if want := Expect(entries, data)[s.from:s.to]; !bytes.Equal(got[:n], want) {
			t.Fatalf("bytes %d to %d differ after they were written", s.from, s.to)
		}
	}
	must(t, st.Sync(t.Context()))
	want := Expect(entries, data)
	for range 200 {
		from := rng.Int64N(st.Size())
		to := from + 1 + rng.Int64N(st.Size()-from)
		got := bytes.Repeat([]byte{0xaa}, int(to-from))
		must(t, st.ReadV(split(rng, got), from))
		if !bytes.Equal(got, want[from:to]) {
			t.Fatalf("bytes %d to %d differ", from, to)
		}
	}
}

func pads(t *testing.T, make Factory) {
	entries := Lay(storage.Entry{Path: "a", Length: 5}, storage.Entry{Path: "p", Length: 5, Pad: true})
	st := make(t, entries)
	must(t, st.WriteV([][]byte{[]byte("xxxxx")}, 5))
	got := []byte("yyyyy")
	if n, err := st.ReadAt(got, 5); n != 5 || err != nil || !bytes.Equal(got, []byte{0, 0, 0, 0, 0}) {
		t.Errorf("a pad reads as %d bytes %q, %v; want five zeros", n, got, err)
	}
	states, err := st.State()
	must(t, err)
	if states[0].Exists || states[1].Exists {
		t.Errorf("writing to a pad made a file: %+v", states)
	}
	if states[0].Readable() || !states[1].Readable() {
		t.Errorf("a pad is readable, a missing file is not; got %+v", states)
	}
}

func prepare(t *testing.T, make Factory) {
	st := make(t, Layout())
	must(t, st.Prepare(t.Context()))
	must(t, st.Prepare(t.Context())) // again changes nothing
	states, err := st.State()
	must(t, err)
	for _, s := range states {
		if want := s.Length == 0; s.Exists != want {
			t.Errorf("%s: exists %v after Prepare, want %v", s.Path, s.Exists, want)
		}
	}
	must(t, st.Sync(t.Context()))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := st.Prepare(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled Prepare: %v", err)
	}
}

func state(t *testing.T, make Factory) {
	entries := Layout()
	st := make(t, entries)
	b := entries[2]
	must(t, st.WriteV([][]byte{[]byte("hello")}, b.Offset+100)) // leaves a hole before it
	states, err := st.State()
	must(t, err)
	for i, s := range states {
		switch {
		case s.Entry != entries[i]:
			t.Errorf("entry %d is %+v, want %+v", i, s.Entry, entries[i])
		case i == 2 && (!s.Exists || s.Size != 105 || s.Readable()):
			t.Errorf("a file written up to byte 105 is %+v", s)
		case i != 2 && s.Exists:
			t.Errorf("%s exists, and was not written", s.Path)
		}
	}
	got := [200]byte{}
	n, err := st.ReadAt(got[:], b.Offset)
	if n != 105 || !errors.Is(err, storage.ErrMissing) || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("read over the end: %d bytes, %v; want 105 and unexpected EOF", n, err)
	}
	if string(got[100:105]) != "hello" || got[99] != 0 {
		t.Errorf("read %q", got[:n])
	}
}

func ranges(t *testing.T, make Factory) {
	st := make(t, Layout())
	buf := [10]byte{}
	size := st.Size()
	must(t, st.WriteV([][]byte{Random(1, size)}, 0))
	if n, err := st.ReadAt(buf[:], size-4); n != 4 || err != io.EOF {
		t.Errorf("read across the end: %d, %v; want 4, EOF", n, err)
	}
	if n, err := st.ReadAt(buf[:], size); n != 0 || err != io.EOF {
		t.Errorf("read at the end: %d, %v; want 0, EOF", n, err)
	}
	if n, err := st.ReadAt(nil, 3); n != 0 || err != nil {
		t.Errorf("read of no bytes: %d, %v", n, err)
	}
	for name, err := range map[string]error{
		"read before the start":  second(st.ReadAt(buf[:], -1)),
		"vector across the end":  st.ReadV([][]byte{buf[:]}, size-4),
		"write across the end":   st.WriteV([][]byte{buf[:]}, size-4),
		"write before the start": st.WriteV([][]byte{buf[:]}, -4),
		"write far out":          st.WriteV([][]byte{buf[:]}, 1<<62),
	} {
		if !errors.Is(err, storage.ErrRange) {
			t.Errorf("%s: %v, want ErrRange", name, err)
		}
	}
	must(t, st.WriteV(nil, 0))
	must(t, st.ReadV(nil, size))
}

func second(_ int, err error) error { return err }

func concurrent(t *testing.T, make Factory) {
	entries := Layout()
	st := make(t, entries)
	data := Random(2, st.Size())
	want := Expect(entries, data)
	const step = 997
	var wg sync.WaitGroup
	for g := range int64(8) {
		wg.Go(func() {
			for from := g * step; from < st.Size(); from += 8 * step {
				to := min(from+step, st.Size())
				if err := st.WriteV([][]byte{data[from:to]}, from); err != nil {
					t.Errorf("write at %d: %v", from, err)
				}
				got := [step]byte{}
				if err := st.ReadV([][]byte{got[:to-from]}, from); err != nil || !bytes.Equal(got[:to-from], want[from:to]) {
					t.Errorf("read at %d: wrong bytes, %v", from, err)
				}
				if from%16 == 0 {
					if err := st.Sync(t.Context()); err != nil {
						t.Errorf("sync: %v", err)
					}
				}
			}
		})
	}
	wg.Wait()
	got := bytes.Clone(data)
	must(t, st.ReadV([][]byte{got}, 0))
	if !bytes.Equal(got, want) {
		t.Error("the whole differs")
	}
}

func closed(t *testing.T, make Factory) {
	st := make(t, Layout())
	must(t, st.WriteV([][]byte{[]byte("abc")}, 0))
	must(t, st.Close())
	must(t, st.Close())
	buf := [3]byte{}
	if _, err := st.ReadAt(buf[:], 0); !errors.Is(err, storage.ErrClosed) {
		t.Errorf("read after Close: %v", err)
	}
	if err := st.WriteV([][]byte{buf[:]}, 0); !errors.Is(err, storage.ErrClosed) {
		t.Errorf("write after Close: %v", err)
	}
}

func nothing(t *testing.T, make Factory) {
	st := make(t, Lay(storage.Entry{Path: "only", Length: 0}))
	if st.Size() != 0 {
		t.Errorf("size %d", st.Size())
	}
	must(t, st.Prepare(t.Context()))
	must(t, st.Sync(t.Context()))
	if n, err := st.ReadAt(nil, 0); n != 0 || err != nil {
		t.Errorf("read of nothing: %d, %v", n, err)
	}
	states, err := st.State()
	must(t, err)
	if len(states) != 1 || !states[0].Exists || !states[0].Readable() {
		t.Errorf("state %+v", states)
	}
}
