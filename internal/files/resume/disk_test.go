package resume_test

import (
	"context"
	"crypto/sha1"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"shoal/internal/crashfs"
	"shoal/internal/files/disk"
	"shoal/internal/files/resume"
	"shoal/internal/files/storage"
	"shoal/internal/value/bitfield"
)

// A whole download as an engine does it: blocks to the disk, its workers' results
// to the committer, groups to the journal.
type download struct {
	*world
	fromDoubt *bitfield.Bitfield // hashed at the start

	mu      sync.Mutex
	durable *bitfield.Bitfield
}

func (d *download) run(t *testing.T) {
	ctx := t.Context()
	data := d.fs.Folder("data")
	j, lo, err := resume.Open(d.fs.Folder("state"), d.lay, resume.Config{Dir: "data", Boot: d.boot, Now: d.now})
	if d.stopped(t, err) {
		return
	}
	seen, err := resume.Look(data, d.lay.Files)
	if d.stopped(t, err) {
		return
	}
	v := lo.Compare(seen)
	if lo.Damaged != "" || len(v.Missing) > 0 || v.FolderGone {
		t.Errorf("a stop is taken for more: %q, missing %v", lo.Damaged, v.Missing)
	}
	st, err := storage.New(d.lay.Files, storage.Config{FS: data, Pool: storage.NewPool(2)})
	must(t, err)
	defer st.Close()
	guard := resume.NewGuard(st, data, j, resume.Volume{})

	budget := disk.NewBudget(1 << 20)
	workers := disk.New(disk.Config{Workers: 2, Budget: budget})
	defer workers.Close()
	results := make(chan disk.Result, d.lay.Geometry.Pieces)
	tor := workers.Open(guard, d.lay.Geometry, func(p uint32) [sha1.Size]byte { return sha1.Sum(d.piece(p)) },
		func(r disk.Result) { results <- r })
	defer tor.Close()
	d.fromDoubt = v.Doubt
	have, err := tor.CheckPieces(ctx, v.Doubt, nil, nil)
	if d.stopped(t, err) {
		return
	}
	if wrong, err := tor.CheckPieces(ctx, v.Trusted, nil, nil); err == nil && wrong.Count() != v.Trusted.Count() {
		t.Errorf("%v are reported as had, %v verify", list(v.Trusted), list(wrong))
	}
	for i := range v.Trusted.Pieces() {
		have.Set(i)
	}
	if d.stopped(t, guard.Adopt(ctx, seen, have)) {
		return
	}
	d.mu.Lock()
	d.durable = have.Clone()
	d.mu.Unlock()
	committer := resume.NewCommitter(j, resume.CommitterConfig{
		Sync:  tor.Sync,
		Bytes: 3 * int64(d.lay.Geometry.PieceLength),
		Report: func(r resume.Report) {
			d.mu.Lock()
			defer d.mu.Unlock()
			for _, i := range r.Durable {
				d.durable.Set(i)
			}
		},
	})
	missing := 0
	for i := range d.lay.Geometry.Pieces {
		if have.Has(i) {
			continue
		}
		missing++
		for b := range d.lay.Geometry.Blocks(i) {
			ref := d.lay.Geometry.Block(i, b)
			blk := budget.Get(nil)
			blk.Data = blk.Buf[:ref.Length]
			copy(blk.Data, d.piece(i)[ref.Begin:])
			tor.Store(ref, blk, false)
		}
	}
	for range missing {
		if r := <-results; r.OK {
			committer.Verified(r.Piece)
		} else if !d.stopped(t, r.Err) {
			t.Errorf("piece %d: %+v", r.Piece, r)
		}
	}
	d.stopped(t, committer.Close(ctx, true))
	if lo := j.Loaded(); lo.Clean {
		d.durable = lo.Have
	}
}

// stopped reports whether err is the stop; no other is expected.
func (d *download) stopped(t *testing.T, err error) bool {
	if err != nil && !errors.Is(err, crashfs.ErrStopped) && !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	return err != nil
}

// The process, or the system, stops at every call of a download through the disk
// workers. What is reported as had then verifies, what was reported durable is had
// and not hashed again, and the download ends.
func TestDownloadCrashes(t *testing.T) {
	for _, mode := range crashfs.Modes() {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			for n, stopped := 1, true; stopped; n = next(n) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorldOf(8<<10,
						storage.Entry{Path: "t/a", Length: 30_000}, storage.Entry{Path: "t/b", Length: 1},
						storage.Entry{Path: "t/c", Length: 40_000})
					first := &download{world: w, durable: bitfield.New(w.lay.Geometry.Pieces)}
					w.fs.StopAt(n)
					first.run(t)
					stopped = w.fs.Stopped()
					w.crash(mode, uint64(n))
					second := &download{world: w}
					second.run(t)
					for i := range first.durable.Pieces() {
						if second.fromDoubt.Has(i) {
							t.Errorf("piece %d was reported durable, and is hashed again", i)
						}
					}
					if second.durable == nil || !second.durable.All() {
						t.Errorf("the second process does not end the download")
					}
					w.crash(crashfs.Lost, 0)
					third := &download{world: w}
					third.run(t)
					if !third.fromDoubt.None() || !third.durable.All() {
						t.Errorf("after a loss of power %v are hashed again", list(third.fromDoubt))
					}
				})
				if t.Failed() {
					t.Fatalf("stopped at call %d", n)
				}
			}
		})
	}
}
