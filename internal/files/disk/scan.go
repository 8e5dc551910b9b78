package disk

import (
	"context"
	"crypto/sha1"
	"errors"
	"hash"
	"io"
	"runtime"
	"sync"
	"sync/atomic"

	"shoal/internal/files/storage"
	"shoal/internal/value/bitfield"
	"shoal/metainfo"
)

const (
	// scanBuffer is how many bytes a check reads at a time: few enough to be still in the core's
	// cache when they are hashed.
	scanBuffer = 256 << 10
	// stripe is how many bytes of the torrent one core takes at a time, so that every core reads in
	// sequence.
	stripe = 4 << 20
)

// scanner is what a core needs to hash data on disk. All checks together share one for each worker,
// which bounds their memory.
type scanner struct {
	buf    []byte // nil until first used
	digest hash.Hash
}

// newScanners returns a channel with n scanners.
func newScanners(n int) chan *scanner {
	scanners := make(chan *scanner, n)
	for range n {
		scanners <- &scanner{digest: sha1.New()}
	}
	return scanners
}

// reader reads the bytes of a torrent.
type reader interface {
	ReadAt(p []byte, off int64) (int, error)
}

// scan hashes the pieces of a torrent on all cores.
type scan struct {
	src  reader
	geom metainfo.Geometry
	skip func(piece uint32) bool // reports pieces not to read; nil for none

	next atomic.Uint32 // next stripe
	read *atomic.Int64 // counter of bytes read, for Stats

	// each is called for every piece that is not skipped, in any order, one call at a time. A piece
	// that can't be read has err instead of a sum. each returns false to end the scan.
	each func(piece uint32, sum *[sha1.Size]byte, err error) bool
	mu   sync.Mutex // guards end, and held during each
	end  bool
}

// run scans with as many goroutines as there are scanners, and waits for them.
func (s *scan) run(ctx context.Context, stop <-chan struct{}, scanners chan *scanner) error {
	perStripe := max(stripe/s.geom.PieceLength, 1)
	stripes := (s.geom.Pieces + perStripe - 1) / perStripe
	var wg sync.WaitGroup
	for range min(uint32(cap(scanners)), stripes) {
		wg.Go(func() {
			for {
				select {
				case sc := <-scanners:
					i := s.next.Add(1) - 1
					if i < stripes {
						first := i * perStripe
						s.stripe(ctx, sc, first, min(first+perStripe, s.geom.Pieces))
					}
					scanners <- sc
					if i >= stripes || s.ended() {
						return
					}
				case <-ctx.Done():
					return
				case <-stop:
					return
				}
			}
		})
	}
	wg.Wait()
	select {
	case <-stop:
		return ErrClosed
	default:
		return ctx.Err()
	}
}

// stripe scans consecutive pieces, and reads as many as fit at once.
func (s *scan) stripe(ctx context.Context, sc *scanner, from, to uint32) {
	for from < to {
		if s.skip != nil && s.skip(from) {
			from++
			continue
		}
		end := from + 1
		for end < to && (s.skip == nil || !s.skip(end)) {
			end++
		}
		if !s.span(ctx, sc, from, end) {
			return
		}
		from = end
	}
}

// span scans pieces of which none is skipped. It returns false when the scan has ended.
func (s *scan) span(ctx context.Context, sc *scanner, piece, to uint32) bool {
	if sc.buf == nil {
		sc.buf = make([]byte, scanBuffer)
	}
	var sum [sha1.Size]byte
	off, stop := s.geom.Offset(piece, 0), s.geom.Offset(to-1, 0)+int64(s.geom.PieceSize(to-1))
	left := int64(s.geom.PieceSize(piece)) // bytes left of the piece at off
	sc.digest.Reset()
	for off < stop {
		if ctx.Err() != nil || s.ended() {
			return false
		}
		buf := sc.buf[:min(int64(len(sc.buf)), stop-off)]
		n, err := s.src.ReadAt(buf, off)
		failed := n < len(buf)
		s.read.Add(int64(n))
		off += int64(n)
		for buf = buf[:n]; len(buf) > 0; {
			part := buf[:min(int64(len(buf)), left)]
			sc.digest.Write(part)
			buf, left = buf[len(part):], left-int64(len(part))
			if left > 0 {
				break
			}
			sc.digest.Sum(sum[:0])
			sc.digest.Reset()
			if !s.give(piece, &sum, nil) {
				return false
			}
			piece++
			left = int64(s.geom.PieceSize(piece))
		}
		if !failed {
			continue
		}
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		// That piece can't be read; continue after it.
		if !s.give(piece, nil, err) {
			return false
		}
		piece++
		off, left = s.geom.Offset(piece, 0), int64(s.geom.PieceSize(piece))
		sc.digest.Reset()
	}
	return true
}

func (s *scan) give(piece uint32, sum *[sha1.Size]byte, err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.end && !s.each(piece, sum, err) {
		s.end = true
	}
	return !s.end
}

func (s *scan) ended() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.end
}

// Check reads and hashes all pieces on all cores, and returns those that match. Pieces in missing
// or short files cost nothing. progress, if not nil, is called for every piece, in any order, one
// call at a time.
//
// A file that can't be read does not end the check: its pieces do not match, and Check returns the
// first such error with the result, which is still valid. When ctx ends, the result has the pieces
// found up to then. Check can see a piece half written if it is being stored at the same time.
func (t *Torrent) Check(ctx context.Context, progress func(piece uint32, ok bool)) (*bitfield.Bitfield, error) {
	return t.CheckPieces(ctx, nil, nil, progress)
}

// CheckPieces is Check for some of the pieces; nil means all. The result has none of the others.
// states is what was seen of the files just now; nil makes CheckPieces look at them.
func (t *Torrent) CheckPieces(ctx context.Context, pieces *bitfield.Bitfield, states []storage.FileState, progress func(piece uint32, ok bool)) (*bitfield.Bitfield, error) {
	found := bitfield.New(t.geom.Pieces)
	if err := t.enter(); err != nil {
		return found, err
	}
	defer t.leave()
	if states == nil {
		var err error
		if states, err = t.st.State(); err != nil {
			return found, err
		}
	}
	if progress == nil {
		progress = func(uint32, bool) {}
	}
	there := readable(states, t.geom)
	var first error
	s := &scan{
		src: t.st, geom: t.geom, read: &t.d.scanned,
		skip: func(p uint32) bool { return !there.Has(p) || pieces != nil && !pieces.Has(p) },
		each: func(p uint32, sum *[sha1.Size]byte, err error) bool {
			ok := err == nil && *sum == t.hash(p)
			if ok {
				found.Set(p)
			}
			// A file that goes missing during the check counts as one that was missing before.
			if err != nil && first == nil && storage.KindOf(err) != storage.Missing && !errors.Is(err, io.ErrUnexpectedEOF) {
				first = err
			}
			progress(p, ok)
			return true
		},
	}
	for p := range t.geom.Pieces {
		if !there.Has(p) && (pieces == nil || pieces.Has(p)) {
			progress(p, false)
		}
	}
	err := s.run(ctx, t.ending(), t.d.scanners)
	if err == nil {
		err = first
	}
	return found, err
}

// readable returns the pieces whose every byte can be read.
func readable(states []storage.FileState, geom metainfo.Geometry) *bitfield.Bitfield {
	there := bitfield.New(geom.Pieces)
	there.SetAll()
	for _, f := range states {
		if f.Readable() || f.Length == 0 {
			continue
		}
		size := int64(0)
		if f.Exists {
			size = f.Size
		}
		first := (f.Offset + size) / int64(geom.PieceLength)
		last := (f.Offset + f.Length - 1) / int64(geom.PieceLength)
		if f.InPart { // the part file can hold what it shares with its neighbours
			first, last = first+1, last-1
		}
		for p := first; p <= last; p++ {
			there.Clear(uint32(p))
		}
	}
	return there
}

// HashSpan returns the SHA-1 of each piece of src, concatenated as in an info dictionary. It hashes
// on all cores. progress, if not nil, is called for every piece, in any order, one call at a time.
// HashSpan stops at the first byte that it can't read.
func HashSpan(ctx context.Context, src storage.Storage, geom metainfo.Geometry, progress func(piece uint32)) ([]byte, error) {
	sums := make([]byte, int(geom.Pieces)*sha1.Size)
	var first error
	s := &scan{src: src, geom: geom, read: new(atomic.Int64), each: func(p uint32, sum *[sha1.Size]byte, err error) bool {
		if err != nil {
			first = err
			return false
		}
		copy(sums[int(p)*sha1.Size:], sum[:])
		if progress != nil {
			progress(p)
		}
		return true
	}}
	err := s.run(ctx, nil, newScanners(runtime.GOMAXPROCS(0)))
	if first != nil {
		err = first
	}
	if err != nil {
		return nil, err
	}
	return sums, nil
}
