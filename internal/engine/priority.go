package engine

import (
	"context"
	"fmt"

	"shoal/internal/picker"
)

// checkPriorities refuses what does not fit the torrent.
func (t *Torrent) checkPriorities(prio []uint8) error {
	if prio != nil && len(prio) != len(t.info.Files) {
		return fmt.Errorf("%d priorities for %d files", len(prio), len(t.info.Files))
	}
	for i, p := range prio {
		if p > picker.High {
			return fmt.Errorf("priority %d of file %d: it goes from 0 to %d", p, i, picker.High)
		}
	}
	return nil
}

// priorities gives those of the files; nil for normal.
func (t *Torrent) priorities() []uint8 {
	if p := t.prio.Load(); p != nil {
		return *p
	}
	return nil
}

// Priority gives the priority of a file.
func (t *Torrent) Priority(file int) uint8 {
	if p := t.priorities(); p != nil {
		return p[file]
	}
	return picker.Normal
}

// skipped gives which files are not wanted; nil when all are.
func (t *Torrent) skipped() []bool {
	if t.priorities() == nil && t.refused.none() {
		return nil
	}
	out := make([]bool, len(t.info.Files))
	for i := range out {
		out[i] = !t.keeps(i)
	}
	return out
}

// piecePriorities gives each piece the highest priority of the files it is part of; nil
// when all are normal.
func (t *Torrent) piecePriorities() []uint8 {
	if t.priorities() == nil && t.refused.none() {
		return nil
	}
	out := make([]uint8, t.geom.Pieces)
	size := int64(t.geom.PieceLength)
	for i := range t.info.Files {
		f := &t.info.Files[i]
		if f.Length == 0 || f.Pad || !t.keeps(i) {
			continue
		}
		prio := t.Priority(i)
		for p := f.Offset / size; p <= (f.Offset+f.Length-1)/size; p++ {
			out[p] = max(out[p], prio)
		}
	}
	return out
}

// prioritise tells everybody of new priorities.
func (t *Torrent) prioritise() {
	if o := t.cur; o != nil && o.files != nil {
		o.files.Skip(t.skipped())
		if t.users.anyWaits(o, t.had.clone()) {
			t.upkeep.Spoilt(t.e.now()) // it is opened again, and files of the user are kept first
		}
		t.tasks.Go(func() {
			if err := o.moveOut(&t.ctx); err != nil && t.ctx.Err() == nil {
				t.post(event{kind: evSpoilt, n: o.gen, with: fmt.Errorf("bring out a file that is wanted: %w", err)})
			}
		})
	}
	if t.swarm != nil {
		t.swarm.SetPriorities(t.e.now(), t.piecePriorities())
		if !t.swarm.Complete() {
			t.synced = false
			t.complete.Shut()
		}
		t.pub.pending = true
	}
}

// moveOut has files that are wanted come out of the part file.
func (o *opening) moveOut(ctx context.Context) error {
	if o.guard == nil {
		return nil
	}
	return o.keeping(func() error { return o.guard.MoveOut(ctx) })
}
