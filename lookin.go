package shoal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"shoal/internal/engine"
	"shoal/internal/files/content"
	"shoal/metainfo"
)

// InFolder is what a folder has of a torrent: see LookIn.
type InFolder struct {
	Dir   string // absolute path of the folder that has the files: VerifyOptions.Dir, or that of incomplete files
	There bool   // at least one file of the torrent is there
	Known bool   // StateDir has a journal of the torrent for this folder
	// Verified is the number of bytes of pieces that the journal claims. LookIn does not check
	// whether the files have changed since.
	Verified int64
}

// LookIn looks for the files of a torrent in opt.Dir, by all names that an engine tries, and
// reads none of them. A folder that does not exist has no files. LookIn uses Metainfo, Dir,
// FileName and StateDir of opt (decision 0166).
func LookIn(opt VerifyOptions) (InFolder, error) {
	meta, err := parsed(opt.Parsed, opt.Metainfo)
	if err != nil {
		return InFolder{}, err
	}
	in, err := content.LookIn(opt.StateDir, meta, opt.FileName, opt.Dir)
	if err != nil {
		err = publicError(fmt.Errorf("look for %s in %s: %w", metainfo.Printable(meta.Info.Name), opt.Dir, err))
	}
	return InFolder(in), err
}

// HasPiece reports whether opt.Dir has at least one piece of a torrent. It hashes what is there
// until a piece matches, and changes no file.
func HasPiece(ctx context.Context, opt VerifyOptions) (bool, error) {
	meta, err := parsed(opt.Parsed, opt.Metainfo)
	if err != nil {
		return false, err
	}
	has, err := content.HasPiece(ctx, content.VerifySpec{
		Meta: meta, Dir: opt.Dir, FileName: opt.FileName, StateDir: opt.StateDir, Again: opt.Again, Progress: opt.Progress,
	})
	if err != nil {
		err = publicError(fmt.Errorf("look for pieces of %s in %s: %w", metainfo.Printable(meta.Info.Name), opt.Dir, err))
	}
	return has, err
}

// RelocateRemembered changes in which folder a remembered torrent has its files, without an
// engine: the next engine looks for them in dir. It does not read, move or change a file of the
// torrent; Torrent.Move moves files. whole says that no incomplete file is in another folder.
// The error is ErrInUse while an engine has the StateDir, or ErrUnknown.
func RelocateRemembered(ctx context.Context, stateDir, infoHash, dir string, whole bool) error {
	h, err := parseHash(infoHash)
	if err != nil {
		return err
	}
	if _, err := os.Stat(engine.CatalogueDir(stateDir)); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s", ErrUnknown, infoHash)
	}
	if err := engine.Relocate(ctx, stateDir, h, dir, whole); err != nil {
		return publicError(fmt.Errorf("note that %s is in %s: %w", infoHash, dir, err))
	}
	return nil
}
