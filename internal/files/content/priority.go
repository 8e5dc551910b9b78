package content

import (
	"context"
	"fmt"
	"slices"

	"shoal/internal/decide/swarm/picker"
	"shoal/internal/value/mono"
)

// SetPriorities changes the priorities of the files, and refuses what does not fit the torrent; nil
// leaves them as they are. Any goroutine may call it; the loop calls Prioritise afterwards.
func (c *Content) SetPriorities(prio []uint8) error {
	if prio != nil && len(prio) != len(c.info.Files) {
		return fmt.Errorf("%d priorities for %d files", len(prio), len(c.info.Files))
	}
	for i, p := range prio {
		if p > picker.High {
			return fmt.Errorf("priority %d of file %d: it goes from 0 to %d", p, i, picker.High)
		}
	}
	if prio != nil {
		own := slices.Clone(prio)
		c.prio.Store(&own)
	}
	return nil
}

// Priorities returns the priorities of the files; nil means normal.
func (c *Content) Priorities() []uint8 {
	if p := c.prio.Load(); p != nil {
		return *p
	}
	return nil
}

// Priority returns the priority of a file.
func (c *Content) Priority(file int) uint8 {
	if p := c.Priorities(); p != nil {
		return p[file]
	}
	return picker.Normal
}

// skipped returns which files are skipped; nil when none is.
func (c *Content) skipped() []bool {
	if c.Priorities() == nil && c.refused.none() {
		return nil
	}
	out := make([]bool, len(c.info.Files))
	for i := range out {
		out[i] = !c.keeps(i)
	}
	return out
}

// PiecePriorities returns for each piece the highest priority of the files that it is part of; nil when
// all are normal.
func (c *Content) PiecePriorities() []uint8 {
	if c.Priorities() == nil && c.refused.none() {
		return nil
	}
	out := make([]uint8, c.geom.Pieces)
	size := int64(c.geom.PieceLength)
	for i := range c.info.Files {
		f := &c.info.Files[i]
		if f.Length == 0 || f.Pad || !c.keeps(i) {
			continue
		}
		prio := c.Priority(i)
		for p := f.Offset / size; p <= (f.Offset+f.Length-1)/size; p++ {
			out[p] = max(out[p], prio)
		}
	}
	return out
}

// Prioritise applies new priorities to the files: the data of a file that becomes wanted is moved out of
// the part file.
func (c *Content) Prioritise(now mono.Time) {
	o := c.cur
	if o == nil || o.files == nil {
		return
	}
	o.files.Skip(c.skipped())
	if c.users.anyWaits(o, c.verified.clone()) {
		c.machine.Spoilt(now) // it is opened again, which first keeps files of the user
	}
	c.tasks.Go(func() {
		if err := o.moveOut(c.life); err != nil && c.life.Err() == nil {
			c.host.Post(&doubt{o.epoch, fmt.Errorf("bring out a file that is wanted: %w", err)})
		}
	})
}

// moveOut moves the data of files that are wanted out of the part file.
func (o *session) moveOut(ctx context.Context) error {
	if o.guard == nil {
		return nil
	}
	return o.keeping(func() error { return o.guard.MoveOut(ctx) })
}
