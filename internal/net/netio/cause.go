package netio

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
)

// Cause classifies why a stream could not be opened, or has ended.
type Cause uint8

// The causes.
const (
	Other       Cause = iota // none of those below: show the error's own text
	Closed                   // the other end closed the stream
	Reset                    // the other end, or something on the way, reset it
	Refused                  // nothing accepts connections at that address
	TimedOut                 // no answer came in time
	Unreachable              // no route leads to the address
	Forbidden                // this machine forbids it: a firewall, or a policy
	Exhausted                // this machine has no socket, port or memory left
	Ended                    // we closed it ourselves
)

// words are what people read: addresses and system calls are noise to them.
var words = [...]string{
	Closed:      "the peer closed the connection",
	Reset:       "the peer reset the connection",
	Refused:     "the connection was refused",
	TimedOut:    "the peer did not answer in time",
	Unreachable: "the peer cannot be reached from here",
	Forbidden:   "this machine forbids the connection",
	Exhausted:   "this machine has no free socket",
	Ended:       "the connection was closed here",
}

// CauseOf classifies an error of a stream.
func CauseOf(err error) Cause {
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.ErrClosedPipe):
		return Closed
	case errors.Is(err, net.ErrClosed), errors.Is(err, context.Canceled):
		return Ended
	}
	// A DNS error can be a time-out, too; its own text says more.
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return Other
	}
	for cause, numbers := range causes {
		if slices.ContainsFunc(numbers, func(n error) bool { return errors.Is(err, n) }) {
			return cause
		}
	}
	if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) {
		return TimedOut
	}
	return Other
}

// Plain returns err with words in place of addresses, system calls and numbers, if its cause is
// known. errors.Is still finds what it wraps. nil stays nil.
func Plain(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*plain](err); ok {
		return err
	}
	if c := CauseOf(err); c != Other {
		return &plain{words[c], err}
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Err != nil {
		var call *os.SyscallError
		if errors.As(op.Err, &call) {
			return &plain{call.Err.Error(), err}
		}
		return &plain{op.Err.Error(), err}
	}
	return err
}

type plain struct {
	words string
	err   error
}

func (p *plain) Error() string { return p.words }
func (p *plain) Unwrap() error { return p.err }
