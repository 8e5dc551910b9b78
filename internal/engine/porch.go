package engine

import (
	"net"
	"sync"

	"shoal/internal/decide/lobby"
	"shoal/internal/net/netio"
	"shoal/internal/value/mono"
)

// porch holds the connections that others opened and that are still shaking hands. The
// machine in it decides which gives way to a newcomer; that one is closed here, which ends
// its handshake.
type porch struct {
	mu    sync.Mutex // held briefly, never across a blocking call
	lobby *lobby.Lobby
	conns map[lobby.Key]net.Conn
	next  lobby.Key

	gaveWay int64 // connections that gave way
}

func newPorch(places int) porch {
	return porch{lobby: lobby.New(places), conns: make(map[lobby.Key]net.Conn)}
}

// enter gives a connection a place. It reports false where there is none.
func (p *porch) enter(now mono.Time, nc net.Conn) (lobby.Key, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next++
	key := p.next
	out, evicts, ok := p.lobby.Enter(now, key, netio.AddrPort(nc.RemoteAddr()).Addr())
	if evicts {
		p.conns[out].Close() // closing a socket does not wait
		delete(p.conns, out)
		p.gaveWay++
	}
	if ok {
		p.conns[key] = nc
	}
	return key, ok
}

// named says that a connection asks for a torrent that is here.
func (p *porch) named(now mono.Time, key lobby.Key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lobby.Named(now, key)
}

// done says that the handshakes of a connection are complete. False: it gave way just now.
func (p *porch) done(key lobby.Key) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lobby.Done(key)
}

// leave gives a place up.
func (p *porch) leave(key lobby.Key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lobby.Leave(key)
	delete(p.conns, key)
}

// count is how many places are taken.
func (p *porch) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lobby.Count()
}
