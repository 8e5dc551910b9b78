package engine

import "sync"

// owner is what the caller of the engine keeps for a torrent: one value for as long as the
// torrent lives, so that a handle of the library can be compared and be a map key.
//
//shoal:part
type owner struct {
	once  sync.Once
	value any
}

// Owner returns what make returned when it was called first.
func (t *Torrent) Owner(make func() any) any {
	t.owner.once.Do(func() { t.owner.value = make() })
	return t.owner.value
}
