package resume

import (
	"context"
	"errors"
	"path"
)

// Allocate reserves room for these files. It changes the files, but no byte of a piece that we
// have. A stop in between costs at most their check.
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

// change runs do, which changes file i, and notes how the file looks then. After a stop in between
// no note describes the file.
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

// vouch makes notes about changed files durable once many bytes have changed: else a loss of power
// would make the next start hash bytes that were never written.
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

// MoveOut moves wanted files out of the part file, and removes the part file when nothing needs it.
// A stop in between costs at most the check of one file and of the pieces that span several.
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
	// This order matters: a part file that exists without a note is merely in doubt; one that is
	// noted and missing would count as lost data.
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
	// If that fails the file can come back, and cost the check of the pieces that it had a part of.
	_ = g.fs.SyncDir(path.Dir(g.j.lay.Files[part].Path))
	return nil
}
