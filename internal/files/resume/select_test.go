package resume_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"shoal/internal/crashfs"
	"shoal/internal/files/storage"
	"shoal/internal/value/bitfield"
)

// selecting is a torrent whose files are not all wanted at first.
type selecting struct {
	*world
	late  bool         // all are wanted from the beginning of this process on
	moved map[int]bool // files that were made or changed by other means than writes
}

// newSelecting is a torrent of whose files two are skipped at first: one that begins
// and ends within pieces of others, and one that lies in one piece with others.
func newSelecting() *selecting {
	w := newWorldOf(pieceLength,
		storage.Entry{Path: "t/a", Length: 2500},
		storage.Entry{Path: "t/x/b", Length: 100},
		storage.Entry{Path: "t/pad", Length: 20, Pad: true},
		storage.Entry{Path: "t/x/c", Length: 4000},
		storage.Entry{Path: "t/d", Length: 1500},
	)
	st, err := storage.New(w.lay.Files, storage.Config{FS: w.fs.Folder("data"), Pool: storage.NewPool(1)})
	if err != nil {
		panic(err)
	}
	st.UsePart(partName, pieceLength)
	e, ok := st.PartEntry()
	if !ok {
		panic("no part file")
	}
	w.lay.Files, w.lay.Part = append(w.lay.Files, e), true
	w.openFiles = 8
	return &selecting{world: w}
}

// wanted reports whether a file of a piece is not skipped.
func (s *selecting) wanted(p uint32) bool {
	off, end := s.lay.Geometry.Offset(p, 0), s.lay.Geometry.Offset(p, 0)+int64(s.lay.Geometry.PieceSize(p))
	for i, e := range s.entries() {
		if e.Offset < end && e.Offset+e.Length > off && (s.skip == nil || !s.skip[i]) && !e.Pad {
			return true
		}
	}
	return false
}

// run is a whole process as an engine's: it looks, checks, adopts, brings out of the
// part file what is wanted, reserves room, gets what is wanted; then all is wanted.
func (s *selecting) run() error {
	p, err := s.begin()
	if err != nil {
		return err
	}
	return s.finish(p)
}

func (s *selecting) begin() (*process, error) {
	s.moved = map[int]bool{}
	s.skip = []bool{1: true, 3: true, 4: false}
	if s.late {
		s.skip = nil
	}
	p, err := s.open()
	if err == nil {
		err = p.start()
	}
	if err == nil {
		err = p.st.Prepare(context.Background())
	}
	return p, err
}

func (s *selecting) finish(p *process) error {
	if err := s.want(p, s.skip, 0, 4); err != nil {
		return err
	}
	if err := s.get(p); err != nil {
		return err
	}
	if err := s.want(p, nil, 3); err != nil {
		return err
	}
	if err := s.get(p); err != nil {
		return err
	}
	if err := s.want(p, nil); err != nil {
		return err
	}
	return p.close()
}

// want says what is not wanted, and has some files be as long as they will be.
func (s *selecting) want(p *process, skip []bool, allocate ...int) error {
	s.skip = skip
	p.st.Skip(skip)
	for _, i := range p.st.InPart() {
		s.moved[i] = true
	}
	if err := p.guard.MoveOut(context.Background()); err != nil {
		return err
	}
	for _, i := range allocate {
		s.moved[i] = true
		if err := p.guard.Allocate(context.Background(), i); err != nil {
			return err
		}
	}
	return nil
}

// get writes the pieces that are wanted and missing, and commits now and then.
func (s *selecting) get(p *process) error {
	n := 0
	for i := range s.lay.Geometry.Pieces {
		if p.have.Has(i) || !s.wanted(i) {
			continue
		}
		// A write brings a file out of the part file that it makes.
		for _, k := range p.st.InPart() {
			s.moved[k] = true
		}
		if err := p.write(i); err != nil {
			return fmt.Errorf("piece %d: %w", i, err)
		}
		if n++; n%2 == 0 {
			if err := p.commit(); err != nil {
				return err
			}
		}
	}
	return p.commit()
}

// mayBeInDoubt gives the pieces that a stop may put in doubt: those that were written,
// those of files that were changed by other means, and those of several files when the
// part file is not what it was.
func (s *selecting) mayBeInDoubt(p *process, written *bitfield.Bitfield) *bitfield.Bitfield {
	may := written.Clone()
	for i, e := range s.lay.Files {
		size := int64(pieceLength)
		if i == len(s.lay.Files)-1 { // the part file
			for _, e := range s.entries() {
				if e.Offset%size != 0 {
					may.Set(uint32(e.Offset / size))
				}
			}
		} else if s.moved[i] && slices.Contains(p.verdict.Changed, i) {
			for at := e.Offset / size; at*size < e.Offset+e.Length; at++ {
				may.Set(uint32(at))
			}
		}
	}
	return may
}

// Files are selected late, brought out of the part file, and have room reserved; and the
// process, or the system, stops at every call in turn. Nothing is taken for missing or
// damaged, what is reported as had verifies, what was reported durable is had, and what
// is hashed again was written or belongs to a file that was changed just then.
func TestSelectionCrashes(t *testing.T) {
	for _, mode := range crashfs.Modes() {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			n := 1
			for stopped := true; stopped; n = next(n) {
				for _, late := range []bool{false, true} {
					s := newSelecting()
					s.slow(100 * time.Millisecond)
					s.fs.StopAt(n)
					err := s.run()
					stopped = s.fs.Stopped()
					if !stopped && err != nil {
						t.Fatalf("without a stop: %v", err)
					}
					when := fmt.Sprintf("stopped at call %d, then all wanted %v", n, late)
					durable, written := s.durable.Clone(), s.written.Clone()
					wasMoved := s.moved
					s.crash(mode, uint64(n))
					s.late = late
					p, err := s.begin()
					must(t, err)
					s.moved = wasMoved
					if p.lo.Damaged != "" || len(p.verdict.Missing) > 0 || p.verdict.FolderGone {
						t.Errorf("a stop is taken for more: %q, missing %v", p.lo.Damaged, p.verdict.Missing)
					}
					for i := range p.verdict.Trusted.Pieces() {
						if !p.verifies(i) {
							t.Errorf("piece %d is reported as had, and does not verify", i)
						}
					}
					may := s.mayBeInDoubt(p, written)
					for i := range p.verdict.Doubt.Pieces() {
						if !may.Has(i) {
							t.Errorf("piece %d is hashed again", i)
						}
					}
					for i := range durable.Pieces() {
						if !p.have.Has(i) {
							t.Errorf("piece %d was reported durable, and is not had", i)
						}
					}
					if t.Failed() {
						t.Fatalf("%s: durable %v, trusted %v, doubt %v, may be in doubt %v, had %v; changed files %v of %v", when, list(durable),
							list(p.verdict.Trusted), list(p.verdict.Doubt), list(may), list(p.have), p.verdict.Changed, wasMoved)
					}
					if err := s.finish(p); err != nil {
						t.Fatalf("%s: going on: %v", when, err)
					}
					s.crash(crashfs.Lost, 0)
					s.late = true
					p, err = s.begin()
					must(t, err)
					if !p.verdict.Trusted.All() || len(p.verdict.Changed) > 0 {
						t.Fatalf("%s: went on to the end, and trusts only %v; changed files %v", when, list(p.verdict.Trusted), p.verdict.Changed)
					}
					if _, err := p.dataDir.Lstat(partName); err == nil {
						t.Fatalf("%s: in the end the part file is still there", when)
					}
				}
			}
			t.Logf("stopped at every call up to %d", n)
		})
	}
}

// Every call fails in turn, once or from then on, while files are selected, brought out of
// the part file and allocated. Then the next process makes it good, and what that leaves
// outlives a loss of power: also what a failed sync has dropped.
func TestSelectionFails(t *testing.T) {
	for _, once := range []bool{true, false} {
		t.Run(fmt.Sprintf("once %v", once), func(t *testing.T) {
			t.Parallel()
			failed := true
			for n := 1; failed; n = next(n) {
				errno := faults[n%len(faults)]
				failed = false
				s := newSelecting()
				s.fs.FailWhen(func(c crashfs.Call) error {
					if c.N == n || c.N > n && !once {
						failed = true
						return errno
					}
					return nil
				})
				// Where nobody looks at the error it was of no weight.
				if err := s.run(); err != nil && !errors.Is(err, errno) {
					t.Fatalf("call %d fails with %v: %v", n, errno, err)
				}
				s.fs.FailWhen(nil)
				if err := s.run(); err != nil {
					t.Fatalf("call %d failed with %v; going on: %v", n, errno, err)
				}
				s.crash(crashfs.Lost, 0)
				s.late = true
				p, err := s.begin()
				must(t, err)
				if p.lo.Damaged != "" || !p.have.All() {
					t.Fatalf("call %d failed with %v: in the end had are %v, damage %q", n, errno, list(p.have), p.lo.Damaged)
				}
			}
		})
	}
}
