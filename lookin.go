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

// InFolder is what lies of a torrent in a folder: see LookIn.
type InFolder struct {
	// Dir is the absolute path of the folder that has the files: the one that was named, or
	// the one for its unfinished files.
	Dir string
	// There reports whether at least one file of the torrent is there.
	There bool
	// Known reports whether the folder of state has a journal of the torrent in this folder.
	Known bool
	// Verified counts the bytes of pieces that the journal claims. Whether the files are
	// still as they were is not looked at.
	Verified int64
}

// LookIn looks for the files of a torrent in opt.Dir by all names that an engine finds them
// by, and reads no byte of them. A folder that does not exist has none. Of opt it uses
// Metainfo, Dir, FileName and StateDir (decision 0166).
func LookIn(opt VerifyOptions) (InFolder, error) {
	meta, err := parse(opt.Metainfo)
	if err != nil {
		return InFolder{}, err
	}
	in, err := content.LookIn(opt.StateDir, meta, opt.FileName, opt.Dir)
	if err != nil {
		err = publicError(fmt.Errorf("look for %s in %s: %w", metainfo.Printable(meta.Info.Name), opt.Dir, err))
	}
	return InFolder(in), err
}

// HasPiece reports whether at least one piece of a torrent lies in opt.Dir. It hashes what
// lies there until one matches, and changes no file.
func HasPiece(ctx context.Context, opt VerifyOptions) (bool, error) {
	meta, err := parse(opt.Metainfo)
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

// Relocate changes where a remembered torrent's files are, in a folder of state that no
// engine has: the next engine looks for them in dir, and everything else about the torrent
// stays. It neither reads nor changes a file of the torrent; Torrent.Move moves them. whole
// says that none of its unfinished files is in another folder. The error is ErrInUse while
// an engine has the list, or ErrUnknown.
func Relocate(ctx context.Context, stateDir, infoHash, dir string, whole bool) error {
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
