package dhtnode

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"shoal/internal/value/mono"
)

const (
	// maxNames is how many names wait to be resolved; a torrent can name many.
	maxNames = 256
	// resolveTimeout bounds one lookup of a name.
	resolveTimeout = 20 * time.Second
	// retryFirst is the pause before the second attempt to resolve a name; it doubles each time up
	// to retryMost.
	retryFirst, retryMost = 5 * time.Second, 10 * time.Minute
	// fallbackAfter is how long after the start the node asks public nodes when it has found none,
	// and fallbackEvery the time until it checks again.
	fallbackAfter, fallbackEvery = 5 * time.Second, time.Minute
	// saveEvery is the time between saves of the table.
	saveEvery = 5 * time.Minute
)

// bootstrap is a bootstrap node that is still a name.
type bootstrap struct {
	host   string
	port   uint16
	router bool // one of Fallback
	wait   time.Duration
	at     time.Time // time of the next attempt
}

// parseBootstrap parses "host:port"; an IPv6 address stands in brackets.
func parseBootstrap(s string) (bootstrap, error) {
	i := strings.LastIndexByte(s, ':')
	if i <= 0 {
		return bootstrap{}, fmt.Errorf("DHT node %q: write it as host:port", s)
	}
	port, err := strconv.ParseUint(s[i+1:], 10, 16)
	if err != nil || port == 0 {
		return bootstrap{}, fmt.Errorf("DHT node %q: the port is not a number from 1 to 65535", s)
	}
	host := s[:i]
	if inner, ok := strings.CutPrefix(host, "["); ok {
		if host, ok = strings.CutSuffix(inner, "]"); !ok {
			return bootstrap{}, fmt.Errorf("DHT node %q: unbalanced bracket", s)
		}
	} else if strings.Contains(host, ":") {
		return bootstrap{}, fmt.Errorf("DHT node %q: write the IPv6 address in brackets", s)
	}
	if host == "" { // a resolver treats an empty name as this machine
		return bootstrap{}, fmt.Errorf("DHT node %q: the host is missing", s)
	}
	return bootstrap{host: host, port: uint16(port)}, nil
}

// AddBootstrap adds a node that may answer, as "host:port", for instance from a torrent's `nodes`.
// It logs and ignores malformed text, since torrents come from anywhere. It uses an address at
// once, and resolves a name first, again when that fails.
func (n *Node) AddBootstrap(hostport string) {
	w, err := parseBootstrap(hostport)
	if err != nil {
		n.log.Info("DHT node left out", "err", err)
		return
	}
	n.addName(w)
}

func (n *Node) addName(w bootstrap) {
	if a, err := netip.ParseAddr(w.host); err == nil {
		n.enter(w, []netip.Addr{a})
		return
	}
	if n.cfg.Network == nil {
		n.log.Info("DHT node left out: no network to resolve its name", "host", w.host)
		return
	}
	select {
	case n.names <- w:
	case <-n.stopped:
	default:
		n.log.Info("DHT node left out: too many names wait", "host", w.host)
	}
}

// enter passes the addresses of a bootstrap node to the machines. Each ignores those of the other
// family.
func (n *Node) enter(w bootstrap, addrs []netip.Addr) {
	n.do(context.Background(), func(now mono.Time) {
		for _, a := range addrs {
			p := netip.AddrPortFrom(a, w.port)
			if s := n.sideOf(p); w.router {
				s.machine.AddRouter(now, p)
			} else {
				s.machine.AddBootstrap(now, p)
			}
		}
	})
}

// slowTasks does the slow tasks, one at a time: resolving names, and saving the table.
func (n *Node) slowTasks(ctx context.Context) {
	var names []bootstrap
	fallback := time.Now().Add(fallbackAfter)
	save := time.Now().Add(saveEvery)
	for {
		next := save
		if len(n.cfg.Fallback) > 0 && fallback.Before(next) {
			next = fallback
		}
		for _, w := range names {
			if w.at.Before(next) {
				next = w.at
			}
		}
		timer := time.NewTimer(time.Until(next))
		select {
		case w := <-n.names:
			if len(names) < maxNames {
				names = append(names, w)
			}
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		timer.Stop()

		now := time.Now()
		keep := names[:0]
		for _, w := range names {
			if w.at.After(now) || !n.resolve(ctx, &w) {
				keep = append(keep, w)
			}
		}
		names = keep
		if now = time.Now(); len(n.cfg.Fallback) > 0 && !now.Before(fallback) {
			fallback = now.Add(fallbackEvery)
			if n.Stats().Good == 0 {
				n.useFallback()
			}
		}
		if !now.Before(save) {
			save = now.Add(saveEvery)
			n.saveNow(ctx)
		}
	}
}

// resolve resolves a name and passes its addresses to the machines. It returns false when the name
// must be tried again.
func (n *Node) resolve(ctx context.Context, w *bootstrap) bool {
	limited, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	addrs, err := n.cfg.Network.Resolve(limited, w.host)
	if err != nil {
		w.wait = min(max(2*w.wait, retryFirst), retryMost)
		w.at = time.Now().Add(w.wait)
		n.log.Debug("DHT node's name did not resolve", "host", w.host, "err", err, "again", w.wait)
		return false
	}
	n.enter(*w, addrs)
	return true
}

// useFallback switches to the public nodes, once.
func (n *Node) useFallback() {
	names := n.cfg.Fallback
	n.cfg.Fallback = nil
	n.log.Info("no DHT node found yet: asking public nodes", "nodes", len(names))
	for _, name := range names {
		if w, err := parseBootstrap(name); err == nil {
			w.router = true
			n.addName(w)
		}
	}
}
