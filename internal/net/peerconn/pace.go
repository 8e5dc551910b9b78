package peerconn

import "shoal/internal/value/block"

// turn waits until size bytes, a part or some blocks, may be sent. The control bytes of p
// do not wait: they go with the others when these go at once, else before them, and what
// comes meanwhile goes when it comes. It reports false where blocks were taken back while
// it waited.
func (w *writer) turn(p *pending, size int) (granted bool, err error) {
	up := &w.c.up
	if up.Quantum() == 0 {
		return true, nil
	}
	up.Charge(len(p.control))
	if up.Ask(size) {
		return true, nil
	}
	w.release()
	for {
		if len(p.control) > 0 {
			if err := w.send(p, 0); err != nil {
				up.Leave()
				return false, err
			}
		}
		select {
		case <-up.C():
			return true, nil
		case <-w.c.done:
			up.Leave()
			return false, errEnded
		case <-w.c.out.wake:
		}
		control, last, taken := w.c.out.urgent(w.more)
		w.more, p.control = control, control
		up.Charge(len(control))
		if last != nil {
			// The last words are said; what waits for its turn is none of them.
			up.Leave()
			if len(control) > 0 {
				err = w.send(p, 0)
			}
			if err == nil {
				err = last
			}
			return false, err
		}
		if taken {
			up.Leave()
			return false, nil // the control bytes go next
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
