// Package picker leans on chance and on the order of maps.
package picker

import (
	_ "broken/internal/decide/swarm" // want floors: imports its neighbour internal/decide/swarm
	"maps"
	"math/rand/v2"
	"slices"
)

type owners map[uint32]int

// Pick takes a piece.
func Pick(have owners) uint32 {
	for p := range have { // want maporder: range over a map
		if rand.IntN(2) == 0 { // want purity: rand.IntN
			return p
		}
	}
	// order does not show:
	for range have { // want maporder: range over a map
	}
	return slices.Collect(maps.Keys(have))[0] // want maporder: maps.Keys
}

// First is generic over maps, and no better for it.
func First[M ~map[K]V, K comparable, V any](m M) (k K) {
	for k := range m { // want maporder: range over a map
		return k
	}
	return k
}

func unknown() {
	for range nowhere { // want maporder: does the package compile
	}
}
