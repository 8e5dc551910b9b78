package shoal

import (
	"context"
	"time"
)

// Bounds of AwaitTold.
const (
	toldPoll   = 50 * time.Millisecond
	toldBegins = 400 * time.Millisecond // a snapshot is at most this old
	toldAnswer = 5 * time.Second        // for the answer to what is on its way
)

// AwaitTold waits until the trackers have heard that the torrent is complete, for a program
// that ends then: private trackers count it. A tracker can refuse for now, since the last announce
// was too short a time ago. Then it hears again as soon as it allows: refused is called with it
// once, and AwaitTold waits if that is within the time given. It returns how many trackers have
// refused and did not hear. It does not wait for a tracker that does not answer.
func (t *Torrent) AwaitTold(ctx context.Context, within time.Duration, refused func(tracker TrackerStats, next time.Time)) (untold int) {
	begun := time.Now()
	said := make(map[string]bool)
	tick := time.NewTicker(toldPoll)
	defer tick.Stop()
	for {
		s := t.t.Stats()
		wait, knows := false, false
		untold = 0
		for _, tr := range s.Swarm.Trackers {
			knows = knows || tr.State.String() == "working" || tr.Telling
			switch {
			case tr.Telling && (said[tr.URL] || time.Since(begun) < toldAnswer):
				wait = true
			case tr.Owed:
				untold++
				next := wall(s, tr.Next)
				if !said[tr.URL] && refused != nil {
					refused(trackerStats(s, tr), next)
				}
				said[tr.URL] = true
				wait = wait || !next.IsZero() && next.Before(begun.Add(within))
			}
		}
		// The snapshot can be older than what was done last.
		wait = wait || knows && t.downloaded() && time.Since(begun) < toldBegins
		if !wait || time.Since(begun) > within+toldAnswer {
			return untold
		}
		select {
		case <-ctx.Done():
			return untold
		case <-tick.C:
		}
	}
}

// downloaded reports whether something came in this run: only then is there news.
func (t *Torrent) downloaded() bool { return t.Stats().Downloaded > 0 }
