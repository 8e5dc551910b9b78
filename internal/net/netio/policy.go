package netio

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
)

// Policy restricts a Network made by New. The zero Policy allows everything.
type Policy struct {
	// LoopbackOnly keeps every byte on this machine. It refuses dialling, listening on and sending
	// to any address that is not a loopback one, and every name other than localhost, since a
	// lookup would query another machine.
	LoopbackOnly bool
	// Sources, if any, are the local addresses for dialled streams: the first of the destination's
	// family, where an unspecified one lets the system choose. Destinations of another family are
	// refused, so that nothing leaves from an address that the user did not choose.
	Sources []netip.Addr
}

// source returns the source address for a destination; an invalid one lets the system choose.
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

// PolicyFor returns the policy of a program that listens on these addresses. If all of them are
// loopback addresses, it allows only the loopback. Specific addresses become Sources. No address,
// or only unspecified ones, restrict nothing.
func PolicyFor(listen []netip.AddrPort) (p Policy) {
	p.LoopbackOnly = len(listen) > 0
	for _, l := range listen {
		a := l.Addr().Unmap()
		p.LoopbackOnly = p.LoopbackOnly && a.IsLoopback()
		// Of several addresses, the one that reaches farthest is the source.
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

// ErrPolicy matches every error in which the policy forbade something.
var ErrPolicy = errors.New("forbidden by network policy")

// A PolicyError says what the policy forbade. It matches ErrPolicy.
type PolicyError struct {
	Op   string // "dial", "listen", "send" or "resolve"
	Host string // the address or name
	Rule string // rule that forbids it
}

// Error names the operation, the address and the rule.
func (e *PolicyError) Error() string {
	return e.Op + " " + e.Host + ": " + ErrPolicy.Error() + " (" + e.Rule + ")"
}

// The rules in a PolicyError.
const (
	ruleLoopback = "loopback only"
	ruleSource   = "not reached from the chosen address"
)

// Unwrap returns ErrPolicy.
func (e *PolicyError) Unwrap() error { return ErrPolicy }

// checkAddr returns an error unless the policy allows op with a.
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
