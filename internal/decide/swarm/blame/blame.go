// Package blame finds the peers that sent bad data. A piece that does not match its hash has
// at least one bad block. We know which one as soon as we have a good copy of the piece: a
// block whose digest differs from the good copy's convicts its sender. If one peer sent the
// whole piece, it is guilty at once. BEP 3 leaves this open; deployed clients do the same and
// call it smart ban.
//
// The swarm owns the Ledger. Its memory is bounded: it remembers few failed copies of a
// piece, and few pieces.
package blame

import "slices"

// Sender is an opaque, stable identity of the sender of a block; 0: none.
type Sender uint32

// Sum is the digest of one block as it arrived.
type Sum = [20]byte

const (
	// maxCopies bounds the failed copies that we keep of one piece: a liar that hides among
	// others appears in each of them, so a few are enough.
	maxCopies = 8
	// maxPieces bounds the pieces with failed copies. A piece of 512 MiB has
	// 32,768 blocks of 24 bytes, so the worst case is large pieces; see maxSums.
	maxPieces = 64
	// maxSums bounds all digests that we keep, in blocks: 24 bytes each, 6 MiB in all.
	maxSums = 1 << 18
)

// Ledger remembers failed copies. The zero Ledger is empty and ready to use.
type Ledger struct {
	pieces map[uint32][]failure
	order  []uint32 // pieces with failures, oldest first
	sums   int
}

type failure struct {
	senders []Sender
	sums    []Sum
}

// Suspect reports whether a copy of the piece failed before, so that we need digests of the
// next copy.
func (l *Ledger) Suspect(piece uint32) bool { return len(l.pieces[piece]) > 0 }

// Failed takes the senders and digests of a bad copy, one each for each block. It returns the
// peer that is proven guilty at once, because it sent every block, or 0. It keeps copies of
// senders and sums.
func (l *Ledger) Failed(piece uint32, senders []Sender, sums []Sum) Sender {
	if only := soleSender(senders); only != 0 {
		return only
	}
	if len(sums) != len(senders) || len(sums) > maxSums {
		return 0
	}
	if l.pieces == nil {
		l.pieces = make(map[uint32][]failure)
	}
	if _, known := l.pieces[piece]; !known {
		l.order = append(l.order, piece)
	}
	l.pieces[piece] = append(l.pieces[piece], failure{slices.Clone(senders), slices.Clone(sums)})
	l.sums += len(sums)
	if fs := l.pieces[piece]; len(fs) > maxCopies {
		l.sums -= len(fs[0].sums)
		l.pieces[piece] = slices.Delete(fs, 0, 1)
	}
	for len(l.order) > maxPieces || l.sums > maxSums {
		l.forget(l.order[0])
	}
	return 0
}

// Passed takes the digests of the good copy and returns the peers that are now proven to have
// sent other bytes, each once, in ascending order. It forgets the failed copies of the piece.
func (l *Ledger) Passed(piece uint32, good []Sum) []Sender {
	var guilty []Sender
	for _, f := range l.pieces[piece] {
		for i, sum := range f.sums {
			if i < len(good) && sum != good[i] && f.senders[i] != 0 {
				guilty = append(guilty, f.senders[i])
			}
		}
	}
	l.forget(piece)
	slices.Sort(guilty)
	return slices.Compact(guilty)
}

func (l *Ledger) forget(piece uint32) {
	for _, f := range l.pieces[piece] {
		l.sums -= len(f.sums)
	}
	delete(l.pieces, piece)
	if i := slices.Index(l.order, piece); i >= 0 {
		l.order = slices.Delete(l.order, i, i+1)
	}
}

// soleSender returns the sender if it is the same for every block, else 0.
func soleSender(senders []Sender) Sender {
	if len(senders) == 0 {
		return 0
	}
	for _, s := range senders {
		if s != senders[0] {
			return 0
		}
	}
	return senders[0]
}
