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
	Path     string // slash-separated, below the folder; safe to show
	Size     int64  // as the torrent has it
	Verified int64  // bytes in pieces that match
	Missing  bool   // there is no such file
	Extra    int64  // bytes behind the end that the torrent says; they are kept, and not read
}

// VerifyResult is what a check found.
type VerifyResult struct {
	Name     string
	InfoHash string // 40 hex digits
	Dir      string // the folder that the files are in
	Size     int64
	Verified int64 // bytes in pieces that match
	Pieces   int
	Good     int    // pieces that match
	Looked   int    // pieces that it is known of: all, unless the check was broken off
	Hashed   int    // pieces hashed this time; the others were known
	Map      []byte // 'v' or 'm' for each piece
	Files    []FileState
	Complete bool // every piece matches and every file exists

	// Notes name what lies in the place of a file and is not a plain one, and symbolic links
	// that can't be followed, with what to do, and under which other names files were found;
	// printable.
	Notes []string

	// Withdrawn is how many pieces were taken for good until now and are not: they are
	// fetched again.
	Withdrawn int
}

// VerifyOptions says what VerifyFiles checks.
type VerifyOptions struct {
	// Metainfo is the content of a .torrent file.
	Metainfo []byte
	// Dir is the folder that holds the torrent's file or folder; default ".".
	Dir string
	// FileName is that of AddOptions.
	FileName string
	// StateDir is that of the engines that get and share the torrent. With it files are
	// found by the names that they were given, a check that is broken off goes on where it
	// was the next time, as far as the files have not changed, and what a journal says of
	// pieces that are wrong is put right. Empty: none of this.
	StateDir string
	// Again begins a check that was broken off from the start.
	Again bool
	// Progress, when set, receives how many pieces are done, one call at a time.
	Progress func(done, total int)
}

// Verify is VerifyFiles without a folder of state.
func Verify(ctx context.Context, torrentFile []byte, dir string, progress func(done, total int)) (VerifyResult, error) {
	return VerifyFiles(ctx, VerifyOptions{Metainfo: torrentFile, Dir: dir, Progress: progress})
}

// VerifyFiles checks what lies in a folder against a torrent, on all cores, and changes no
// file. When ctx ends, the result is what is known up to then.
func VerifyFiles(ctx context.Context, opt VerifyOptions) (VerifyResult, error) {
	meta, err := parse(opt.Metainfo)
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

// Verify hashes the verified pieces of a torrent again, on all cores, while it is shared, and
// looks whether other programs have changed or removed its files. What is wrong is neither
// served nor claimed from then on, and is fetched again. When ctx ends, that holds for the
// pieces that were looked at. progress, when set, receives how many of these pieces are done,
// one call at a time.
func (t *Torrent) Verify(ctx context.Context, progress func(done, total int)) (VerifyResult, error) {
	v, err := t.t.Verify(ctx, progress)
	if v == nil {
		return VerifyResult{}, publicError(err)
	}
	return verifyResult(t.meta, v), publicError(err)
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
	for i, f := range meta.Info.Files {
		if f.Pad {
			continue
		}
		fs := FileState{Path: v.Paths[i], Size: f.Length}
		if v.States != nil {
			fs.Missing = !v.States[i].Exists
			fs.Extra = max(v.States[i].Size-f.Length, 0)
		}
		for off := f.Offset; off < f.Offset+f.Length; {
			piece := uint32(off / int64(geom.PieceLength))
			end := min(geom.Offset(piece, 0)+int64(geom.PieceSize(piece)), f.Offset+f.Length)
			if v.Good.Has(piece) {
				fs.Verified += end - off
				r.Verified += end - off
			}
			off = end
		}
		r.Complete = r.Complete && !fs.Missing
		r.Files = append(r.Files, fs)
	}
	return r
}
