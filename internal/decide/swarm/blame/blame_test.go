package blame

import (
	"slices"
	"testing"
)

func sums(bs ...byte) []Sum {
	out := make([]Sum, len(bs))
	for i, b := range bs {
		out[i][0] = b
	}
	return out
}

func TestOneSenderIsGuiltyAtOnce(t *testing.T) {
	var l Ledger
	if got := l.Failed(3, []Sender{7, 7, 7}, sums(1, 2, 3)); got != 7 {
		t.Fatalf("the only sender of a bad piece: got %d, want 7", got)
	}
	if l.Suspect(3) {
		t.Error("nothing is left to find out, yet the piece is suspect")
	}
}

func TestSeveralSendersAreComparedWithTheGoodCopy(t *testing.T) {
	var l Ledger
	if got := l.Failed(3, []Sender{7, 8, 9}, sums(1, 66, 3)); got != 0 {
		t.Fatalf("with three senders nobody is proven guilty, got %d", got)
	}
	if !l.Suspect(3) {
		t.Fatal("digests of the next copy must be asked for")
	}
	// The second copy is bad too: now block 2, from 9; block 1 came right from 7.
	l.Failed(3, []Sender{7, 7, 9}, sums(1, 2, 99))
	if got := l.Passed(3, sums(1, 2, 3)); !slices.Equal(got, []Sender{8, 9}) {
		t.Fatalf("guilty are %v, want [8 9]", got)
	}
	if l.Suspect(3) || l.sums != 0 || len(l.order) != 0 {
		t.Errorf("something is still remembered: %+v", l)
	}
}

func TestUnknownSendersAreNotBlamed(t *testing.T) {
	var l Ledger
	if got := l.Failed(0, []Sender{0, 0}, sums(1, 2)); got != 0 {
		t.Fatalf("blocks that lay on disk convict %d", got)
	}
	if got := l.Passed(0, sums(9, 9)); len(got) != 0 {
		t.Fatalf("blocks that lay on disk convict %v", got)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	var l Ledger
	for piece := range uint32(10 * maxPieces) {
		for range 2 * maxCopies {
			l.Failed(piece, []Sender{1, 2}, sums(1, 2))
		}
	}
	if len(l.order) > maxPieces || len(l.pieces) > maxPieces {
		t.Errorf("%d pieces are remembered, at most %d may be", len(l.pieces), maxPieces)
	}
	if l.sums > maxPieces*maxCopies*2 {
		t.Errorf("%d digests are remembered", l.sums)
	}
	big := make([]Sum, maxSums/2+1)
	senders := make([]Sender, len(big))
	senders[0] = 1
	senders[1] = 2
	l.Failed(1<<20, senders, big)
	l.Failed(1<<20+1, senders, big)
	if l.sums > maxSums {
		t.Errorf("%d digests are remembered, at most %d may be", l.sums, maxSums)
	}
}
