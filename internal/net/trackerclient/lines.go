package trackerclient

import (
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

const (
	// maxLines bounds the connections that wait for the next announce.
	maxLines = 64
	// lineLife is how long one waits. A connection is kept only while other announces to the same
	// tracker wait, so the next one comes at once.
	lineLife = 5 * time.Second
)

// A line is a connection to an HTTP tracker.
type line struct {
	conn   net.Conn
	stream net.Conn // conn, or TLS over it
	from   netip.Addr
	used   bool // it carried an exchange before

	to    lineTo
	until time.Time // no longer kept then
}

// lineTo is where a line leads. Redirects and credentials are part of each exchange.
type lineTo struct {
	secure    bool
	authority string
}

// lines are the connections that wait for the next announce (decision 0215).
type lines struct {
	mu     sync.Mutex
	idle   []*line // the longest idle one first
	timer  *time.Timer
	closed bool
}

// take returns a connection to a target at one of the addresses; nil if there is none. The one
// that was used last comes first: the others may end.
func (k *lines) take(to target, addrs []netip.Addr) *line {
	k.mu.Lock()
	defer k.mu.Unlock()
	now, where := time.Now(), lineTo{to.secure, to.authority}
	for i := len(k.idle) - 1; i >= 0; i-- {
		if l := k.idle[i]; l.to == where && now.Before(l.until) && slices.Contains(addrs, l.from) {
			k.idle = slices.Delete(k.idle, i, i+1)
			return l
		}
	}
	return nil
}

// keep keeps a connection for the next announce, and reports whether it did.
func (k *lines) keep(to target, l *line) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed || len(k.idle) >= maxLines || l.conn.SetDeadline(time.Time{}) != nil {
		return false
	}
	l.used, l.to, l.until = true, lineTo{to.secure, to.authority}, time.Now().Add(lineLife)
	k.idle = append(k.idle, l)
	if len(k.idle) == 1 {
		k.arm(lineLife)
	}
	return true
}

// arm sets the timer. The caller holds the mutex.
func (k *lines) arm(d time.Duration) {
	if k.timer == nil {
		k.timer = time.AfterFunc(d, k.sweep)
		return
	}
	k.timer.Reset(d)
}

// sweep closes the connections that have waited long enough.
func (k *lines) sweep() {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	for len(k.idle) > 0 && !now.Before(k.idle[0].until) {
		k.idle[0].conn.Close()
		k.idle = slices.Delete(k.idle, 0, 1)
	}
	if len(k.idle) > 0 {
		k.arm(k.idle[0].until.Sub(now))
	}
}

// close closes what is kept, and keeps nothing more.
func (k *lines) close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.closed = true
	if k.timer != nil {
		k.timer.Stop()
	}
	for _, l := range k.idle {
		l.conn.Close()
	}
	k.idle = nil
}
