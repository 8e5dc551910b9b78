package resume

import (
	"context"

	"shoal/internal/files/storage"
)

// judge checks that a file is as we left it, by the attributes of the open file after a read and
// before the caller gets the bytes. It never blocks, and looks once, or again when a change of our
// own began or ended just then.
//
// While we write to a file, its attributes can't tell our change from another program's. Then it
// only has to be the same file, and not shorter. It was as we left it when the write began, and the
// next read or write finds whatever changes after the end.
func (g *Guard) judge(i int, h storage.Handle) error {
	how, err := g.asLeft(i, func() (Identity, error) { return identityOf(h) })
	if err == nil && how != "" {
		err = changed(how)
	}
	return err
}

// asLeft describes how a file differs from what we left; empty when it does not, or when our own
// change in progress can explain it.
func (g *Guard) asLeft(i int, look func() (Identity, error)) (how string, err error) {
	if i >= len(g.j.lay.Files) {
		return "", nil // a part file that the journal does not note
	}
	for {
		_, before, _ := g.changing(i)
		is, err := look()
		if err != nil {
			return "", err
		}
		was, adopted := g.j.left(i)
		busy, changes, seen := g.changing(i)
		switch {
		case !adopted && seen == nil:
			return "", nil
		case !adopted:
			was = seen[i]
		}
		loosely := !was.Exists || is.sameFile(was, g.vol) && is.Size >= was.Size
		if is.same(was) || busy && loosely || g.vol.LateTimes && loosely && was.Exists {
			return "", nil
		}
		if before == changes { // no change of ours began or ended meanwhile
			return is.differs(was), nil
		}
	}
}

// changing reports whether we are changing a file, and how many changes have begun and ended so
// far.
func (g *Guard) changing(i int) (busy bool, changes uint64, seen []Identity) {
	g.busyMu.Lock()
	defer g.busyMu.Unlock()
	busy = g.busy && (g.first <= i && i < g.last || i == g.j.lay.part())
	return busy, g.changes, g.seen
}

// Expect makes reads compare with how the files were seen, until that is adopted. Call it when the
// check has stopped reading; an empty Seen cancels it.
func (g *Guard) Expect(seen Seen) {
	g.busyMu.Lock()
	defer g.busyMu.Unlock()
	g.seen = seen.Files
}

// Look compares all files, by their names, with how we left them. It returns the files that
// somebody else has changed, replaced or created, and those that are gone: a read of an open file
// does not notice these. It does not open any file, and is safe to call at any time.
func (g *Guard) Look(ctx context.Context) (changed, missing []int, err error) {
	for i := range g.j.lay.Files {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		how, gone, err := g.LookAt(i)
		switch {
		case err != nil:
			return nil, nil, err
		case how != "" && gone:
			missing = append(missing, i)
		case how != "":
			changed = append(changed, i)
		}
	}
	return changed, missing, nil
}

// LookAt is Look for one file: how it differs from what we left, empty for not at all, and whether
// it is gone. It costs one system call.
func (g *Guard) LookAt(i int) (how string, gone bool, err error) {
	if i >= len(g.j.lay.Files) || !kept(&g.j.lay.Files[i]) {
		return "", false, nil
	}
	how, err = g.asLeft(i, func() (Identity, error) {
		id, err := look(g.fs, g.j.lay.Files[i].Path)
		gone = !id.Exists
		return id, err
	})
	return how, gone, err
}

// PathOf returns the name of file i in the folder.
func (g *Guard) PathOf(i int) string { return g.j.lay.Files[i].Path }
