package sim

import (
	"fmt"
	"time"

	"shoal/internal/value/why"
)

// fullTorrents is about the connections of a full torrent.
var fullTorrents = []Scenario{
	{
		Name: "full-house", Story: "Twelve that shook hands, have nothing and ask for nothing hold all places: the only seed gets in, whether it comes or is dialled.",
		Pieces: 12, Blocks: 4,
		Play: func(w *World) error {
			waits := w.Add(Spec{Name: "W", MaxPeers: 12, Up: 200 * kb})
			dials := w.Add(Spec{Name: "D", MaxPeers: 12, Up: 200 * kb})
			for i := range 12 {
				a := w.Cast(&Actor{Name: fmt.Sprintf("A%d", i)})
				for _, n := range []*Node{waits, dials} {
					a.Visit(n, 5*time.Second) // and again whenever it is dropped
				}
			}
			if err := w.Run(20*time.Second, nil); err != nil {
				return err
			}
			seed := w.Add(Spec{Name: "S", Have: w.Full(), Up: 200 * kb})
			seed.Knows(waits)
			dials.Knows(seed)
			if err := w.within(3, 60*time.Second); err != nil {
				return err
			}
			if waits.Drops[why.OthersWait] == 0 || dials.Drops[why.OthersWait] == 0 {
				return fmt.Errorf("nobody gave a place up: %v and %v", waits.Drops, dials.Drops)
			}
			return nil
		},
	},
}
