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

// Multicaster is a Network that can send to multicast groups on the links of this machine.
type Multicaster interface {
	// JoinGroup receives datagrams to a group, on every link that the policy allows. Several
	// programs of a machine can do so at once.
	JoinGroup(group netip.AddrPort) (GroupConn, error)
}

// GroupConn is a socket in a group. ReadFrom and Send may run at the same time in different
// goroutines; Close makes a waiting ReadFrom return an error that is net.ErrClosed.
type GroupConn interface {
	// ReadFrom waits for a datagram, as that of a PacketConn does. It also returns our own.
	ReadFrom(b []byte) (int, netip.AddrPort, error)
	// Send sends one datagram to the group on every link; it returns an error when all links
	// failed.
	Send(b []byte) error
	// Links returns the networks of the links, at most a minute old.
	Links() []netip.Prefix
	Close() error
}

const (
	// maxLinks bounds the links that we use: a machine with many has most of them for containers.
	maxLinks = 16
	// lookAtLinks is the time between two looks for new or lost links.
	lookAtLinks = time.Minute
	// groupTTL keeps what we send on the link: routers do not forward it.
	groupTTL = 1
)

// ErrNoLink is returned when no link can carry datagrams to a group.
var ErrNoLink = errors.New("no network link for multicast")

// groupConn is a socket of the system in a group.
type groupConn struct {
	conn   *net.UDPConn
	four   *ipv4.PacketConn // one of the two
	six    *ipv6.PacketConn
	group  netip.AddrPort
	policy Policy
	source netip.Addr // chosen source address; invalid when any will do

	mu     sync.Mutex // guards everything below; held while links are examined and sent to
	looked time.Time
	links  []link
}

type link struct {
	ifi    net.Interface
	own    netip.Addr     // our address on the link: the source of what we send there
	nets   []netip.Prefix // networks of the group's family
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
	// This binds the port so that other programs can, too, and joins on one link.
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

// find returns the links that the policy allows.
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

// link returns a link with our address and its networks, of the group's family. The address is
// invalid when we must not use the link: it is down, is point-to-point, or lies outside the policy.
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

// take joins the group on new links, and drops links that are gone.
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

// sendOn sends on one link. It sets the source for IPv4, where the system could take an address of
// another link; for IPv6 the system knows the right one, unless the user chose one.
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
