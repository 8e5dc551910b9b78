// Package picker keeps order.
package picker

import (
	"maps"
	"math/rand/v2"
	"slices"
)

// Pick draws from the generator it was given.
func Pick(have map[uint32]int, rng *rand.Rand) (p uint32, total int) {
	// order does not show: a sum is the same in any order
	for _, n := range have {
		total += n
	}
	pieces := slices.Sorted(maps.Keys(have))
	for _, p := range pieces {
		if rng.IntN(2) == 0 {
			return p, total
		}
	}
	return pieces[0], total
}

// Shadow calls a method of a variable that hides the package.
func Shadow(rand *rand.Rand) int { return rand.IntN(2) }
