package shoal

import (
	"context"
	"fmt"
	"time"

	"shoal/internal/decide/swarm/announce"
	"shoal/internal/engine"
	"shoal/internal/net/webseed"
	"shoal/internal/value/mono"
)

// AddTracker adds an announce URL (http, https, udp) to a tier, counted from 0; a tier beyond the
// last becomes a new last one (BEP 12). It changes nothing when the torrent has the tracker. With
// Config.Remember it is remembered. The error is ErrConfig or ErrStopped.
func (t *Torrent) AddTracker(url string, tier int) error {
	return publicError(t.t.AddTracker(url, tier))
}

// RemoveTracker removes a tracker, also one that the torrent file names, and announces to it that
// we leave. It reports whether the torrent had the tracker. With Config.Remember it is
// remembered. Stats.Trackers have URLs without secrets; RemoveTracker needs the whole URL.
func (t *Torrent) RemoveTracker(url string) bool { return t.t.RemoveTracker(url) }

// AddWebSeed adds the URL of a server that has the torrent's files (BEP 19), as
// AddOptions.WebSeeds does. It changes nothing when the torrent has the web seed. With
// Config.Remember it is remembered. The error is ErrStopped, or ErrConfig, also for a private
// torrent (BEP 27).
func (t *Torrent) AddWebSeed(url string) error { return publicError(t.t.AddWebSeed(url)) }

// Announced is the result of Torrent.Announce for one tracker or the DHT.
type Announced struct {
	Tracker string    // URL without secrets; empty for the DHT
	DHT     bool      // the announce is a lookup in the DHT, which announces us there
	Sent    bool      // the announce is on its way
	Next    time.Time // when not Sent: time from which the tracker allows it; zero means never
}

// Announce announces now to one tracker of each tier and in the DHT, as far as they allow: not
// within the min interval of a tracker, or a minute when it named none, and not while it wants
// no announces (BEP 31). Our own wait after a failure does not count. Announce does not wait for
// answers; Stats.Trackers has them. The error is that of ctx, or ErrStopped, also while the
// torrent is paused or queued.
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

// CheckWebSeed returns an error when a URL can't be that of a web seed. It is ErrConfig.
func CheckWebSeed(url string) error {
	if _, err := webseed.Check(url); err != nil {
		return clean(fmt.Errorf("%w: web seed: %w", ErrConfig, err))
	}
	return nil
}
