package resume_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"shoal/internal/crashfs"
	"shoal/internal/files/resume"
	"shoal/internal/files/storage"
	"shoal/internal/files/storage/storagetest"
	"shoal/internal/value/bitfield"
	"shoal/metainfo"
)

const pieceLength = 1024

// world is a torrent on a file system that can crash, and what was promised of it.
type world struct {
	fs   *crashfs.FS
	at   time.Time
	boot resume.Boot
	lay  resume.Layout
	data []byte // what the torrent holds

	limit   int64              // of the journal's records
	written *bitfield.Bitfield // written to or given up since the last Adopt
	durable *bitfield.Bitfield // reported durable, and not given up since
	pieces  int                // to be written by a run; the rest is left

	lostPower bool // since the last Adopt

	openFiles int // at once
	groupFrom int // storage.Config.GroupFrom
	groups    int // calls of syncall

	skip  []bool       // files that are not wanted; with a part file only
	given resume.Names // by the caller, for when the journal is damaged

	vol resume.Volume // that the files lie on
}

// newWorld is a small torrent: a few files, odd borders, a pad.
func newWorld() *world {
	return newWorldOf(pieceLength,
		storage.Entry{Path: "t/a", Length: 5000},
		storage.Entry{Path: "t/empty", Length: 0},
		storage.Entry{Path: "t/x/b", Length: 100},
		storage.Entry{Path: "t/pad", Length: 20, Pad: true},
		storage.Entry{Path: "t/x/c", Length: 9000},
	)
}

func newWorldOf(pieceLength uint32, files ...storage.Entry) *world {
	entries := storagetest.Lay(files...)
	total := entries[len(entries)-1].Offset + entries[len(entries)-1].Length
	w := &world{
		at:    time.Unix(1_700_000_000, 0),
		lay:   resume.Layout{InfoHash: [20]byte{1, 2, 3}, Files: entries},
		limit: 400, openFiles: 2,
	}
	w.lay.Geometry = metainfo.Geometry{Total: total, PieceLength: pieceLength, Pieces: uint32((total + int64(pieceLength) - 1) / int64(pieceLength))}
	w.data = storagetest.Expect(entries, storagetest.Random(7, total))
	w.fs = crashfs.New(w.now)
	w.boot = resume.Boot{ID: "first run", Start: w.at}
	w.pieces = int(w.lay.Geometry.Pieces)
	w.written, w.durable = bitfield.New(w.lay.Geometry.Pieces), bitfield.New(w.lay.Geometry.Pieces)
	return w
}

// now moves by a millisecond at each look, so that no two writes look alike.
func (w *world) now() time.Time {
	w.at = w.at.Add(time.Millisecond)
	return w.at
}

func (w *world) piece(p uint32) []byte {
	return w.data[w.lay.Geometry.Offset(p, 0):][:w.lay.Geometry.PieceSize(p)]
}

// crash ends the process, or the system too.
func (w *world) crash(mode crashfs.Mode, seed uint64) {
	w.fs.Crash(mode, rand.New(rand.NewPCG(seed, 0)))
	w.at = w.at.Add(time.Second)
	if mode != crashfs.Kill {
		w.lostPower = true
		w.at = w.at.Add(time.Minute)
		w.boot = resume.Boot{ID: "run of " + w.at.String(), Start: w.at}
	}
}

// process is one that has the torrent open.
type process struct {
	*world
	dataDir *crashfs.Folder
	j       *resume.Journal
	lo      *resume.Loaded
	verdict resume.Verdict
	have    *bitfield.Bitfield
	st      *storage.Files
	guard   *resume.Guard
}

// open opens the journal and compares.
func (w *world) open() (*process, error) {
	p := &process{world: w, dataDir: w.fs.Folder("data")}
	var err error
	p.j, p.lo, err = resume.Open(w.fs.Folder("state"), w.lay, resume.Config{Dir: "data", Boot: w.boot, Now: w.now, Names: w.given})
	if err != nil {
		return nil, err
	}
	p.j.SetLogLimit(w.limit)
	return p, nil
}

// start does what has to be done before the first write: it compares what is
// claimed with what is there, hashes what is in doubt, and adopts it.
func (p *process) start() error {
	seen, err := resume.Look(p.dataDir, p.lay.Files)
	if err != nil {
		return err
	}
	seen.Volume = p.vol
	p.verdict = p.lo.Compare(seen)
	p.st, err = storage.New(p.entries(), storage.Config{FS: p.dataDir, Pool: storage.NewPool(p.openFiles), GroupFrom: p.groupFrom})
	if err != nil {
		return err
	}
	if p.lay.Part {
		p.st.UsePart(partName, int64(p.lay.Geometry.PieceLength))
		p.st.Skip(p.skip)
	}
	p.have = p.verdict.Trusted.Clone()
	for i := range p.verdict.Doubt.Pieces() {
		if p.verifies(i) {
			p.have.Set(i)
		}
	}
	p.guard = resume.NewGuard(p.st, p.dataDir, p.j, p.vol)
	union(p.written, p.verdict.Doubt)
	if err := p.guard.Adopt(context.Background(), seen, p.have); err != nil {
		return err
	}
	p.written, p.lostPower = bitfield.New(p.lay.Geometry.Pieces), false
	// What was hashed and adopted is durable now.
	for i := range p.have.Pieces() {
		p.durable.Set(i)
	}
	return nil
}

// partName is the name of the part file.
const partName = ".part"

// entries are the torrent's files without the part file.
func (w *world) entries() []storage.Entry {
	if w.lay.Part {
		return w.lay.Files[:len(w.lay.Files)-1]
	}
	return w.lay.Files
}

// verifies reads a piece and compares, through the storage.
func (p *process) verifies(i uint32) bool {
	b := make([]byte, len(p.piece(i)))
	n, _ := p.st.ReadAt(b, p.lay.Geometry.Offset(i, 0))
	return n == len(b) && string(b) == string(p.piece(i))
}

// write writes a piece; a bad one is written first and noticed.
func (p *process) write(i uint32) error {
	p.written.Set(i)
	b, off := p.piece(i), p.lay.Geometry.Offset(i, 0)
	if i%5 == 2 {
		if err := p.guard.WriteV([][]byte{make([]byte, len(b))}, off); err != nil {
			return err
		}
	}
	half := len(b) / 2
	if err := p.guard.WriteV([][]byte{b[:half], b[half:]}, off); err != nil {
		return err
	}
	p.have.Set(i)
	p.j.Verified(i)
	return nil
}

func (p *process) commit() error {
	pieces, err := p.j.Commit(context.Background(), p.guard.Sync)
	if err == nil {
		for _, i := range pieces {
			p.durable.Set(i)
		}
	} else if errors.As(err, new(*resume.SyncError)) {
		for _, i := range pieces {
			p.have.Clear(i)
		}
	}
	return err
}

// distrust gives up a piece that was had, as one that was found spoilt.
func (p *process) distrust(i uint32) error {
	if !p.have.Clear(i) {
		return nil
	}
	p.durable.Clear(i)
	p.written.Set(i) // it is in doubt from here on
	return p.j.Distrust(i)
}

// spoil writes something else to a piece that may be had, and tells nobody: the
// claim has to be withdrawn all the same.
func (p *process) spoil(i uint32) error {
	p.have.Clear(i)
	p.durable.Clear(i)
	p.written.Set(i)
	return p.guard.WriteV([][]byte{make([]byte, len(p.piece(i)))}, p.lay.Geometry.Offset(i, 0))
}

// download writes what is missing, and commits now and then. One piece is given up
// on the way, and one is spoilt. The first error ends it.
func (p *process) download() error {
	n := 0
	for i := range uint32(p.pieces) {
		if p.have.Has(i) {
			continue
		}
		if err := p.write(i); err != nil {
			return fmt.Errorf("piece %d: %w", i, err)
		}
		if n++; n%3 == 0 {
			if err := p.commit(); err != nil {
				return err
			}
		}
		if n == 8 && i > 4 {
			if err := p.distrust(3); err != nil {
				return err
			}
			if err := p.write(3); err != nil {
				return err
			}
			if err := p.spoil(4); err != nil {
				return err
			}
			if err := p.write(4); err != nil {
				return err
			}
		}
	}
	return p.commit()
}

func (p *process) close() error {
	err := p.j.Close(context.Background(), p.guard.Sync)
	return errors.Join(err, p.st.Close())
}

// run is a whole process: open, start, download, close. An error ends it there.
func (w *world) run() error {
	p, err := w.open()
	if err != nil {
		return err
	}
	if err := p.start(); err != nil {
		return err
	}
	if err := p.download(); err != nil {
		return err
	}
	return p.close()
}

// verify opens the journal after a stop, and checks the promises. It gives the
// process that did.
func (w *world) verify(t *testing.T) *process {
	t.Helper()
	p, err := w.open()
	if err != nil {
		t.Fatalf("open after the stop: %v", err)
	}
	if p.lo.Damaged != "" {
		t.Errorf("a stop is taken for damage: %s", p.lo.Damaged)
	}
	if err := p.start(); err != nil {
		t.Fatalf("start after the stop: %v", err)
	}
	for i := range p.verdict.Trusted.Pieces() {
		if !p.verifies(i) {
			t.Errorf("piece %d is reported as had, and does not verify", i)
		}
	}
	return p
}

func union(set, from *bitfield.Bitfield) {
	for i := range from.Pieces() {
		set.Set(i)
	}
}

// list gives the pieces of a set, for messages.
func list(f *bitfield.Bitfield) []uint32 { return slices.Collect(f.Pieces()) }
