package shoal

import (
	"context"
	"fmt"
	"strings"

	"shoal/internal/disk"
	"shoal/internal/storage"
)

// FileState is what a check found of one file.
type FileState struct {
	Path     string // slash-separated, below the folder; safe to show
	Size     int64  // as the torrent has it
	Verified int64  // bytes in pieces that match
	Missing  bool   // there is no such file
}

// VerifyResult is what a check found.
type VerifyResult struct {
	Name     string
	InfoHash string // 40 hex digits
	Size     int64
	Verified int64 // bytes in pieces that match
	Pieces   int
	Good     int    // pieces that match
	Map      []byte // 'v' or 'm' for each piece
	Files    []FileState
	Complete bool // every piece matches and every file exists
}

// Verify checks what lies in dir against a torrent, on all cores, and changes
// nothing. progress, when set, is told how many pieces are done.
func Verify(ctx context.Context, torrentFile []byte, dir string, progress func(done, total int)) (VerifyResult, error) {
	meta, err := parse(torrentFile)
	if err != nil {
		return VerifyResult{}, err
	}
	info, geom := meta.Info, meta.Info.Geometry()
	pool := storage.NewPool(0)
	st, err := storage.OpenTorrent(dir, info, pool)
	if err != nil {
		return VerifyResult{}, publicError(err)
	}
	defer st.Close()
	d := disk.New(disk.Config{Budget: disk.NewBudget(defaultVerifyBuffers)})
	defer d.Close()
	dt := d.Open(st, geom, info.PieceHash, func(disk.Result) {})
	defer dt.Close()

	done := 0
	have, err := dt.Check(ctx, func(uint32, bool) {
		done++
		if progress != nil {
			progress(done, int(geom.Pieces))
		}
	})
	if err != nil {
		return VerifyResult{}, publicError(fmt.Errorf("verify %s in %s: %w", info.Name, dir, err))
	}
	states, err := st.State()
	if err != nil {
		return VerifyResult{}, publicError(err)
	}
	r := VerifyResult{
		Name: info.Name, InfoHash: meta.InfoHash.String(), Size: geom.Total,
		Pieces: int(geom.Pieces), Good: int(have.Count()), Complete: have.All(),
		Map: make([]byte, geom.Pieces),
	}
	for i := range geom.Pieces {
		r.Map[i] = 'm'
		if have.Has(i) {
			r.Map[i] = 'v'
			r.Verified += int64(geom.PieceSize(i))
		}
	}
	for i, f := range info.Files {
		if f.Pad {
			continue
		}
		fs := FileState{Path: strings.Join(f.Path, "/"), Size: f.Length, Missing: !states[i].Exists}
		for off := f.Offset; off < f.Offset+f.Length; {
			piece := uint32(off / int64(geom.PieceLength))
			end := min(geom.Offset(piece, 0)+int64(geom.PieceSize(piece)), f.Offset+f.Length)
			if have.Has(piece) {
				fs.Verified += end - off
			}
			off = end
		}
		r.Complete = r.Complete && !fs.Missing
		r.Files = append(r.Files, fs)
	}
	return r, nil
}

// defaultVerifyBuffers is the block budget of a check, which stores no blocks.
const defaultVerifyBuffers = 1 << 20
