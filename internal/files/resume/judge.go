package resume

import (
	"context"

	"shoal/internal/files/storage"
)

// judge tells whether a file that was read from is as we left it, by how the open file
// looks now that its bytes are there and before they are given out. It never waits, nor
// takes more than the one look, but when a change of our own began or ended just then.
//
// While we write to a file it can't be told from another's edit how it looks; then it
// has to be the same file, and not shorter. It was as we left it when the write began,
// and the next read, or write, finds what has come after the end.
func (g *Guard) judge(i int, h storage.Handle) error {
	how, err := g.asLeft(i, func() (Identity, error) { return identityOf(h) })
	if err == nil && how != "" {
		err = changed(how)
	}
	return err
}

// asLeft says in what a file does not look as we left it; empty when it does, or can for
// what we are doing to it.
func (g *Guard) asLeft(i int, look func() (Identity, error)) (how string, err error) {
	if i >= len(g.j.lay.Files) {
		return "", nil // a part file that nobody keeps books of
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
		if before == changes { // no change of ours has begun or ended meanwhile
			return is.differs(was), nil
		}
	}
}

// changing reports whether we are changing a file, and how many changes have begun and
// ended so far.
func (g *Guard) changing(i int) (busy bool, changes uint64, seen []Identity) {
	g.busyMu.Lock()
	defer g.busyMu.Unlock()
	busy = g.busy && (g.first <= i && i < g.last || i == g.j.lay.part())
	return busy, g.changes, g.seen
}

// Expect has reads judged by how the files were seen, before that is adopted. It is
// called when nobody reads any more to find out what is there; with nothing seen it is
// taken back.
func (g *Guard) Expect(seen Seen) {
	g.busyMu.Lock()
	defer g.busyMu.Unlock()
	g.seen = seen.Files
}

// Look compares all files, by their names, with how we left them, and gives those that
// somebody else has changed, replaced or made, and those that are gone: what a read of a
// file that is open does not see. It opens nothing, and may be called at any time.
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

// LookAt is Look at one file: in what it is not as we left it, empty when it is, and whether
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

// PathOf returns the name of file i as it lies in the folder.
func (g *Guard) PathOf(i int) string { return g.j.lay.Files[i].Path }
