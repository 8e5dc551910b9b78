package netio

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
)

// Policy says what a Network made by New may do. The zero Policy allows all.
type Policy struct {
	// LoopbackOnly keeps every byte on this machine: dialling, listening on and
	// sending to anything but a loopback address is refused, and so is every name
	// other than localhost, since looking it up would ask another machine.
	LoopbackOnly bool
	// Sources, when there are any, are the local addresses of streams dialled: the first
	// of the destination's family, where an unspecified one stands for whichever the
	// system takes. Destinations of a family that is not among them are refused, so that
	// nothing leaves from an address that was not chosen.
	Sources []netip.Addr
}

// source gives the address to leave from for a destination; none when the system is to
// choose.
func (p Policy) source(to netip.Addr) (netip.Addr, error) {
	for _, a := range p.Sources {
		if a = a.Unmap(); a.Is4() == to.Is4() {
			if a.IsUnspecified() {
				return netip.Addr{}, nil
			}
			return a, nil
		}
	}
	if len(p.Sources) > 0 {
		return netip.Addr{}, &PolicyError{Op: "dial", Host: to.String(), Rule: ruleSource}
	}
	return netip.Addr{}, nil
}

// PolicyFor gives the policy of a program that listens on these addresses: it keeps to the
// loopback when all of them are there, and leaves from those that are particular ones. None,
// and an unspecified one alone, leave everything to the system.
func PolicyFor(listen []netip.AddrPort) (p Policy) {
	p.LoopbackOnly = len(listen) > 0
	for _, l := range listen {
		a := l.Addr().Unmap()
		p.LoopbackOnly = p.LoopbackOnly && a.IsLoopback()
		// The address that reaches farthest is the one to leave from.
		i := slices.IndexFunc(p.Sources, func(o netip.Addr) bool { return o.Is4() == a.Is4() })
		switch {
		case i < 0:
			p.Sources = append(p.Sources, a)
		case a.IsUnspecified(), p.Sources[i].IsLoopback() && !a.IsLoopback():
			p.Sources[i] = a
		}
	}
	if !slices.ContainsFunc(p.Sources, func(a netip.Addr) bool { return !a.IsUnspecified() }) {
		p.Sources = nil
	}
	return p
}

// ErrPolicy is matched by every error that says the policy forbade something.
var ErrPolicy = errors.New("forbidden by network policy")

// A PolicyError says what the policy forbade. It matches ErrPolicy.
type PolicyError struct {
	Op   string // "dial", "listen", "send" or "resolve"
	Host string // the address or name
	Rule string // what it goes against
}

// Error names what was attempted.
func (e *PolicyError) Error() string {
	return e.Op + " " + e.Host + ": " + ErrPolicy.Error() + " (" + e.Rule + ")"
}

// The rules a PolicyError names.
const (
	ruleLoopback = "loopback only"
	ruleSource   = "not reached from the chosen address"
)

// Unwrap gives ErrPolicy.
func (e *PolicyError) Unwrap() error { return ErrPolicy }

// checkAddr tells whether op may involve a.
func (p Policy) checkAddr(op string, a netip.Addr) error {
	if p.LoopbackOnly && !a.Unmap().IsLoopback() {
		return &PolicyError{Op: op, Host: a.String(), Rule: ruleLoopback}
	}
	return nil
}

// isLocalhost reports whether host always means this machine (RFC 6761, 6.3).
func isLocalhost(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}
