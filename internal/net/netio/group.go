package netio

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// Multicaster is a Network that can speak to groups on the links of this machine.
type Multicaster interface {
	// JoinGroup listens for what is sent to a group, on every link that may be used.
	// Several programs of a machine can do so at once.
	JoinGroup(group netip.AddrPort) (GroupConn, error)
}

// GroupConn is a socket in a group. ReadFrom and Send may be called at the same time from
// different goroutines; Close makes a waiting ReadFrom return an error that is net.ErrClosed.
type GroupConn interface {
	// ReadFrom waits for a datagram as that of a PacketConn does. Our own come back, too.
	ReadFrom(b []byte) (int, netip.AddrPort, error)
	// Send sends one datagram to the group on every link; the error is that of all links.
	Send(b []byte) error
	// Links gives the networks of the links, as of a minute ago at the most.
	Links() []netip.Prefix
	Close() error
}

const (
	// maxLinks bounds the links that are used: a machine with many has most of them for
	// containers.
	maxLinks = 16
	// lookAtLinks is how often it is looked whether links came or went.
	lookAtLinks = time.Minute
	// groupTTL keeps what we send on the link: no router passes it on.
	groupTTL = 1
)

// ErrNoLink is returned where no link can carry datagrams to a group.
var ErrNoLink = errors.New("no network link for multicast")

// groupConn is a socket of the system in a group.
type groupConn struct {
	conn   *net.UDPConn
	four   *ipv4.PacketConn // one of the two
	six    *ipv6.PacketConn
	group  netip.AddrPort
	policy Policy
	source netip.Addr // the one chosen; invalid when the system takes any

	mu     sync.Mutex // guards all below, while links are looked at and sent to
	looked time.Time
	links  []link
}

type link struct {
	ifi    net.Interface
	own    netip.Addr     // our address on it: the source of what is sent there
	nets   []netip.Prefix // of the group's family
	joined bool
}

func (s *system) JoinGroup(group netip.AddrPort) (GroupConn, error) {
	group = unmap(group)
	if !group.Addr().IsMulticast() || group.Port() == 0 {
		return nil, fmt.Errorf("join %v: %w", group, ErrAddress)
	}
	source, err := s.policy.source(group.Addr())
	if err != nil {
		return nil, err
	}
	c := &groupConn{group: group, policy: s.policy, source: source}
	links := c.find()
	if len(links) == 0 {
		return nil, fmt.Errorf("join %v: %w", group, ErrNoLink)
	}
	// This binds the port so that others can, too, and joins on one link.
	if c.conn, err = net.ListenMulticastUDP(family("udp", group.Addr()), &links[0].ifi, net.UDPAddrFromAddrPort(group)); err != nil {
		return nil, fmt.Errorf("join %v on %s: %w", group, links[0].ifi.Name, err)
	}
	if group.Addr().Is4() {
		c.four = ipv4.NewPacketConn(c.conn)
		err = errors.Join(c.four.SetMulticastLoopback(true), c.four.SetMulticastTTL(groupTTL))
	} else {
		c.six = ipv6.NewPacketConn(c.conn)
		err = errors.Join(c.six.SetMulticastLoopback(true), c.six.SetMulticastHopLimit(groupTTL))
	}
	if err != nil {
		c.conn.Close()
		return nil, fmt.Errorf("join %v: %w", group, err)
	}
	links[0].joined = true
	c.take(links)
	return c, nil
}

// find gives the links that may be used.
func (c *groupConn) find() (links []link) {
	all, err := net.Interfaces()
	if err != nil {
		return nil
	}
	for _, ifi := range all {
		if len(links) == maxLinks {
			break
		}
		if l := c.link(ifi); l.own.IsValid() {
			links = append(links, l)
		}
	}
	return links
}

// link gives a link with our address and its networks, of the group's family; without an
// address where it may not be used: it is down, or leads to one machine only, or is not
// where we are to be.
func (c *groupConn) link(ifi net.Interface) (l link) {
	switch on := func(f net.Flags) bool { return ifi.Flags&f != 0 }; {
	case !on(net.FlagUp) || on(net.FlagLoopback) != c.policy.LoopbackOnly:
		return link{}
	case !c.policy.LoopbackOnly && (!on(net.FlagMulticast) || on(net.FlagPointToPoint)):
		return link{}
	}
	addrs, err := ifi.Addrs()
	if err != nil {
		return link{}
	}
	l.ifi = ifi
	for _, a := range addrs {
		p, err := netip.ParsePrefix(a.String())
		if err != nil || p.Addr().Is4() != c.group.Addr().Is4() {
			continue
		}
		switch {
		case !c.source.IsValid() && !l.own.IsValid():
			l.own = p.Addr()
		case c.source.IsValid() && (p.Addr() == c.source || c.policy.LoopbackOnly && p.Contains(c.source)):
			l.own = c.source // all of 127.0.0.0/8 is ours
		}
		l.nets = append(l.nets, p.Masked())
	}
	return l
}

// take joins the group on links that are new, and forgets those that are gone.
func (c *groupConn) take(links []link) {
	c.looked = time.Now()
	for i := range links {
		l := &links[i]
		if slices.ContainsFunc(c.links, func(o link) bool { return o.joined && o.ifi.Index == l.ifi.Index && o.ifi.Name == l.ifi.Name }) {
			l.joined = true
		}
		if l.joined {
			continue
		}
		group := &net.UDPAddr{IP: c.group.Addr().AsSlice()}
		if c.four != nil {
			l.joined = c.four.JoinGroup(&l.ifi, group) == nil
		} else {
			l.joined = c.six.JoinGroup(&l.ifi, group) == nil
		}
	}
	c.links = slices.DeleteFunc(links, func(l link) bool { return !l.joined })
}

func (c *groupConn) ReadFrom(b []byte) (int, netip.AddrPort, error) {
	for {
		n, from, err := c.conn.ReadFromUDPAddrPort(b)
		if err != nil && tooLong(err) {
			continue
		}
		return n, unmap(from), err
	}
}

func (c *groupConn) Send(b []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.looked) >= lookAtLinks {
		c.take(c.find())
	}
	if len(c.links) == 0 {
		return fmt.Errorf("send to %v: %w", c.group, ErrNoLink)
	}
	var failed error
	sent := false
	for i := range c.links {
		if err := c.sendOn(&c.links[i], b); err != nil {
			failed = err
		} else {
			sent = true
		}
	}
	if sent {
		return nil
	}
	return failed
}

// sendOn sends on one link. The source is given for IPv4, where the system would else take
// an address of another link; for IPv6 it knows which fits, unless one was chosen.
func (c *groupConn) sendOn(l *link, b []byte) (err error) {
	to := net.UDPAddrFromAddrPort(c.group)
	if c.four != nil {
		if err = c.four.SetMulticastInterface(&l.ifi); err == nil {
			_, err = c.four.WriteTo(b, &ipv4.ControlMessage{IfIndex: l.ifi.Index, Src: l.own.AsSlice()}, to)
		}
	} else if err = c.six.SetMulticastInterface(&l.ifi); err == nil {
		cm := &ipv6.ControlMessage{IfIndex: l.ifi.Index}
		if c.source.IsValid() {
			cm.Src = l.own.AsSlice()
		}
		_, err = c.six.WriteTo(b, cm, to)
	}
	if err != nil {
		return fmt.Errorf("send to %v on %s: %w", c.group, l.ifi.Name, err)
	}
	return nil
}

func (c *groupConn) Links() (nets []netip.Prefix) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.links {
		nets = append(nets, l.nets...)
	}
	return nets
}

func (c *groupConn) Close() error { return c.conn.Close() }
