package peerconn

import (
	"shoal/internal/block"
	"shoal/internal/wire"
)

// turn waits until the first of the uploads may be sent, and says how many of them. The
// control bytes do not wait: they go with the uploads when these go at once, else
// before them, and what comes meanwhile goes when it comes. It gives those that are not
// sent yet.
func (w *writer) turn(control []byte, uploads []block.Ref) (unsent []byte, n int, err error) {
	up := &w.c.up
	up.Charge(len(control))
	if len(uploads) == 0 {
		return control, 0, nil
	}
	n = min(len(uploads), max(up.Quantum()/block.Size, 1))
	bytes := 0
	for _, r := range uploads[:n] {
		bytes += wire.PieceHeader + int(r.Length)
	}
	if up.Ask(bytes) {
		return control, n, nil
	}
	w.release()
	for {
		if len(control) > 0 {
			if err := w.send(control, nil); err != nil {
				up.Leave()
				return nil, 0, err
			}
		}
		select {
		case <-up.C():
			return nil, n, nil
		case <-w.c.done:
			up.Leave()
			return nil, 0, errEnded
		case <-w.c.out.wake:
		}
		var last error
		control, last = w.c.out.urgent(w.more)
		w.more = control
		up.Charge(len(control))
		if last != nil {
			// The last words are said; blocks that wait for their turn are none.
			up.Leave()
			if len(control) > 0 {
				err = w.send(control, nil)
			}
			if err == nil {
				err = last
			}
			return nil, 0, err
		}
	}
}

// cut gives as much of the room for what is read as a limit leaves at once.
func cut(room []byte, quantum int) []byte {
	if quantum > 0 && quantum < len(room) {
		return room[:quantum]
	}
	return room
}

// guesses reports whether whole blocks are worth a guess under a limit.
func guesses(quantum int) bool { return quantum == 0 || quantum >= 2*block.Size }

// pay waits, after n bytes were read, until that much was due: nothing more is read
// before, so the peer's window fills. Payload alone waits. It reports false when the
// connection has ended.
func (rd *reader) pay(n int) bool {
	payload := rd.payload
	rd.payload = 0
	down := &rd.c.down
	if down.Quantum() == 0 {
		return true
	}
	down.Charge(n - payload)
	if payload == 0 || down.Ask(payload) {
		return true
	}
	if rd.ahead != nil {
		rd.ahead.release()
	}
	select {
	case <-down.C():
		return true
	case <-rd.c.done:
		down.Leave()
		return false
	}
}
