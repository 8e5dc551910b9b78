package peerconn

import (
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"shoal/internal/format/wire"
)

func shake(hash, id string) (h wire.Handshake) {
	copy(h.InfoHash[:], hash)
	copy(h.PeerID[:], id)
	h.Reserved = h.Reserved.WithExtensions()
	return h
}

var theirs, ours = shake("the torrent", "-XX0000-theirs"), shake("the torrent", "-SO0000-ours")

// known finds our handshake for the one torrent that there is.
func known(hash [20]byte) (wire.Handshake, bool) { return ours, hash == ours.InfoHash }

type outcome struct {
	wire.Handshake
	err error
}

// accept runs Accept, and closes the connection when it comes to nothing.
func accept(nc net.Conn) <-chan outcome {
	ended := make(chan outcome, 1)
	go func() {
		h, err := Accept(nc, known)
		if err != nil {
			nc.Close()
		}
		ended <- outcome{h, err}
	}()
	return ended
}

func TestHandshake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := pair(t)
		ended := accept(near)
		h, err := Dial(far, theirs)
		if err != nil || h != ours {
			t.Errorf("dialled: %+v, %v", h, err)
		}
		if o := <-ended; o.err != nil || o.Handshake != theirs {
			t.Errorf("accepted: %+v", o)
		}
		// The deadline of the handshake is not that of the connection.
		time.Sleep(time.Hour)
		if _, err := far.Write([]byte("x")); err != nil {
			t.Errorf("an hour later: %v", err)
		}
		if _, err := io.ReadFull(near, make([]byte, 1)); err != nil {
			t.Errorf("an hour later: %v", err)
		}
	})
}

// The answer goes out at byte 48, since others wait for it before they send their
// peer id; and not a byte of what follows the handshake is swallowed.
func TestAnswerAtTheInfoHash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := pair(t)
		ended := accept(near)
		b := wire.AppendHandshake(nil, theirs)
		far.Write(b[:wire.InfoHashEnd])
		answer := make([]byte, wire.HandshakeLen)
		if _, err := io.ReadFull(far, answer); err != nil || !slices.Equal(answer, wire.AppendHandshake(nil, ours)) {
			t.Errorf("the answer is % x, %v", answer, err)
		}
		far.Write(append(b[wire.InfoHashEnd:], "next"...))
		if o := <-ended; o.err != nil || o.PeerID != theirs.PeerID {
			t.Errorf("accepted: %+v", o)
		}
		next := make([]byte, 4)
		if _, err := io.ReadFull(near, next); err != nil || string(next) != "next" {
			t.Errorf("after the handshake came %q, %v", next, err)
		}
	})
}

// drip writes slowly, a byte at a time, until it fails. The function waits for that.
func drip(nc net.Conn, b []byte) (wait func()) {
	var wg sync.WaitGroup
	wg.Go(func() {
		for _, c := range b {
			time.Sleep(900 * time.Millisecond)
			if _, err := nc.Write([]byte{c}); err != nil {
				return
			}
		}
	})
	return wg.Wait
}

// The time of a handshake is bounded as a whole: dripping does not prolong it.
func TestDrip(t *testing.T) {
	for name, rest := range map[string]int{"before the info-hash": 0, "after the answer": wire.InfoHashEnd} {
		t.Run("accepted, "+name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := pair(t)
				start := time.Now()
				ended := accept(near)
				b := wire.AppendHandshake(nil, theirs)
				far.Write(b[:rest])
				defer drip(far, b[rest:])()
				if o := <-ended; !errors.Is(o.err, os.ErrDeadlineExceeded) {
					t.Errorf("ended with %v", o.err)
				}
				if d := time.Since(start).Round(time.Second); d != HandshakeTimeout {
					t.Errorf("ended after %v", d)
				}
			})
		})
	}
	t.Run("dialled", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			near, far := pair(t)
			start := time.Now()
			defer drip(near, wire.AppendHandshake(nil, ours))()
			if _, err := Dial(far, theirs); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("ended with %v", err)
			}
			if d := time.Since(start).Round(time.Second); d != HandshakeTimeout {
				t.Errorf("ended after %v", d)
			}
			far.Close()
		})
	})
}

// What is no handshake is refused at its first wrong byte, without an answer.
func TestWrongProtocol(t *testing.T) {
	good := wire.AppendHandshake(nil, theirs)
	for at := range 20 {
		for _, dial := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				near, far := pair(t)
				bad := slices.Clone(good[:at+1])
				bad[at] ^= 0x20
				var err error
				if dial {
					far.Write(bad)
					_, err = Dial(near, ours)
				} else {
					ended := accept(near)
					far.Write(bad)
					err = (<-ended).err
					if b, _ := io.ReadAll(far); len(b) != 0 {
						t.Errorf("wrong at byte %d: %d bytes of an answer", at, len(b))
					}
				}
				if !errors.Is(err, wire.ErrProtocol) {
					t.Errorf("wrong at byte %d (dialled: %v): %v", at, dial, err)
				}
			})
		}
	}
}

// Who asks for what is not here gets no byte.
func TestUnknownInfoHash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := pair(t)
		ended := accept(near)
		far.Write(wire.AppendHandshake(nil, shake("another torrent", "-XX0000-theirs")))
		if o := <-ended; !errors.Is(o.err, ErrUnknown) {
			t.Errorf("ended with %v", o.err)
		}
		if b, _ := io.ReadAll(far); len(b) != 0 {
			t.Errorf("%d bytes of an answer", len(b))
		}
	})
}

// An answer for another torrent than was asked for is none.
func TestAnswerForAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := pair(t)
		near.Write(wire.AppendHandshake(nil, shake("another torrent", "-XX0000-theirs")))
		if _, err := Dial(far, theirs); !errors.Is(err, wire.ErrProtocol) || !strings.Contains(err.Error(), "another torrent") {
			t.Errorf("ended with %v", err)
		}
	})
}

// A stream that ends in the middle is told as such, wherever that is.
func TestHandshakeBrokenOff(t *testing.T) {
	b := wire.AppendHandshake(nil, theirs)
	for _, at := range []int{0, 1, 19, 47, 48, 60, 67} {
		synctest.Test(t, func(t *testing.T) {
			near, far := pair(t)
			ended := accept(near)
			far.Write(b[:at])
			far.(interface{ CloseWrite() error }).CloseWrite()
			o := <-ended
			if !errors.Is(o.err, io.EOF) && !errors.Is(o.err, io.ErrUnexpectedEOF) {
				t.Errorf("broken off at %d: %v", at, o.err)
			}
			near, far = pair(t)
			near.Write(b[:at])
			near.(interface{ CloseWrite() error }).CloseWrite()
			if _, err := Dial(far, ours); !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("an answer broken off at %d: %v", at, err)
			}
		})
	}
}
