package shoal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"shoal/internal/engine"
	"shoal/metainfo"
)

// Priority says how much a file is wanted. The zero value is normal.
type Priority string

// The priorities. Among pieces that are not begun those of a higher one come first.
const (
	PrioritySkip   Priority = "skip" // not fetched
	PriorityLow    Priority = "low"
	PriorityNormal Priority = "normal"
	PriorityHigh   Priority = "high"
)

var priorities = []Priority{PrioritySkip, PriorityLow, PriorityNormal, PriorityHigh}

// File is one file of a torrent. Pad files (BEP 47) are none.
type File struct {
	Path     string // slash-separated, below Torrent.Dir; its first element is the torrent's name, unless it was renamed
	Length   int64  // bytes
	Verified int64  // bytes of it in verified pieces
	Priority Priority
}

// Files returns the torrent's files in its order.
func (t *Torrent) Files() []File {
	var out []File
	g := t.meta.Info.Geometry()
	size := int64(g.PieceLength)
	for i, f := range t.meta.Info.Files {
		if f.Pad {
			continue
		}
		file := File{Path: t.t.Path(i), Length: f.Length, Priority: priorities[t.t.Priority(i)]}
		for at := f.Offset; at < f.Offset+f.Length; {
			next := min((at/size+1)*size, f.Offset+f.Length)
			if t.t.Has(uint32(at / size)) {
				file.Verified += next - at
			}
			at = next
		}
		out = append(out, file)
	}
	return out
}

// SetPriorities asks choose for the priority of every file, and fetches what is wanted. A
// skipped file that was not begun is not created: the bytes of it that wanted pieces bring
// lie in a part file beside the torrent until the file is wanted, too.
func (t *Torrent) SetPriorities(choose func(File) Priority) error {
	prio, err := choices(t.Files(), t.meta.Info.Files, choose)
	if err != nil {
		return err
	}
	return t.t.SetPriorities(prio)
}

// Reader reads one file of a torrent, also while it is still being fetched: what is not
// there yet is fetched first, with some of what follows, and waited for. What it returns
// is verified. It is an io.ReadSeekCloser and an io.ReaderAt; ReadAt may be called from
// several goroutines, the other methods from one.
type Reader struct {
	r      *engine.Reader
	ctx    context.Context
	start  int64 // of the file in the torrent
	length int64

	mu sync.Mutex
	at int64
}

// readAhead is how much is fetched ahead of a reader unless it says otherwise, and at
// least two pieces: some seconds of a film.
const readAhead = 8 << 20

// Open opens a file by its path, as Files returns it. Reads end with ctx.
func (t *Torrent) Open(ctx context.Context, path string) (*Reader, error) {
	for i, f := range t.meta.Info.Files {
		if !f.Pad && t.t.Path(i) == path {
			return t.openFile(ctx, i), nil
		}
	}
	return nil, notThere("open", path, func(yield func(string) bool) {
		for i, f := range t.meta.Info.Files {
			if !f.Pad && !yield(t.t.Path(i)) {
				return
			}
		}
	})
}

func (t *Torrent) openFile(ctx context.Context, i int) *Reader {
	f := &t.meta.Info.Files[i]
	ahead := max(readAhead, 2*t.meta.Info.PieceLength)
	return &Reader{
		r: t.t.NewReader(ahead, f.Offset+f.Length), ctx: ctx, start: f.Offset, length: f.Length,
	}
}

// SetReadAhead changes how many bytes are fetched ahead of what is read.
func (r *Reader) SetReadAhead(bytes int64) { r.r.SetAhead(bytes) }

// Size is the length of the file in bytes.
func (r *Reader) Size() int64 { return r.length }

// ReadAt implements io.ReaderAt.
func (r *Reader) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errors.New("shoal: a place before the start of the file")
	}
	if off >= r.length {
		return 0, io.EOF
	}
	var end error
	if most := r.length - off; int64(len(p)) > most {
		p, end = p[:most], io.EOF
	}
	n, err := r.r.ReadAt(r.ctx, p, r.start+off)
	if err == nil || n == len(p) {
		err = end
	}
	return n, publicError(err)
}

// Read implements io.Reader. It returns what is there rather than wait for all of p.
func (r *Reader) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(p) > 256<<10 {
		p = p[:256<<10]
	}
	n, err := r.ReadAt(p, r.at)
	r.at += int64(n)
	if n > 0 && err == io.EOF {
		err = nil
	}
	return n, err
}

// Seek implements io.Seeker. What is to be read there is fetched once it is read.
func (r *Reader) Seek(offset int64, whence int) (int64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch whence {
	case io.SeekCurrent:
		offset += r.at
	case io.SeekEnd:
		offset += r.length
	case io.SeekStart:
	default:
		return 0, fmt.Errorf("shoal: seek from %d", whence)
	}
	if offset < 0 {
		return 0, errors.New("shoal: seek to a place before the start of the file")
	}
	r.at = offset
	return offset, nil
}

// Close says that nothing more will be read.
func (r *Reader) Close() error { return r.r.Close() }

// choices asks for the priority of every file, and returns them by the torrent's own
// numbers.
func choices(files []File, all []metainfo.File, choose func(File) Priority) ([]uint8, error) {
	prio := make([]uint8, len(all))
	k := 0
	for i := range all {
		if all[i].Pad {
			continue
		}
		p := choose(files[k])
		if p == "" {
			p = PriorityNormal
		}
		at := slices.Index(priorities, p)
		if at < 0 {
			return nil, fmt.Errorf("%w: priority %q of %s: it is skip, low, normal or high", ErrConfig, p, files[k].Path)
		}
		prio[i] = uint8(at)
		k++
	}
	return prio, nil
}
