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

// acceptLoop takes connections and does their handshakes.
func (e *Engine) acceptLoop(l net.Listener) {
	for {
		nc, err := l.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) || e.life.ctx.Err() != nil {
				return
			}
			// Out of file handles, most likely: others must end first.
			e.log.Warn("accept failed", "err", err)
			select {
			case <-time.After(100 * time.Millisecond):
			case <-e.life.ctx.Done():
				return
			}
			continue
		}
		key, ok := e.porch.enter(e.now(), nc)
		if !ok {
			nc.Close() // their torrents' loops are behind: all places wait for them
			continue
		}
		e.life.wg.Go(func() {
			e.handshake(nc, key)
			e.porch.leave(key)
		})
	}
}

// handshake matches an accepted connection to a torrent and gives it there.
func (e *Engine) handshake(nc net.Conn, key lobby.Key) {
	stop := context.AfterFunc(e.life.ctx, func() { nc.Close() })
	var t *Torrent
	theirs, err := peerconn.Accept(nc, func(infoHash [20]byte) (wire.Handshake, bool) {
		if t = e.reach(infoHash); t == nil || !t.accepts() {
			return wire.Handshake{}, false
		}
		e.porch.named(e.now(), key)
		if !e.awaits(t) {
			return wire.Handshake{}, false
		}
		return t.handshake(), true
	})
	// Whether or not it went well, e.ctx is to forget the connection.
	ours := stop()
	if !e.porch.done(key) {
		err = errGaveWay
	}
	if err == nil && !e.admits(t) {
		err = errNoRoom // others were faster
	}
	if err != nil || !ours {
		nc.Close()
		e.log.Debug("handshake failed", "peer", nc.RemoteAddr(), "err", err)
		return
	}
	t.joined(nc, netio.AddrPort(nc.RemoteAddr()), false, theirs)
}

// dial connects to a peer on behalf of t, waiting for a place among the
// half-open connections.
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
		err = errNoRoom // others were faster
	}
	if err != nil {
		nc.Close()
		return nil, theirs, err
	}
	return nc, theirs, nil
}
