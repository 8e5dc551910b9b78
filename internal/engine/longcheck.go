package engine

import "context"

// A check of more than this gives its place to others, and takes one of the few for
// long ones: so that a torrent which has nothing to check does not wait for one that
// has, and a disk with moving parts is not asked for many places at once.
const longBytes = 16 << 20

// longChecks is how many long checks run at once. Each hashes on all cores.
const longChecks = 2

// longCheck waits for the turn of a check of so many bytes. Its end is told by done.
func (e *Engine) longCheck(ctx context.Context, bytes int64, leave func()) (done func()) {
	if bytes < longBytes {
		return func() {}
	}
	leave()
	select {
	case e.checkSlots <- struct{}{}:
		return func() { <-e.checkSlots }
	case <-ctx.Done():
		return func() {}
	}
}
