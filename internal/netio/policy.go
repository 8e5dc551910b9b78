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
}

// ErrPolicy is matched by every error that says the policy forbade something.
var ErrPolicy = errors.New("forbidden by network policy")

// A PolicyError says what the policy forbade. It matches ErrPolicy.
type PolicyError struct {
	Op   string // "dial", "listen", "send" or "resolve"
	Host string // the address or name
}

// Error names what was attempted.
func (e *PolicyError) Error() string {
	return e.Op + " " + e.Host + ": " + ErrPolicy.Error() + " (loopback only)"
}

// Unwrap gives ErrPolicy.
func (e *PolicyError) Unwrap() error { return ErrPolicy }

// checkAddr tells whether op may involve a.
func (p Policy) checkAddr(op string, a netip.Addr) error {
	if p.LoopbackOnly && !a.Unmap().IsLoopback() {
		return &PolicyError{Op: op, Host: a.String()}
	}
	return nil
}

// isLocalhost reports whether host always means this machine (RFC 6761, 6.3).
func isLocalhost(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}
