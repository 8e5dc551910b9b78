// Package crowd decides which torrents may have one more connection when their engine
// has as many as it may: each connection is an open file, two goroutines and some memory,
// and the systems and routers of users bear a few hundred.
//
// While there is room everybody may. When there is none, a torrent that has less than an
// equal part of all gets the place of a connection of the one that has most. So one large
// swarm does not keep the others out, and nobody who has no more than its part can
// be made to lose what it has. A torrent with its part or more gets the place of a connection
// of its own that only holds one.
//
// Where there are more torrents than connections, the part of each is one, and some have
// none. Such a torrent gets the place of a connection that is of no use at the moment, of
// whichever torrent, and else waits in a line until another connection ends.
//
// A Crowd is owned by one goroutine, or guarded. It is no matter of any BEP.
// Decisions 0110 and 0163 say why.
package crowd

import "slices"

// Share is what one torrent has of the connections. The zero Share has none.
type Share struct {
	// Owner is for whoever asks.
	Owner any
	// Idle says that one of its connections only holds a place, and goes when another comes.
	Idle bool
	// Spare says that one of its connections is of no use at the moment: it goes when a
	// torrent without any needs its place.
	Spare bool

	n     int
	waits bool // it is in the line
}

// Count is the number of connections it has.
func (s *Share) Count() int { return s.n }

// Crowd is the connections of one engine.
type Crowd struct {
	limit  int
	total  int
	shares []*Share // of those that have connections, in the order in which they came to have some
	line   []*Share // of those that wait for room, each once, so never more than torrents
}

// New makes a crowd that may have so many connections.
func New(limit int) *Crowd { return &Crowd{limit: limit} }

// Total is the number of connections, and Limit how many there may be.
func (c *Crowd) Total() int { return c.total }

// Limit is the number of connections that there may be.
func (c *Crowd) Limit() int { return c.limit }

// Admits reports whether the torrent of s may have one more connection. If from is not
// nil, its torrent is to give one up for it. What is still being dialled, and who is just
// shaking hands, do not count: these have bounds of their own.
func (c *Crowd) Admits(s *Share) (ok bool, from *Share) {
	if c.total < c.limit {
		return true, nil
	}
	torrents := len(c.shares)
	if s.n == 0 {
		torrents++
	}
	part := max(1, c.limit/torrents)
	if s.n >= part {
		if s.Idle && s.n > 0 {
			return true, s
		}
		return false, nil
	}
	most := s
	for _, o := range c.shares {
		if o.n > most.n {
			most = o
		}
	}
	if most.n > part {
		return true, most // a remainder is not moved to and fro
	}
	if s.n == 0 {
		for _, o := range c.shares {
			if o.Spare {
				return true, o
			}
		}
	}
	return false, nil
}

// Wait puts a torrent that found no room at the end of the line.
func (c *Crowd) Wait(s *Share) {
	if !s.waits {
		s.waits = true
		c.line = append(c.line, s)
	}
}

// Next takes the first torrent that there is room for out of the line; nil for none. The
// caller tells it, and asks again when that torrent makes no use of the room.
func (c *Crowd) Next() *Share {
	for i, s := range c.line {
		if ok, from := c.Admits(s); ok && from != s {
			c.unline(i)
			return s
		}
	}
	return nil
}

// Forget takes a torrent out of the line.
func (c *Crowd) Forget(s *Share) {
	if s.waits {
		c.unline(slices.Index(c.line, s))
	}
}

func (c *Crowd) unline(i int) {
	c.line[i].waits = false
	c.line = slices.Delete(c.line, i, i+1)
}

// Enter says that a torrent has one more connection, and Leave that it has one less.
func (c *Crowd) Enter(s *Share) {
	if s.n == 0 {
		c.shares = append(c.shares, s)
	}
	s.n++
	c.total++
}

// Leave says that a connection of a torrent has ended.
func (c *Crowd) Leave(s *Share) {
	s.n--
	c.total--
	if s.n == 0 {
		i := slices.Index(c.shares, s)
		c.shares = slices.Delete(c.shares, i, i+1)
	}
}
