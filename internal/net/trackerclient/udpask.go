package trackerclient

import (
	"context"
	crand "crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"shoal/internal/format/tracker"
)

// BEP 15 makes a client wait for 15 s, then 30, 60 and so on for over an hour. No client does:
// packets get lost, so we repeat one soon; and after 15 s of silence, the first wait of BEP 15, we
// go on to the next tracker (decision 0080).
var resends = [...]time.Duration{0, 3 * time.Second, 9 * time.Second}

const (
	giveUp = 15 * time.Second // after the first packet

	// headStart is how long we try one address of a tracker before we try the next beside it. Four
	// silent addresses in a row would take longer than an announce may.
	headStart = 6 * time.Second

	// maxAsking bounds the packets that wait for an answer. The engine's dispatcher stays far below
	// it.
	maxAsking = 4096

	// maxIDs is how many transaction ids one exchange needs at most: for an announce with a kept
	// connection id, a connect, and the announce again.
	maxIDs = 3
)

// A waiter is one exchange with one address of a tracker. Its ids stay valid until it ends: a late
// answer to an earlier packet counts.
type waiter struct {
	from  netip.AddrPort
	reply chan tracker.UDPReply // has room for one reply per transaction id
	ids   []uint32
	odd   string // description of an answer that does not count; guarded by the socket's lock
}

// awaited is the meaning of a transaction id.
type awaited struct {
	by   *waiter
	want tracker.Action
}

// deliver hands a packet to the exchange that waits for it, by its transaction id. A packet from
// another address than ours went to is not from the tracker. Of the rest, one packet answers each
// id, and a packet that is not an answer leaves a note for the error (decision 0169).
func (s *udpSocket) deliver(b []byte, from netip.AddrPort) {
	r, whole := tracker.ParseUDPReply(b)
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.waiting[r.TID]
	switch {
	case !ok || len(b) < tracker.MinUDPReply:
		return
	case a.by.from != from:
		a.by.odd = fmt.Sprintf("a packet came from another address, %v", from)
		return
	case r.Action != a.want && r.Action != tracker.ActionError:
		a.by.odd = fmt.Sprintf("a packet came with action %d instead of %d", r.Action, a.want)
		return
	case !whole:
		a.by.odd = fmt.Sprintf("a packet of %d bytes came, which is too short", len(b))
		return
	}
	delete(s.waiting, r.TID)
	r, _ = tracker.ParseUDPReply(append([]byte(nil), b...))
	a.by.reply <- r // never blocks: each id gets one reply
}

// await registers one more transaction id for an exchange.
func (s *udpSocket) await(w *waiter, want tracker.Action) (tid uint32, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) >= maxAsking {
		return 0, errors.New("more than 4096 UDP announces in progress: try again later")
	}
	for {
		// A stranger that can guess the id can answer in the tracker's name.
		var b [4]byte
		crand.Read(b[:])
		tid = binary.BigEndian.Uint32(b[:])
		if _, taken := s.waiting[tid]; !taken {
			s.waiting[tid] = awaited{w, want}
			w.ids = append(w.ids, tid)
			return tid, nil
		}
	}
}

func (s *udpSocket) forget(w *waiter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, tid := range w.ids {
		delete(s.waiting, tid)
	}
}

// silence returns the error of an exchange without an answer.
func (s *udpSocket) silence(w *waiter) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.odd != "" {
		return fmt.Errorf("%w: %s", ErrSilent, w.odd)
	}
	return ErrSilent
}

// ask sends a packet at once, and again at the times in again, and waits for a reply of the wanted
// kind, or an error of the tracker, until patience ends with ErrSilent. A late answer to an earlier
// packet of w counts, too, and has another transaction id. A late error does not, since the packet
// in progress can still succeed.
func (s *udpSocket) ask(ctx context.Context, w *waiter, want tracker.Action, again []time.Duration, patience time.Duration, packet func(tid uint32) []byte) (r tracker.UDPReply, late bool, err error) {
	tid, err := s.await(w, want)
	if err != nil {
		return tracker.UDPReply{}, false, err
	}
	b := packet(tid)
	begun := time.Now()
	for {
		next := patience
		if len(again) > 0 {
			next = again[0]
		}
		timer := time.NewTimer(next - time.Since(begun))
		select {
		case r := <-w.reply:
			timer.Stop()
			switch late := r.TID != tid; {
			case r.Action != tracker.ActionError:
				return r, late, nil
			case !late:
				return r, false, r.Failure()
			}
		case <-timer.C:
			if len(again) == 0 {
				return tracker.UDPReply{}, false, s.silence(w)
			}
			again = again[1:]
			if err := s.conn.WriteTo(b, w.from); err != nil {
				return tracker.UDPReply{}, false, err
			}
		case <-s.ended:
			timer.Stop()
			return tracker.UDPReply{}, false, net.ErrClosed
		case <-ctx.Done():
			timer.Stop()
			return tracker.UDPReply{}, false, ctx.Err()
		}
	}
}

// exchange talks to one address of a tracker: it gets a connection id unless a kept one is valid,
// and then sends the request. An id that the tracker does not know, or does not answer, is replaced
// once: the tracker may have restarted.
func (s *udpSocket) exchange(ctx context.Context, to netip.AddrPort, want tracker.Action, packet func(conn uint64, tid uint32) []byte) (tracker.UDPReply, error) {
	w := &waiter{from: to, reply: make(chan tracker.UDPReply, maxIDs)}
	defer s.forget(w)
	if id, kept := s.connection(to); kept {
		r, _, err := s.ask(ctx, w, want, resends[:1], resends[1], func(tid uint32) []byte { return packet(id, tid) })
		if !stale(err) {
			return r, err
		}
		s.disconnected(to)
	}
	r, late, err := s.ask(ctx, w, tracker.ActionConnect, resends[:], giveUp, func(tid uint32) []byte {
		return tracker.AppendUDPConnect(nil, tid)
	})
	if err != nil || late {
		return r, err
	}
	id := r.ConnectionID()
	s.connected(to, id)
	r, _, err = s.ask(ctx, w, want, resends[:], giveUp, func(tid uint32) []byte { return packet(id, tid) })
	if stale(err) {
		s.disconnected(to)
	}
	if errors.Is(err, ErrSilent) {
		err = fmt.Errorf("it sent a connection id, but then %w", err)
	}
	return r, err
}

// stale reports whether an error can mean that the tracker does not know the connection id. BEP 15
// has no code for that: some trackers stay silent, others send text. The words below are those of
// deployed trackers, misprints included.
func stale(err error) bool {
	var failure *tracker.FailureError
	if !errors.As(err, &failure) {
		return errors.Is(err, ErrSilent)
	}
	text := strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.ToLower(failure.Reason))
	for _, word := range []string{"connectionid", "connid", "connectioncookie", "cookievalue", "connectionexpired", "invalidconnection", "unknownconnection", "notconnected"} {
		if strings.Contains(text, word) {
			return true
		}
	}
	return text == "" // an error without text can be about the id as well
}

// askUDP talks to the addresses of a tracker: the first, and beside it the next whenever those
// before have failed or been silent for headStart. The first answer counts, also a refusal.
func (c *Client) askUDP(ctx context.Context, to target, w family, want tracker.Action, packet func(conn uint64, tid uint32) []byte) (tracker.UDPReply, netip.Addr, error) {
	fail := func(op string, err error) (tracker.UDPReply, netip.Addr, error) {
		return tracker.UDPReply{}, netip.Addr{}, &Error{Host: to.authority, Op: op, Err: cause(ctx, err)}
	}
	addrs := c.permitted(to, w.addrs, false)
	if len(addrs) == 0 {
		return fail("send", forbidden(to))
	}
	s, err := c.socket(w.local)
	if err != nil {
		return fail("open a UDP socket", err)
	}
	r, from, err := inTurn(ctx, addrs, func(ctx context.Context, a netip.Addr) (tracker.UDPReply, error) {
		return s.exchange(ctx, netip.AddrPortFrom(a, to.port), want, packet)
	})
	var failure *tracker.FailureError
	switch {
	case errors.As(err, &failure):
		return fail("read the reply", failure)
	case err != nil:
		return fail("ask", err)
	}
	return r, from, nil
}

// inTurn calls ask for addrs one after the other, each headStart after the one before or as soon as
// that fails, and returns the first answer. It returns after all calls that it started have ended.
func inTurn(ctx context.Context, addrs []netip.Addr, ask func(context.Context, netip.Addr) (tracker.UDPReply, error)) (tracker.UDPReply, netip.Addr, error) {
	type answer struct {
		i   int
		r   tracker.UDPReply
		err error
	}
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	answers := make(chan answer, len(addrs))
	failed := make([]error, len(addrs))
	next := time.NewTimer(0)
	defer next.Stop()
	for begun, ended := 0, 0; ended < len(addrs); {
		select {
		case <-next.C:
			if i := begun; i < len(addrs) {
				begun++
				all.Go(func() {
					r, err := ask(ctx, addrs[i])
					answers <- answer{i, r, err}
				})
				next.Reset(headStart)
			}
		case a := <-answers:
			var failure *tracker.FailureError
			if a.err == nil || errors.As(a.err, &failure) {
				return a.r, addrs[a.i], a.err
			}
			failed[a.i] = a.err
			ended++
			next.Reset(0)
		}
	}
	return tracker.UDPReply{}, netip.Addr{}, worst(failed)
}
