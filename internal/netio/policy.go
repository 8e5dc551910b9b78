package netio

import (
	"errors"
	"net/netip"
	"strings"
)

// Policy says what a Network made by New may do. The zero Policy allows all.
type Policy struct {
	// LoopbackOnly keeps every byte on this machine: dialling, listening on and
	// sending to anything but a loopback address is refused, and so is every name
	// other than localhost, since looking it up would ask another machine.
	LoopbackOnly bool
	// Source, when set, is the local address of every stream dialled to an
	// address of its family. Destinations of the other family are refused, so that
	// nothing leaves from an address that was not chosen.
	Source netip.Addr
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
