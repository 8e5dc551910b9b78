package peerconn

import "shoal/internal/value/block"

// turn waits until size bytes, a part or some blocks, may be sent. The control bytes of p do not
// wait: they go with the others when those go at once, else before them. Control bytes that arrive
// meanwhile go at once, too. quantum is the turn's; 0 without a limit. turn returns false when blocks were
// taken back while it waited.
func (w *writer) turn(p *pending, size, quantum int) (granted bool, err error) {
	up := &w.c.up
	if quantum == 0 {
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
			// The last messages are sent; what waits for its turn is not among them.
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
			return false, nil // send the control bytes first
		}
	}
}

// cut shortens a read buffer to what the limit allows at once.
func cut(room []byte, quantum int) []byte {
	if quantum > 0 && quantum < len(room) {
		return room[:quantum]
	}
	return room
}

// guesses reports whether guessing whole blocks is worthwhile under a limit.
func guesses(quantum int) bool { return quantum == 0 || quantum >= 2*block.Size }

// pay waits, after a read of n bytes, until the limit allows that many. The reader reads nothing
// meanwhile, so the peer's window fills. Only payload waits, and it is paid for a block at a time
// where the limit allows a block in a tenth of a second. pay returns false when the connection has
// ended (decisions 0096 and 0201).
func (rd *reader) pay(n int) bool {
	fresh := rd.payload - rd.unpaid
	down := &rd.c.down
	quantum := down.Quantum()
	if quantum == 0 {
		rd.payload, rd.unpaid = 0, 0
		return true
	}
	down.Charge(n - fresh)
	if rd.cur != nil && rd.payload < quantum {
		rd.unpaid = rd.payload // the rest of the block comes first
		return true
	}
	payload := rd.payload
	rd.payload, rd.unpaid = 0, 0
	if payload == 0 || down.Ask(payload) {
		return true
	}
	if rd.ahead != nil {
		rd.ahead.release()
	}
	rd.src.quiet()
	select {
	case <-down.C():
		return true
	case <-rd.c.done:
		down.Leave()
		return false
	}
}
