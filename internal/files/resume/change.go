package resume

import (
	"context"
	"errors"
	"path"
)

// Allocate reserves room for these files. It changes them, and no byte of a piece that
// is had. A stop in between costs their check at most.
func (g *Guard) Allocate(ctx context.Context, files ...int) error {
	st, ok := g.Storage.(interface {
		Allocate(ctx context.Context, i int) error
	})
	if !ok {
		return nil
	}
	for _, i := range files {
		if !kept(&g.j.lay.Files[i]) {
			continue
		}
		if err := g.change(i, func() error { return st.Allocate(ctx, i) }); err != nil {
			return err
		}
	}
	return g.vouch(ctx)
}

// change has a file changed, and notes how it looks then. A stop in between leaves a
// file that nobody vouches for.
func (g *Guard) change(i int, do func() error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, adopted := g.j.left(i); !adopted {
		return ErrNotAdopted
	}
	before, err := g.before(i, i+1, false)
	if err != nil {
		return err
	}
	g.begin(i, i+1)
	defer g.end()
	g.unvouched += g.j.lay.Files[i].Length
	err = do()
	return errors.Join(err, g.after(before))
}

// vouch makes durable how the files look that were changed, when so much was that a loss
// of power would have many bytes hashed that were never written.
func (g *Guard) vouch(ctx context.Context) error {
	g.mu.Lock()
	much := g.unvouched >= DefaultBytes
	if much {
		g.unvouched = 0
	}
	g.mu.Unlock()
	if !much {
		return nil
	}
	return g.j.vouch(ctx, g.Sync)
}

// parts is a storage with a part file.
type parts interface {
	InPart() []int
	MoveOut(ctx context.Context, entry int) error
	PartIsDone() bool
	RemovePart() error
}

// MoveOut has the files that are wanted come out of the part file, and removes it when
// nothing needs it any more. A stop in between costs the check of a file at most, and
// that of the pieces that lie in several.
func (g *Guard) MoveOut(ctx context.Context) error {
	st, ok := g.Storage.(parts)
	if !ok || g.j.lay.part() < 0 {
		return nil
	}
	for _, i := range st.InPart() {
		if err := g.change(i, func() error { return st.MoveOut(ctx, i) }); err != nil {
			return err
		}
	}
	if err := g.vouch(ctx); err != nil {
		return err
	}
	return g.removePart(ctx, st)
}

func (g *Guard) removePart(ctx context.Context, st parts) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	part := g.j.lay.part()
	if _, adopted := g.j.left(part); !adopted || !st.PartIsDone() {
		return nil
	}
	// In this order: a part file that is there and not noted is in doubt, no more; one
	// that is noted and not there would be missed.
	if err := g.Sync(ctx); err != nil {
		return err
	}
	g.begin(part, part+1)
	defer g.end()
	if err := g.j.end([]noted{{file: part}}); err != nil {
		return err
	}
	if err := st.RemovePart(); err != nil {
		return err
	}
	// If that fails the file may come back, and cost the check of pieces it had a part of.
	_ = g.fs.SyncDir(path.Dir(g.j.lay.Files[part].Path))
	return nil
}
