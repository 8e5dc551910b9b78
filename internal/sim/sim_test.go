package sim

import (
	"fmt"
	"testing"
)

func TestScenarios(t *testing.T) {
	for _, s := range All() {
		t.Run(s.Name, func(t *testing.T) {
			for seed := range uint64(*many) {
				w, err := s.Run(seed, nil)
				if err != nil {
					t.Error(err)
					continue
				}
				if *many == 1 {
					t.Logf("%.1f s, %d events, hash %x", w.Now().Seconds(), w.steps, w.Hash())
				}
			}
		})
	}
	_ = fmt.Sprint()
}
