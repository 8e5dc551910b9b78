// Package httpserve serves HTTP to strangers over a bounded number of connections, as a program
// does that plays the files of a torrent (Torrent.FS) while an engine fetches them. When all
// connections are taken, one that asks for nothing gives way to the next.
package httpserve

import (
	"net"
	"net/http"
	"net/netip"

	"shoal/internal/net/netio"
	"shoal/internal/net/serving"
)

// A Listener is a port that is open.
type Listener struct{ l net.Listener }

// Listen opens a port; port 0 picks one.
func Listen(at netip.AddrPort) (*Listener, error) {
	l, err := netio.New(netio.Policy{}).Listen(at)
	if err != nil {
		return nil, err
	}
	return &Listener{l}, nil
}

// Addr returns the address that is listened on, with its real port.
func (l *Listener) Addr() netip.AddrPort { return netio.AddrPort(l.l.Addr()) }

// Close closes the port. Serve closes it, too.
func (l *Listener) Close() error { return l.l.Close() }

// Serve answers with s over at most maxConns connections at a time, until s is closed. It
// wraps the Handler of s, and sets its ConnState and ConnContext.
func (l *Listener) Serve(s *http.Server, maxConns int) error {
	return serving.Serve(s, l.l, maxConns)
}

// Reachable returns the addresses at which others reach a port that is open at addr: addr, or,
// where that is unspecified, those of this machine, the loopback last.
func Reachable(addr netip.AddrPort) []netip.AddrPort { return netio.Reachable(addr) }
