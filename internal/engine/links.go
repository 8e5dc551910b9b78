package engine

import (
	"sync"
	"sync/atomic"

	"shoal/internal/decide/crowd"
	"shoal/internal/decide/swarm"
	"shoal/internal/net/peerconn"
)

// links is a torrent's connections. The loop owns them, but for what mu guards.
//
//shoal:part
type links struct {
	byKey    map[swarm.PeerKey]*link // nil before the first
	arrivals []swarm.PeerKey         // joined, not started yet
	nextKey  swarm.PeerKey
	share    crowd.Share // of the connections of the engine
	open     atomic.Bool // incoming connections are taken

	mu     sync.Mutex
	shared *peerconn.Torrent // what all connections need; nil while there are none
	limits Limits
}

// add gives a connection a key. It is started with the others that have arrived.
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

// serve sets what connections need. mu is held.
func (l *links) serve(shared *peerconn.Torrent) { l.shared = shared }

// release frees what only connections need, while there are none.
func (l *links) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shared, l.byKey, l.arrivals = nil, nil, nil
}

// limit notes the limits of the torrent. mu is held.
func (l *links) limit(limits Limits) { l.limits = limits }
