package content

import (
	"context"
	"fmt"
	"slices"

	"shoal/internal/decide/swarm/picker"
	"shoal/internal/value/mono"
)

// SetPriorities changes the priorities of the files, and refuses what does not fit the torrent;
// nil leaves them as they are. Any goroutine may call it; the loop calls Prioritise then.
func (t *Content) SetPriorities(prio []uint8) error {
	if prio != nil && len(prio) != len(t.info.Files) {
		return fmt.Errorf("%d priorities for %d files", len(prio), len(t.info.Files))
	}
	for i, p := range prio {
		if p > picker.High {
			return fmt.Errorf("priority %d of file %d: it goes from 0 to %d", p, i, picker.High)
		}
	}
	if prio != nil {
		own := slices.Clone(prio)
		t.prio.Store(&own)
	}
	return nil
}

// Priorities returns those of the files; nil for normal.
func (t *Content) Priorities() []uint8 {
	if p := t.prio.Load(); p != nil {
		return *p
	}
	return nil
}

// Priority returns the priority of a file.
func (t *Content) Priority(file int) uint8 {
	if p := t.Priorities(); p != nil {
		return p[file]
	}
	return picker.Normal
}

// skipped returns which files are not wanted; nil when all are.
func (t *Content) skipped() []bool {
	if t.Priorities() == nil && t.refused.none() {
		return nil
	}
	out := make([]bool, len(t.info.Files))
	for i := range out {
		out[i] = !t.keeps(i)
	}
	return out
}

// PiecePriorities returns for each piece the highest priority of the files it is part of; nil
// when all are normal.
func (t *Content) PiecePriorities() []uint8 {
	if t.Priorities() == nil && t.refused.none() {
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

// Prioritise does what new priorities mean for the files: one that is wanted after all comes out
// of the part file.
func (t *Content) Prioritise(now mono.Time) {
	o := t.cur
	if o == nil || o.files == nil {
		return
	}
	o.files.Skip(t.skipped())
	if t.users.anyWaits(o, t.had.clone()) {
		t.upkeep.Spoilt(now) // it is opened again, and files of the user are kept first
	}
	t.tasks.Go(func() {
		if err := o.moveOut(t.life); err != nil && t.life.Err() == nil {
			t.host.Post(&doubt{o.epoch, fmt.Errorf("bring out a file that is wanted: %w", err)})
		}
	})
}

// moveOut has files that are wanted come out of the part file.
func (o *opening) moveOut(ctx context.Context) error {
	if o.guard == nil {
		return nil
	}
	return o.keeping(func() error { return o.guard.MoveOut(ctx) })
}
