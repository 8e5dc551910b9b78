package engine

import (
	"net/netip"

	"shoal/internal/peerconn"
)

// Limits bound how fast bytes move, in bytes a second; 0 means no limit.
type Limits struct {
	Up, Down int64 // all peers together
	// PeerUp and PeerDown hold for every single peer. A torrent's hold for its peers
	// instead of the engine's.
	PeerUp, PeerDown int64
}

// SetLimits changes the limits of the whole engine, at once.
func (e *Engine) SetLimits(l Limits) {
	e.up.SetLimit(l.Up, l.PeerUp)
	e.down.SetLimit(l.Down, l.PeerDown)
}

// SetLimits changes the limits of the torrent, at once. Those of the engine hold besides.
func (t *Torrent) SetLimits(l Limits) {
	t.conn.Up.SetLimit(l.Up, l.PeerUp)
	t.conn.Down.SetLimit(l.Down, l.PeerDown)
}

// limit puts a new connection under the limits, unless it is exempt from them.
func (t *Torrent) limit(c *peerconn.Conn, addr netip.Addr) {
	if t.e.cfg.LocalExempt && local(addr) {
		c.Exempt()
	}
}

// local reports whether an address is of this machine or its own network.
func local(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast()
}
