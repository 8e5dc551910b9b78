package quota

// This file decides which torrents may have one more connection when their engine is at
// its limit: each connection is an open file, two goroutines and some memory, and users'
// systems and routers carry a few hundred.
//
// While there is room, every torrent may. When there is none, a torrent with less than an
// equal share takes a connection from the torrent that has most. So one large swarm can't
// keep the others out, and a torrent at or below its share never loses a connection. A
// torrent with its share or more replaces one of its own connections that only holds a place.
//
// With more torrents than connections, the share of each is one, and some have none. Such a
// torrent takes a connection that is of no use at the moment, from any torrent. Otherwise it
// waits in a line until another connection ends.
//
// A Conns has one owner or a lock. No BEP covers this (decisions 0110 and 0163).

import "slices"

// ConnShare is what one torrent has of the connections. The zero ConnShare has none.
type ConnShare struct {
	// Owner is for the caller.
	Owner any
	// Vacant says that one of its connections only holds a seat, and goes when another peer
	// comes.
	Vacant bool
	// Spare says that one of its connections is of no use at the moment: it goes when a
	// torrent without any needs it.
	Spare bool

	n     int
	waits bool // it is in the line
}

// Count returns the number of its connections.
func (s *ConnShare) Count() int { return s.n }

// Conns is the connections of one engine.
type Conns struct {
	limit  int
	total  int
	shares []*ConnShare // torrents with connections, in the order in which they got the first
	line   []*ConnShare // torrents that wait for room, each once, so never more than torrents
}

// NewConns returns a Conns that may have limit connections.
func NewConns(limit int) *Conns { return &Conns{limit: limit} }

// Total returns the number of connections.
func (c *Conns) Total() int { return c.total }

// Limit returns how many connections there may be.
func (c *Conns) Limit() int { return c.limit }

// Admits reports whether the torrent of s may have one more connection. If from is not nil,
// its torrent must drop one for it. Dials in flight and handshakes in progress do not count:
// they have bounds of their own.
func (c *Conns) Admits(s *ConnShare) (ok bool, from *ConnShare) {
	if c.total < c.limit {
		return true, nil
	}
	torrents := len(c.shares)
	if s.n == 0 {
		torrents++
	}
	part := max(1, c.limit/torrents)
	if s.n >= part {
		if s.Vacant && s.n > 0 {
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
		return true, most // a remainder does not move back and forth
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
func (c *Conns) Wait(s *ConnShare) {
	if !s.waits {
		s.waits = true
		c.line = append(c.line, s)
	}
}

// Next removes the first torrent for which there is room from the line, and returns it; nil:
// none. The caller notifies it, and calls again when that torrent does not use the room.
func (c *Conns) Next() *ConnShare {
	for i, s := range c.line {
		if ok, from := c.Admits(s); ok && from != s {
			c.unline(i)
			return s
		}
	}
	return nil
}

// Forget removes a torrent from the line.
func (c *Conns) Forget(s *ConnShare) {
	if s.waits {
		c.unline(slices.Index(c.line, s))
	}
}

func (c *Conns) unline(i int) {
	c.line[i].waits = false
	c.line = slices.Delete(c.line, i, i+1)
}

// Enter says that a torrent has one more connection.
func (c *Conns) Enter(s *ConnShare) {
	if s.n == 0 {
		c.shares = append(c.shares, s)
	}
	s.n++
	c.total++
}

// Leave says that a connection of a torrent has ended.
func (c *Conns) Leave(s *ConnShare) {
	s.n--
	c.total--
	if s.n == 0 {
		i := slices.Index(c.shares, s)
		c.shares = slices.Delete(c.shares, i, i+1)
	}
}
