package shoal

import (
	"context"
	"fmt"
	"time"

	"shoal/internal/decide/swarm/announce"
	"shoal/internal/engine"
	"shoal/internal/value/mono"
)

// AddTracker adds an announce URL (http, https, udp) to a tier, counted from 0; a tier that does
// not exist yet becomes the last one (BEP 12). A tracker that the torrent has stays as it is.
// With Config.Remember it is remembered. The error is ErrConfig or ErrStopped.
func (t *Torrent) AddTracker(url string, tier int) error {
	return publicError(t.t.AddTracker(url, tier))
}

// RemoveTracker removes a tracker, also one that the torrent file names, and tells the tracker
// that we leave. It reports false where the torrent does not have it. With Config.Remember it
// is remembered. Stats.Trackers have URLs without their secrets; here the whole URL is needed.
func (t *Torrent) RemoveTracker(url string) bool { return t.t.RemoveTracker(url) }

// AddWebSeed adds the URL of a server that has the torrent's files, as AddOptions.WebSeeds does,
// while the torrent runs. One that it has stays as it is. With Config.Remember it is
// remembered. The error is ErrConfig, also for a private torrent (BEP 27), or ErrStopped.
func (t *Torrent) AddWebSeed(url string) error { return publicError(t.t.AddWebSeed(url)) }

// Announced is what became of an announce that the user asked for.
type Announced struct {
	Tracker string    // URL without secrets; empty for the DHT
	DHT     bool      // a search of the DHT, which announces us there
	Sent    bool      // it is on its way
	Next    time.Time // where it is not: when it is allowed; zero: the tracker does not want to be asked again
}

// Announce announces now, to one tracker of each tier and in the DHT, as far as their rules allow:
// the least interval that a tracker named, a minute where it named none, and the time for which
// it does not want to be asked (BEP 31). Our own wait after a failure does not count. It does
// not wait for answers; Stats.Trackers has them. The error is ErrStopped, also while the torrent
// is paused or queued.
func (t *Torrent) Announce(ctx context.Context) ([]Announced, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	a, stats, ok, err := t.t.AnnounceNow()
	if err != nil {
		return nil, publicError(err)
	}
	if !ok {
		return nil, fmt.Errorf("announce %s: %w: it is %s", t.Name(), ErrStopped, t.State())
	}
	var out []Announced
	for _, u := range a.Trackers {
		out = append(out, announced(stats, u))
	}
	if a.InDHT {
		one := announced(stats, a.DHT)
		one.DHT = true
		out = append(out, one)
	}
	return out, nil
}

func announced(s *engine.Stats, u announce.Urged) Announced {
	out := Announced{Tracker: shown("", u.URL), Sent: u.Sent}
	if !u.Sent && u.Next != mono.Never {
		out.Next = wall(s, u.Next)
	}
	return out
}
