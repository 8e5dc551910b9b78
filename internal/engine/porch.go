package engine

import (
	"net"
	"sync"

	"shoal/internal/decide/lobby"
	"shoal/internal/net/netio"
	"shoal/internal/value/mono"
)

// porch holds the incoming connections that are still shaking hands. Its lobby decides which
// of them gives way to a newcomer; porch closes that one, which ends its handshake.
type porch struct {
	mu    sync.Mutex // held briefly, never across a blocking call
	lobby *lobby.Lobby
	conns map[lobby.Key]net.Conn
	next  lobby.Key

	gaveWay int64 // number of connections that gave way
}

func newPorch(places int) porch {
	return porch{lobby: lobby.New(places), conns: make(map[lobby.Key]net.Conn)}
}

// enter assigns a place to a connection. It reports false when there is none.
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

// named notes that a connection names a torrent of this engine.
func (p *porch) named(now mono.Time, key lobby.Key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lobby.Named(now, key)
}

// done notes that the handshakes of a connection are complete. It reports false when the
// connection has given way meanwhile.
func (p *porch) done(key lobby.Key) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lobby.Done(key)
}

// leave frees the place of a connection.
func (p *porch) leave(key lobby.Key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lobby.Leave(key)
	delete(p.conns, key)
}

// count returns the number of places taken.
func (p *porch) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lobby.Count()
}
