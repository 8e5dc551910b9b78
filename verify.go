package shoal

import (
	"context"
	"fmt"

	"shoal/internal/files/content"
	"shoal/internal/value/printable"
	"shoal/metainfo"
)

// FileState is what a check found of one file.
type FileState struct {
	Path     string // slash-separated, below VerifyResult.Dir; printable
	Size     int64  // bytes, as the torrent has it
	Verified int64  // bytes in pieces that match
	Missing  bool   // there is no such file
	Extra    int64  // bytes beyond Size, which we keep and do not read
}

// VerifyResult is what a check found.
type VerifyResult struct {
	Name     string // printable
	InfoHash string // 40 hex digits
	Dir      string // folder that the files are in
	Size     int64  // bytes of all files
	Verified int64  // bytes in pieces that match
	Pieces   int    // number of all pieces
	Good     int    // pieces that match
	Looked   int    // pieces whose state is known: all, unless the check was interrupted
	Hashed   int    // pieces hashed by this check; the others were known
	Map      []byte // 'v' verified or 'm' missing for each piece
	Files    []FileState
	Complete bool // every piece matches and every file exists

	// Notes are remarks about the files, with what to do: something that is not a plain file, a
	// symbolic link that we can't follow, a file found by another name. Printable.
	Notes []string

	// Withdrawn is the number of pieces that we believed verified and that do not match. An
	// engine fetches them again.
	Withdrawn int
}

// VerifyOptions says what to check.
type VerifyOptions struct {
	// Metainfo is the content of a .torrent file.
	Metainfo []byte
	// Parsed is that of AddOptions.
	Parsed *metainfo.Torrent
	// Dir is the folder that holds the torrent's file or folder. Default ".".
	Dir string
	// FileName is that of AddOptions.
	FileName string
	// StateDir is the Config.StateDir of the engines that have the torrent. With it Verify finds
	// renamed files, continues an interrupted check as far as the files have not changed, and
	// corrects the journal where pieces do not match. Empty: none of this.
	StateDir string
	// Again starts over when an earlier check was interrupted.
	Again bool
	// Progress, when set, gets the number of pieces checked and of all. Its calls do not
	// overlap.
	Progress func(done, total int)
}

// Verify checks what is in a folder against a torrent, without an engine, on all cores. It
// changes no file. When ctx ends, the result has what is known up to then.
func Verify(ctx context.Context, opt VerifyOptions) (VerifyResult, error) {
	meta, err := parsed(opt.Parsed, opt.Metainfo)
	if err != nil {
		return VerifyResult{}, err
	}
	if opt.Dir == "" {
		opt.Dir = "."
	}
	v, err := content.Verify(ctx, content.VerifySpec{
		Meta: meta, Dir: opt.Dir, FileName: opt.FileName, StateDir: opt.StateDir, Again: opt.Again, Progress: opt.Progress,
	})
	if err != nil {
		err = publicError(fmt.Errorf("verify %s in %s: %w", printable.Of(meta.Info.Name), opt.Dir, err))
	}
	if v == nil {
		return VerifyResult{}, err
	}
	return verifyResult(meta, v), err
}

// Verify hashes the verified pieces again, on all cores, while the torrent runs, and looks
// whether other programs have changed or removed its files. Pieces that do not match are not
// served any more, and are fetched again. When ctx ends, that holds for the pieces checked up
// to then. progress, when set, gets the number of pieces checked and of all; its calls do not
// overlap. The error is ErrNoMetadata while the metadata is missing.
func (t *Torrent) Verify(ctx context.Context, progress func(done, total int)) (VerifyResult, error) {
	v, err := t.t.Verify(ctx, progress)
	if v == nil {
		return VerifyResult{}, publicError(err)
	}
	return verifyResult(t.meta(), v), publicError(err)
}

func verifyResult(meta *metainfo.Torrent, v *content.Verified) VerifyResult {
	geom := meta.Info.Geometry()
	r := VerifyResult{
		Name: printable.Of(meta.Info.Name), InfoHash: meta.InfoHash.String(), Dir: v.Dir, Size: meta.Info.Saved(),
		Pieces: int(geom.Pieces), Good: int(v.Good.Count()), Looked: int(v.Looked.Count()), Hashed: v.Hashed,
		Withdrawn: v.Withdrawn, Complete: v.Good.All(), Map: make([]byte, geom.Pieces),
	}
	for _, note := range v.Notes {
		r.Notes = append(r.Notes, printable.Of(note))
	}
	for i := range geom.Pieces {
		r.Map[i] = 'm'
		if v.Good.Has(i) {
			r.Map[i] = 'v'
		}
	}
	r.Files = make([]FileState, 0, len(meta.Info.Files))
	for i := range meta.Info.Files {
		f := &meta.Info.Files[i]
		if f.Pad {
			continue
		}
		fs := FileState{Path: v.Paths[i], Size: f.Length}
		if v.States != nil {
			fs.Missing = !v.States[i].Exists
			fs.Extra = max(v.States[i].Size-f.Length, 0)
		}
		eachPart(meta.Info, f, func(piece, n int64) {
			if v.Good.Has(uint32(piece)) {
				fs.Verified += n
				r.Verified += n
			}
		})
		r.Complete = r.Complete && !fs.Missing
		r.Files = append(r.Files, fs)
	}
	return r
}
