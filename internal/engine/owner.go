package engine

import "sync"

// owner holds the library's handle of a torrent: one value for the life of the torrent, so that
// handles can be compared and be map keys.
//
//shoal:part
type owner struct {
	once  sync.Once
	value any
}

// Owner returns the value that make returned on the first call.
func (t *Torrent) Owner(make func() any) any {
	t.owner.once.Do(func() { t.owner.value = make() })
	return t.owner.value
}
