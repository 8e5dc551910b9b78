package storage_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"shoal/internal/files/storage"
	"shoal/internal/files/storage/storagetest"
)

// Whatever is skipped and wanted, in whatever order, what was written is read; also
// after the files were opened anew. Only whole pieces are written, as a torrent does.
func TestPartFile(t *testing.T) {
	for _, on := range []string{"memory", "folder"} {
		for seed := range uint64(60) {
			fsys := storage.NewMemFS()
			if on == "folder" {
				fsys = folder(t, t.TempDir())
			}
			if err := skipping(t, fsys, rand.New(rand.NewPCG(seed, 3))); err != nil {
				t.Fatalf("%s, seed %d: %v", on, seed, err)
			}
		}
	}
}

func skipping(t *testing.T, fsys storage.FS, rng *rand.Rand) error {
	const piece = 64
	var files []storage.Entry
	for i := range 2 + rng.IntN(7) {
		files = append(files, storage.Entry{Path: fmt.Sprintf("t/%d", i), Length: rng.Int64N(200), Pad: rng.IntN(9) == 0})
	}
	entries := storagetest.Lay(files...)
	last := entries[len(entries)-1]
	size := last.Offset + last.Length
	if size == 0 {
		return nil
	}
	model, written := make([]byte, size), make([]bool, (size+piece-1)/piece)
	skipped := make([]bool, len(entries))
	pool := storage.NewPool(1 + rng.IntN(4))
	var st *storage.Files
	reopen := func() (err error) {
		if st != nil {
			st.Close()
		}
		if st, err = storage.New(entries, storage.Config{FS: fsys, Pool: pool}); err == nil {
			st.UsePart(".part", piece)
			st.Skip(skipped)
		}
		return err
	}
	if err := reopen(); err != nil {
		return err
	}
	defer func() { st.Close() }()
	check := func() error {
		for i, ok := range written {
			if !ok {
				continue
			}
			off := int64(i) * piece
			got := make([]byte, min(piece, size-off))
			if err := st.ReadV([][]byte{got}, off); err != nil {
				return fmt.Errorf("piece %d: %w", i, err)
			}
			if !bytes.Equal(got, model[off:off+int64(len(got))]) {
				return fmt.Errorf("piece %d reads otherwise", i)
			}
		}
		return nil
	}
	for range 40 {
		switch rng.IntN(5) {
		case 0:
			i := rng.IntN(len(skipped))
			skipped = append([]bool(nil), skipped...)
			skipped[i] = !skipped[i]
			st.Skip(skipped)
		case 1:
			for _, i := range st.InPart() {
				if err := st.MoveOut(t.Context(), i); err != nil {
					return err
				}
			}
			if st.PartIsDone() {
				if err := st.RemovePart(); err != nil {
					return err
				}
			}
		case 2:
			if err := reopen(); err != nil {
				return err
			}
		default:
			i := rng.IntN(len(written))
			off := int64(i) * piece
			data := storagetest.Expect(entries, storagetest.Random(rng.Uint64(), size))[off:min(off+piece, size)]
			if err := st.WriteV([][]byte{data[:len(data)/2], data[len(data)/2:]}, off); err != nil {
				return err
			}
			copy(model[off:], data)
			written[i] = true
		}
		if err := check(); err != nil {
			return err
		}
	}
	// Skipped files came to be only where more than their edges was written.
	states, err := st.State()
	if err != nil {
		return err
	}
	for _, s := range states {
		if s.Exists && s.Size > s.Length {
			return fmt.Errorf("%s is too long", s.Path)
		}
	}
	return st.Sync(t.Context())
}

// A skipped file's bytes lie in the part file until it comes out.
func TestPlace(t *testing.T) {
	entries := storagetest.Lay(storage.Entry{Path: "t/a", Length: 100}, storage.Entry{Path: "t/b", Length: 100},
		storage.Entry{Path: "t/c", Length: 64 - 200%64})
	st := open(t, storage.NewMemFS(), storage.NewPool(0), entries)
	st.UsePart(".part", 64)
	own, part := storage.Place{Path: "t/b"}, storage.Place{Path: ".part", Part: true}
	is := func(when string, want storage.Place) {
		t.Helper()
		if got := st.Place(1); got != want {
			t.Errorf("%s: %+v, want %+v", when, got, want)
		}
	}
	is("at first", own)
	st.Skip([]bool{false, true, false})
	is("skipped", part)
	must(t, st.WriteV([][]byte{make([]byte, 64)}, 64))
	is("its head written", part)
	st.Skip(nil)
	is("wanted, and not moved", part)
	must(t, st.MoveOut(t.Context(), 1))
	is("moved out", own)
}
