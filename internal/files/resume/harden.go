package resume

import (
	"context"
	"errors"
	"io/fs"
	"path"

	"shoal/internal/files/storage"
	"shoal/internal/value/bitfield"
	"shoal/internal/value/fault"
)

// harden makes durable what we are about to claim: the pieces of a set, and that the files look as
// in ids where that differs from what was durable. Data of another process can be in the page cache
// alone, and the sync of a storage covers only its own writes; the same holds for the folders of
// files to come.
func harden(ctx context.Context, fsys storage.FS, l *Layout, pieces *bitfield.Bitfield, ids, durable []Identity) error {
	synced := map[string]bool{}
	holding := l.filesOf(pieces)
	if p := l.part(); p >= 0 {
		holding[p] = ids[p].Exists && !pieces.None()
	}
	for i, holds := range holding {
		e := &l.Files[i]
		if !kept(e) || !holds && ids[i].Exists && ids[i].same(durable[i]) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if ids[i].Exists && (holds || ids[i].Size >= 0) { // what is not a file contains no piece
			err := storage.Fail("sync", e.Path, hardenFile(fsys, e.Path))
			if err != nil && (holds || storage.KindOf(err).Then() != fault.Refuse) {
				return err
			}
		}
		for dir := path.Dir(e.Path); !synced[dir]; dir = path.Dir(dir) {
			synced[dir] = true
			if err := fsys.SyncDir(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return storage.Fail("sync", dir, err)
			}
		}
	}
	return nil
}

func hardenFile(fsys storage.FS, name string) error {
	readOnly := false
	h, err := fsys.Open(name, storage.Write)
	if err != nil { // a read-only file can be seeded all the same
		readOnly = true
		h, err = fsys.Open(name, storage.Read)
	}
	if err != nil {
		return err
	}
	err = h.Sync()
	if readOnly && errors.Is(err, fs.ErrPermission) {
		err = nil // Windows syncs only writable files
	}
	return errors.Join(err, h.Close())
}
