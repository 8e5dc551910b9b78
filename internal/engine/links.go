package engine

import (
	"sync"
	"sync/atomic"

	"shoal/internal/decide/quota"
	"shoal/internal/decide/swarm"
	"shoal/internal/net/peerconn"
)

// links holds a torrent's connections. The loop owns what mu does not guard.
//
//shoal:part
type links struct {
	byKey     map[swarm.PeerKey]*link // nil while there are none
	arrivals  []swarm.PeerKey         // connections that joined and are not started yet
	nextKey   swarm.PeerKey
	seat      quota.ConnShare // share of the engine's connections
	accepting atomic.Bool     // accepts incoming connections

	mu     sync.Mutex
	shared *peerconn.Torrent // shared by all connections; nil while there are none
	limits Limits
}

// add assigns a key to a connection and queues it for startArrivals.
func (l *links) add(x *link, conn func(swarm.PeerKey) *peerconn.Conn) (swarm.PeerKey, *peerconn.Conn) {
	l.nextKey++
	key := l.nextKey
	x.conn = conn(key)
	if l.byKey == nil {
		l.byKey = make(map[swarm.PeerKey]*link)
	}
	l.byKey[key] = x
	l.arrivals = append(l.arrivals, key)
	return key, x.conn
}

func (l *links) remove(key swarm.PeerKey) { delete(l.byKey, key) }

func (l *links) started() { l.arrivals = l.arrivals[:0] }

// serve sets what all connections share. mu is held.
func (l *links) serve(shared *peerconn.Torrent) { l.shared = shared }

// release frees what only connections need. There must be none.
func (l *links) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shared, l.byKey, l.arrivals = nil, nil, nil
}

// limit sets the limits of the torrent. mu is held.
func (l *links) limit(limits Limits) { l.limits = limits }
