package content

import (
	"context"
	"sync/atomic"

	"shoal/internal/files/journals"
	"shoal/internal/files/resume"
	"shoal/metainfo"
)

// This file looks for the files of a torrent that does not run, and changes nothing.

// InFolder says what a download folder holds of a torrent.
type InFolder struct {
	Dir      string // absolute path of the folder, or of the one with the incomplete files
	There    bool   // at least one file is there
	Known    bool   // there is a journal
	Verified int64  // bytes of pieces that the journal claims
}

// LookIn looks for the files of a torrent in a folder without reading any of them: by their own names,
// by those that the user gave them, and by those that other clients use. A missing folder holds none.
func LookIn(stateDir string, meta *metainfo.Torrent, fileName, dir string) (InFolder, error) {
	at, err := newPlace(dir)
	if err != nil {
		return InFolder{}, err
	}
	c := standIn(stateDir, meta, fileName)
	out := InFolder{Dir: at.abs}
	files := c.layout().Files
	var lo *resume.Loaded
	if stateDir != "" {
		lo = journals.Peek(stateDir, at.abs, meta.InfoHash, meta.Info)
	}
	if lo == nil || !lo.Found {
		out.There = c.anyIn(at, files)
		return out, nil
	}
	for i, name := range lo.Names {
		files[i].Path = name
	}
	if lo.Dir != "" {
		if at, err = newPlace(lo.Dir); err != nil {
			return InFolder{}, err
		}
	}
	out.Dir, out.Known, out.There = at.abs, true, c.anyIn(at, files)
	out.Verified = hadOf(c.geom, lo.Have, nil).Verified
	return out, nil
}

// HasPiece reports whether a folder holds at least one piece of a torrent. It hashes until it has found
// one.
func HasPiece(ctx context.Context, spec VerifySpec) (bool, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var found atomic.Bool
	spec.found = func() {
		found.Store(true)
		cancel()
	}
	v, err := Verify(ctx, spec)
	if found.Load() || v != nil && !v.Good.None() {
		return true, nil
	}
	return false, err
}
