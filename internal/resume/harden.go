package resume

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"shoal/internal/bitfield"
	"shoal/internal/storage"
)

// rewriteAtOnce is how much is written again with one call.
const rewriteAtOnce = 1 << 20

// harden makes durable what is about to be said: the pieces of a set, and that the
// files look as in ids where that differs from what was durable. What another
// process wrote or made may be in the page cache alone, and the sync of a storage
// covers only what was done through it; so are the folders for files to come. With
// again the pieces are written once more before: after a sync that failed, the
// system may take pages for clean that never reached the device, and would not
// write them. What their files look like then goes to ids.
func harden(ctx context.Context, fsys storage.FS, l *Layout, pieces *bitfield.Bitfield, again bool, ids, durable []Identity) error {
	synced := map[string]bool{}
	for i, holds := range l.filesOf(pieces) {
		e := &l.Files[i]
		if !kept(e) || !holds && ids[i].Exists && ids[i].same(durable[i]) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if ids[i].Exists {
			if err := hardenFile(fsys, l, i, pieces, holds && again); err != nil {
				return fmt.Errorf("make %s durable: %w", e.Path, err)
			}
		}
		if holds && again {
			id, err := look(fsys, e.Path)
			if err != nil {
				return err
			}
			ids[i] = id
		}
		for dir := path.Dir(e.Path); !synced[dir]; dir = path.Dir(dir) {
			synced[dir] = true
			if err := fsys.SyncDir(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("make the names in %s durable: %w", dir, err)
			}
		}
	}
	return nil
}

func hardenFile(fsys storage.FS, l *Layout, i int, pieces *bitfield.Bitfield, again bool) (err error) {
	readOnly := false
	h, err := fsys.Open(l.Files[i].Path, storage.Write)
	if err != nil && !again { // what is there to be read alone can be a seed all the same
		readOnly = true
		h, err = fsys.Open(l.Files[i].Path, storage.Read)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	if again {
		if err := rewrite(h, l, &l.Files[i], pieces); err != nil {
			return err
		}
	}
	err = h.Sync()
	if readOnly && errors.Is(err, fs.ErrPermission) {
		return nil // Windows syncs only what may be written
	}
	return err
}

// rewrite reads what pieces have in a file and writes it to the same place.
func rewrite(h storage.Handle, l *Layout, e *storage.Entry, pieces *bitfield.Bitfield) error {
	buf := make([]byte, rewriteAtOnce)
	first, last := l.pieces(e.Offset, e.Length)
	for p := first; p < last; p++ {
		if !pieces.Has(p) {
			continue
		}
		from := max(l.Geometry.Offset(p, 0), e.Offset) - e.Offset
		to := min(l.Geometry.Offset(p, 0)+int64(l.Geometry.PieceSize(p)), e.Offset+e.Length) - e.Offset
		for from < to {
			part := [][]byte{buf[:min(to-from, int64(len(buf)))]}
			if _, err := h.ReadV(part, from); err != nil {
				return err
			}
			if _, err := h.WriteV(part, from); err != nil {
				return err
			}
			from += int64(len(part[0]))
		}
	}
	return nil
}
