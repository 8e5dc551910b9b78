package trackerclient

import "time"

func (c *client) stray(at time.Time) {
	c.session = session{} // the whole of it may be set
	c.session.opened()
	c.session.open = !at.IsZero()         // want parts: stray.go assigns open of session
	c.session.tries["a"]++                // want parts: assigns tries
	delete(c.session.tries, "a")          // want parts: assigns tries
	c.session.order[0] = "b"              // want parts: assigns order
	c.count, _ = 2, 3                     // want parts: assigns count of session2
	for c.session.open = range once(at) { // want parts: assigns open
	}
}

func once(time.Time) func(func(bool) bool) { return nil }

// wide has more fields than a struct may have.
type wide struct { // want size: wide has 33 fields
	a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y, z int
	a1, b1, c1, d1, e1, f1, g1                                                   int
}

// table is as wide, and says why.
//
//shoal:fields one for each letter
type table struct {
	a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y, z int
	a1, b1, c1, d1, e1, f1, g1                                                   int
}
