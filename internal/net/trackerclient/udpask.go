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

// BEP 15 has a client wait for 15 s, then 30, 60 and so on for over an hour. Nobody does:
// packets get lost, so one is repeated soon; and a tracker that says nothing for as long
// as BEP 15 waits first is left for the next (decision 0080).
var resends = [...]time.Duration{0, 3 * time.Second, 9 * time.Second}

const (
	giveUp = 15 * time.Second // after the first of the packets

	// headStart is how long one address of a tracker is asked before the next is asked
	// beside it. Four silent addresses in a row would take longer than an announce has.
	headStart = 6 * time.Second

	// maxAsking bounds the packets that an answer is awaited to. The dispatcher of the
	// engine keeps far below it.
	maxAsking = 4096

	// maxIDs is how many transaction ids one exchange needs at most: an announce with a kept
	// connection id, a connect, and the announce again.
	maxIDs = 3
)

// A waiter is one exchange with one address of a tracker. Its ids stay valid until it ends:
// an answer to an earlier packet of it counts, however late it comes.
type waiter struct {
	from  netip.AddrPort
	reply chan tracker.UDPReply // room for one to each transaction id
	ids   []uint32
	odd   string // what came and does not count; guarded by the lock of the socket
}

// awaited is what a transaction id stands for.
type awaited struct {
	by   *waiter
	want tracker.Action
}

// deliver gives a packet to the exchange that awaits it, by its transaction id. What comes
// from another address than was asked is a stranger's word. Of the rest one packet answers
// each id, and what does not answer leaves a note for the error (decision 0169).
func (s *udpSocket) deliver(b []byte, from netip.AddrPort) {
	r, whole := tracker.ParseUDPReply(b)
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.waiting[r.TID]
	switch {
	case !ok || len(b) < tracker.MinUDPReply:
		return
	case a.by.from != from:
		a.by.odd = fmt.Sprintf("an answer from %v does not count", from)
		return
	case r.Action != a.want && r.Action != tracker.ActionError:
		a.by.odd = fmt.Sprintf("what came has action %d instead of %d", r.Action, a.want)
		return
	case !whole:
		a.by.odd = fmt.Sprintf("what came has %d bytes and is too short", len(b))
		return
	}
	delete(s.waiting, r.TID)
	r, _ = tracker.ParseUDPReply(append([]byte(nil), b...))
	a.by.reply <- r // there is room: an id is awaited once
}

// await adds one more transaction id to an exchange.
func (s *udpSocket) await(w *waiter, want tracker.Action) (tid uint32, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) >= maxAsking {
		return 0, errors.New("too many announces under way")
	}
	for {
		// A stranger that could guess it could answer in the tracker's name.
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

// silence is the error of an exchange that nothing answered.
func (s *udpSocket) silence(w *waiter) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.odd != "" {
		return fmt.Errorf("%w: %s", ErrSilent, w.odd)
	}
	return ErrSilent
}

// ask sends a packet at once and again at the times of again, and waits for a reply of the
// kind wanted, or an error of the tracker, until patience ends with ErrSilent. A late answer
// to an earlier packet of w counts too, and has another transaction id; a late error does
// not, since the packet that is under way may fare better.
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

// exchange asks one address of a tracker: for a connection id where there is none that holds,
// and then what is to be asked. An id that the tracker does not know, or that it says nothing
// to, is replaced once: the tracker may have restarted.
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
		err = fmt.Errorf("it gave a connection id, and then %w", err)
	}
	return r, err
}

// stale reports whether an error may come from a connection id that the tracker does not
// know. There is no number for that: some say nothing, others send words. These are those of
// deployed trackers, misprints and all.
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
	return text == "" // an error without words may be about the id as well
}

// askUDP asks the addresses of a tracker: the first, and beside it the next whenever those
// before have failed or are silent for headStart. The first answer counts, be it yes or no.
func (c *Client) askUDP(ctx context.Context, to target, w way, want tracker.Action, packet func(conn uint64, tid uint32) []byte) (tracker.UDPReply, netip.Addr, error) {
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

// inTurn asks addrs one after the other, each headStart behind the one before or as soon as
// it fails, and returns the first answer. It returns when all that it began has ended.
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
