package trackerclient

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"

	"shoal/internal/format/tracker"
)

// grace is how long we wait for the other family after one has answered: a path that loses
// everything must not delay the peers of the first answer.
const grace = 5 * time.Second

// A family is one family to reach a tracker by (BEP 7): our source address, and the tracker's
// addresses.
type family struct {
	local netip.Addr
	addrs []netip.Addr
}

// keep returns those of addrs that have this way's family.
func (w family) keep(addrs []netip.Addr) []netip.Addr {
	var same []netip.Addr
	for _, a := range addrs {
		if a = a.Unmap(); a.Is4() == w.local.Is4() {
			same = append(same, a)
		}
	}
	return same
}

// families returns the families to announce over: those that we listen on. A tracker that has none of
// them gets an announce over the one it has, where the system can choose our source address: its
// answer still has peers.
func (c *Client) families(addrs []netip.Addr) []family {
	local := c.Local
	if len(local) == 0 {
		local = []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()}
	}
	var all []family
	free := true
	for _, l := range local {
		w := family{local: l.Unmap()}
		if w.addrs = w.keep(addrs); len(w.addrs) > 0 {
			all = append(all, w)
		}
		free = free && l.IsUnspecified()
	}
	if len(all) == 0 && free && len(addrs) > 0 {
		w := family{local: netip.IPv4Unspecified()}
		if addrs[0].Unmap().Is6() {
			w.local = netip.IPv6Unspecified()
		}
		w.addrs = w.keep(addrs)
		all = append(all, w)
	}
	return all
}

// byEach calls ask for every way at the same time. It calls heard with each answer at once, and
// returns the combined answer, or an error when all ways failed.
func byEach(ctx context.Context, ways []family, ask func(context.Context, family) (tracker.Response, error), heard func(tracker.Response)) (tracker.Response, error) {
	if len(ways) == 1 {
		a, err := ask(ctx, ways[0])
		if err == nil {
			heard(a)
		}
		return a, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var (
		wg     sync.WaitGroup
		mu     sync.Mutex
		got    []tracker.Response
		failed = make([]error, len(ways))
		late   *time.Timer
	)
	for i, w := range ways {
		wg.Go(func() {
			a, err := ask(ctx, w)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed[i] = err
				return
			}
			heard(a)
			if got = append(got, a); late == nil {
				late = time.AfterFunc(grace, cancel)
			}
		})
	}
	wg.Wait()
	if late != nil {
		late.Stop()
	}
	if len(got) == 0 {
		return noResponse, worst(failed)
	}
	return join(got), nil
}

// noResponse stands for a missing answer.
var noResponse = tracker.Response{Seeders: -1, Leechers: -1}

// join combines the answers of a tracker, which describe the same swarm over two families. The
// longer interval holds for both.
func join(all []tracker.Response) tracker.Response {
	one := all[0]
	for _, r := range all[1:] {
		one.Interval = max(one.Interval, r.Interval)
		one.MinInterval = max(one.MinInterval, r.MinInterval)
		one.Took = max(one.Took, r.Took)
		one.Seeders = max(one.Seeders, r.Seeders)
		one.Leechers = max(one.Leechers, r.Leechers)
		if one.TrackerID == "" {
			one.TrackerID = r.TrackerID
		}
		if one.Warning == "" {
			one.Warning = r.Warning
		}
		if one.Note == "" {
			one.Note = r.Note
		}
		one.Peers = append(one.Peers, r.Peers...)
	}
	one.Peers = one.Peers[:min(len(one.Peers), tracker.MaxPeers)]
	return one
}

// worst returns the most informative error: one from the tracker itself, else the first.
func worst(all []error) error {
	var failure *tracker.FailureError
	for _, err := range all {
		if errors.As(err, &failure) {
			return err
		}
	}
	return all[0]
}
