package engine

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"

	"shoal/internal/decide/lobby"
	"shoal/internal/format/wire"
	"shoal/internal/net/netio"
	"shoal/internal/net/peerconn"
)

// acceptLoop accepts connections and runs their handshakes.
func (e *Engine) acceptLoop(l net.Listener) {
	for {
		nc, err := l.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) || e.life.ctx.Err() != nil {
				return
			}
			// Most likely we are out of file handles until other connections end.
			e.log.Warn("cannot accept a connection; will try again", "addr", l.Addr(), "err", err)
			select {
			case <-time.After(100 * time.Millisecond):
			case <-e.life.ctx.Done():
				return
			}
			continue
		}
		key, ok := e.porch.enter(e.now(), nc)
		if !ok {
			nc.Close() // every place is taken by a peer that waits for its torrent's loop
			continue
		}
		e.life.wg.Go(func() {
			e.handshake(nc, key)
			e.porch.leave(key)
		})
	}
}

// handshake matches an accepted connection to a torrent and hands it to the torrent's loop.
func (e *Engine) handshake(nc net.Conn, key lobby.Key) {
	stop := context.AfterFunc(e.life.ctx, func() { nc.Close() })
	var t *Torrent
	theirs, err := peerconn.Accept(nc, func(infoHash [20]byte) (wire.Handshake, bool) {
		if t = e.lookup(infoHash); t == nil || !t.accepts() {
			return wire.Handshake{}, false
		}
		e.porch.named(e.now(), key)
		if !e.awaits(t) {
			return wire.Handshake{}, false
		}
		return t.handshake(), true
	})
	// From here on the end of the engine must not close the connection.
	ours := stop()
	if !e.porch.done(key) {
		err = errGaveWay
	}
	if err == nil && !e.admits(t) {
		err = errNoRoom // another connection took the room
	}
	if err != nil || !ours {
		nc.Close()
		e.log.Debug("handshake of an incoming connection failed", "peer", nc.RemoteAddr(), "err", err)
		return
	}
	t.joined(nc, netio.AddrPort(nc.RemoteAddr()), false, theirs)
}

// dial connects to a peer on behalf of t. It waits for a place among the half-open
// connections first.
func (e *Engine) dial(ctx context.Context, t *Torrent, addr netip.AddrPort) (net.Conn, wire.Handshake, error) {
	select {
	case e.dialSlots <- struct{}{}:
		defer func() { <-e.dialSlots }()
	case <-ctx.Done():
		return nil, wire.Handshake{}, ctx.Err()
	}
	if !e.mayAdmit(t) {
		return nil, wire.Handshake{}, errNoRoom
	}
	dialCtx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	nc, err := e.cfg.Network.Dial(dialCtx, addr)
	if err != nil {
		return nil, wire.Handshake{}, err
	}
	stop := context.AfterFunc(ctx, func() { nc.Close() })
	theirs, err := peerconn.Dial(nc, t.handshake())
	if ours := stop(); err == nil && !ours {
		err = ctx.Err()
	}
	if err == nil && !e.admits(t) {
		err = errNoRoom // another connection took the room
	}
	if err != nil {
		nc.Close()
		return nil, theirs, err
	}
	return nc, theirs, nil
}
