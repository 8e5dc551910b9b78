package transfer

import (
	"context"
	"time"

	"shoal"
	"shoal/internal/cli/ui"
)

// toldWithin bounds the wait for trackers that refuse to hear yet that the torrent is
// complete. Most want a minute between two announces.
const toldWithin = 75 * time.Second

// tell waits until the trackers know that the torrent is complete.
func (d *download) tell(ctx context.Context) {
	d.torrent.WaitAnnounced(ctx, toldWithin, func(tr shoal.TrackerStats, next time.Time) {
		wait := time.Until(next)
		if next.IsZero() || wait > toldWithin {
			d.Out.Say("tracker %s does not hear yet that it is complete: %s", ui.Printable(tr.URL), ui.Printable(tr.Err))
			return
		}
		d.Out.Say("tracker %s hears in %s that it is complete (Ctrl-C ends at once): %s", ui.Printable(tr.URL), ui.Span(wait), ui.Printable(tr.Err))
	})
}
