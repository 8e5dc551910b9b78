package shoal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"shoal/internal/engine"
)

// Reader reads one file of a torrent, complete or not. A read of pieces that are missing makes
// the torrent fetch them first, with some of those that follow, and waits for them. It returns
// verified bytes only. Reader is an io.ReadSeekCloser and an io.ReaderAt; several goroutines can
// call ReadAt, and one the other methods.
type Reader struct {
	r      *engine.Reader
	ctx    context.Context
	start  int64 // of the file in the torrent
	length int64

	mu sync.Mutex
	at int64
}

// readAhead is the default of SetReadAhead, at least two pieces: some seconds of a film.
const readAhead = 8 << 20

// Open opens a file by its path, as Files returns it. The end of ctx ends its reads. The error is
// fs.ErrNotExist, or ErrNoMetadata while the metadata is missing.
func (t *Torrent) Open(ctx context.Context, path string) (*Reader, error) {
	if err := t.needMetadata("open " + path); err != nil {
		return nil, err
	}
	for i, p := range t.filePaths() {
		if p == path {
			return t.openFile(ctx, i), nil
		}
	}
	return nil, notThere("open", path, t.paths())
}

func (t *Torrent) openFile(ctx context.Context, i int) *Reader {
	f := &t.meta().Info.Files[i]
	ahead := max(readAhead, 2*t.meta().Info.PieceLength)
	return &Reader{
		r: t.t.NewReader(ahead, f.Offset+f.Length), ctx: ctx, start: f.Offset, length: f.Length,
	}
}

// SetReadAhead changes how many bytes are fetched ahead of the position. Default 8 MiB, or two
// pieces when they are larger.
func (r *Reader) SetReadAhead(bytes int64) { r.r.SetAhead(bytes) }

// Size returns the length of the file in bytes.
func (r *Reader) Size() int64 { return r.length }

// ReadAt implements io.ReaderAt.
func (r *Reader) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errors.New("shoal: read before the start of the file")
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

// Read implements io.Reader. It returns the bytes that are there rather than wait for all of p.
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

// Seek implements io.Seeker. Nothing is fetched at the new position before it is read.
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
		return 0, errors.New("shoal: seek before the start of the file")
	}
	r.at = offset
	return offset, nil
}

// Close ends the reader: the torrent fetches nothing for it any more.
func (r *Reader) Close() error { return r.r.Close() }
