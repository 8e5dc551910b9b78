package peerconn

import (
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"shoal/internal/format/wire"
	"shoal/internal/net/netio"
)

// HandshakeTimeout bounds a whole handshake, both directions together.
const HandshakeTimeout = 10 * time.Second

// ErrUnknown is returned when the peer asked for a torrent that we do not have.
var ErrUnknown = errors.New("no such torrent here")

// Dial does the handshake of a connection that we opened (BEP 3) and returns theirs, which must
// have the info-hash that we asked for.
func Dial(nc net.Conn, ours wire.Handshake) (wire.Handshake, error) {
	if err := nc.SetDeadline(time.Now().Add(HandshakeTimeout)); err != nil {
		return wire.Handshake{}, err
	}
	var buf [wire.HandshakeLen]byte
	if _, err := nc.Write(wire.AppendHandshake(buf[:0], ours)); err != nil {
		return wire.Handshake{}, broken(err)
	}
	theirs, err := readHandshake(nc, buf[:])
	if err != nil {
		return theirs, err
	}
	if theirs.InfoHash != ours.InfoHash {
		return theirs, fmt.Errorf("%w: the peer answered for another torrent", wire.ErrProtocol)
	}
	return theirs, nc.SetDeadline(time.Time{})
}

// Accept does the handshake of a connection that a peer opened. find returns our handshake for the
// requested torrent; when there is none, we send nothing. Our answer goes out as soon as the
// info-hash is known, since deployed clients wait for it before they send their peer id.
func Accept(nc net.Conn, find func(infoHash [20]byte) (wire.Handshake, bool)) (wire.Handshake, error) {
	if err := nc.SetDeadline(time.Now().Add(HandshakeTimeout)); err != nil {
		return wire.Handshake{}, err
	}
	var buf [wire.HandshakeLen]byte
	theirs, err := readUpTo(nc, buf[:wire.InfoHashEnd])
	if err != nil {
		return theirs, err
	}
	ours, ok := find(theirs.InfoHash)
	if !ok {
		return theirs, ErrUnknown
	}
	var out [wire.HandshakeLen]byte
	if _, err := nc.Write(wire.AppendHandshake(out[:0], ours)); err != nil {
		return theirs, broken(err)
	}
	if _, err := io.ReadFull(nc, buf[wire.InfoHashEnd:]); err != nil {
		return theirs, broken(err)
	}
	if theirs, err = wire.ParseHandshake(buf[:]); err != nil {
		return theirs, err
	}
	return theirs, nc.SetDeadline(time.Time{})
}

// broken describes how a stream ended before the handshakes were done.
func broken(err error) error {
	return fmt.Errorf("%w during the handshake", netio.Plain(err))
}

func readHandshake(nc net.Conn, buf []byte) (wire.Handshake, error) {
	return readUpTo(nc, buf[:wire.HandshakeLen])
}

// readUpTo fills buf with the beginning of a handshake, and refuses at the first byte that can't be
// part of one.
func readUpTo(nc net.Conn, buf []byte) (wire.Handshake, error) {
	for n := 0; n < len(buf); {
		k, err := nc.Read(buf[n:])
		n += k
		if !wire.CouldBeHandshake(buf[:n]) {
			return wire.Handshake{}, wire.ErrProtocol
		}
		if err != nil && n < len(buf) {
			return wire.Handshake{}, broken(err)
		}
	}
	return wire.ParseHandshake(buf)
}
