package shoal

import (
	"context"
	"time"

	"shoal/internal/decide/swarm/announce"
)

// Times of WaitAnnounced.
const (
	announcedPoll   = 50 * time.Millisecond
	announcedBegins = 400 * time.Millisecond // a snapshot is at most this old
	announcedAnswer = 5 * time.Second        // for the answer to what is on its way
)

// WaitAnnounced waits until the trackers know that the torrent is complete (BEP 3: event
// completed), for a program that ends then: private trackers count completed downloads. A
// tracker that got an announce a short time ago can refuse this one. We repeat it as soon as
// the tracker allows: WaitAnnounced calls refused once for the tracker, and waits if next is
// within the time given. It does not wait for trackers that do not answer. It returns the number
// of trackers that refused and do not know yet.
func (t *Torrent) WaitAnnounced(ctx context.Context, within time.Duration, refused func(tracker TrackerStats, next time.Time)) (left int) {
	begun := time.Now()
	said := make(map[string]bool)
	tick := time.NewTicker(announcedPoll)
	defer tick.Stop()
	for {
		s := t.t.Stats()
		wait, knows := false, false
		left = 0
		for _, tr := range s.Swarm.Trackers {
			knows = knows || tr.State == announce.Working || tr.Telling
			switch {
			case tr.Telling && (said[tr.URL] || time.Since(begun) < announcedAnswer):
				wait = true
			case tr.Owed:
				left++
				next := wall(s, tr.Next)
				if !said[tr.URL] && refused != nil {
					refused(trackerStats(s, tr), next)
				}
				said[tr.URL] = true
				wait = wait || !next.IsZero() && next.Before(begun.Add(within))
			}
		}
		// The snapshot can be older than what was done last. Without a download there is no news.
		wait = wait || knows && s.Swarm.Downloaded > 0 && time.Since(begun) < announcedBegins
		if !wait || time.Since(begun) > within+announcedAnswer {
			return left
		}
		select {
		case <-ctx.Done():
			return left
		case <-tick.C:
		}
	}
}
