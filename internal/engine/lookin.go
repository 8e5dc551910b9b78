package engine

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"

	"shoal/internal/catalogue"
	"shoal/internal/infohash"
	"shoal/internal/journals"
	"shoal/internal/resume"
	"shoal/internal/storage"
	"shoal/metainfo"
)

// InFolder is what lies of a torrent in a download folder.
type InFolder struct {
	Dir      string // absolute path of the folder, or of the one that has its unfinished files
	There    bool   // at least one file is there
	Known    bool   // there is a journal
	Verified int64  // bytes of pieces that the journal claims
}

// standIn returns a torrent that no engine runs, for how its files are found.
func standIn(stateDir string, meta *metainfo.Torrent, fileName string) *Torrent {
	log := slog.New(slog.DiscardHandler)
	e := &Engine{log: log, files: storage.NewPool(0), journals: journals.New(journals.Config{StateDir: stateDir, Log: log})}
	t := &Torrent{e: e, spec: keptOf(&Spec{Meta: meta, FileName: fileName, SeedOnly: true}), info: meta.Info, infoHash: meta.InfoHash, geom: meta.Info.Geometry()}
	t.users.lookOnly = true
	return t
}

// LookIn looks for the files of a torrent in a folder, and reads no byte of them: by their
// names, those that the user gave them, and those that other clients give. A folder that is
// not there has none.
func LookIn(stateDir string, meta *metainfo.Torrent, fileName, dir string) (InFolder, error) {
	at, err := newPlace(dir)
	if err != nil {
		return InFolder{}, err
	}
	t := standIn(stateDir, meta, fileName)
	out := InFolder{Dir: at.abs}
	files := t.layout().Files
	var lo *resume.Loaded
	if stateDir != "" {
		lo = journals.Peek(stateDir, at.abs, meta.InfoHash, meta.Info)
	}
	if lo == nil || !lo.Found {
		out.There = t.anyIn(at, files)
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
	out.Dir, out.Known, out.There = at.abs, true, t.anyIn(at, files)
	out.Verified = hadOf(t.geom, lo.Have, nil).Verified
	return out, nil
}

// HasPiece reports whether at least one piece of a torrent lies in a folder. It hashes until
// it has found one.
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

// Relocate changes where the files of a remembered torrent are, in a folder of state that no
// engine has open: the next engine looks for them in dir. With whole, all that is there of
// it is in dir: nothing of it is where its unfinished files were. The error is ErrUnknown
// when it is not remembered.
func Relocate(ctx context.Context, stateDir string, h infohash.Hash, dir string, whole bool) error {
	at, err := newPlace(dir)
	if err != nil {
		return err
	}
	c, _, done, err := OpenCatalogue(stateDir)
	if err != nil {
		return err
	}
	err = c.Update(h, func(ch *catalogue.Choices, _ *catalogue.State) {
		ch.Dir = at.abs
		if whole {
			ch.IncompleteDir = ""
		}
	})
	if errors.Is(err, catalogue.ErrUnknown) {
		err = ErrUnknown
	}
	return errors.Join(err, done(ctx))
}
