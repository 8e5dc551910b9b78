package engine

import (
	"errors"
	"slices"
	"time"
)

// watchEvery is between two looks at the download folders. A look costs one system
// call for each folder, whatever lies in it.
const watchEvery = 5 * time.Second

var errReplaced = errors.New("the folder is not the one it was: was its volume detached?")

// watch notices download folders that are gone, or have others in their place: what
// is open leads to the old one, and would go on to fill it unseen.
func (e *Engine) watch() {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-e.ctx.Done():
			return
		}
		e.rooms.look()
		gone := e.files.Replaced()
		if len(gone) == 0 {
			continue
		}
		for _, t := range e.Torrents() {
			if slices.Contains(gone, t.at.Load().given) {
				t.post(event{kind: evSpoilt, n: anyOpening, with: errReplaced})
			}
		}
	}
}
