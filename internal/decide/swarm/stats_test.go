package swarm

import (
	"math/rand/v2"
	"testing"

	"shoal/internal/value/mono"
)

// While the metadata is missing nothing is verified, whatever trackers are told to be left.
func TestStatsWithoutMetadata(t *testing.T) {
	s := New(Config{NoMetadata: true}, mono.Start, rand.New(rand.NewPCG(1, 1)))
	if st := s.Stats(mono.Start); st.Verified != 0 || st.WantedVerified != 0 || s.left() != leftUnknown {
		t.Errorf("%d and %d bytes verified, %d left", st.Verified, st.WantedVerified, s.left())
	}
}
