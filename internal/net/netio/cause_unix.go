//go:build unix

package netio

import "syscall"

// causes are the numbers that calls on streams return. EPIPE is a write after the other
// end had closed; ENOTCONN and ENETRESET say that the stream is gone.
var causes = map[Cause][]error{
	Closed:      {syscall.EPIPE, syscall.ENOTCONN, syscall.ESHUTDOWN},
	Reset:       {syscall.ECONNRESET, syscall.ECONNABORTED, syscall.ENETRESET},
	Refused:     {syscall.ECONNREFUSED},
	TimedOut:    {syscall.ETIMEDOUT},
	Unreachable: {syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.EHOSTDOWN, syscall.ENETDOWN, syscall.EAFNOSUPPORT},
	Forbidden:   {syscall.EACCES, syscall.EPERM, ErrPolicy},
	Exhausted:   {syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EADDRNOTAVAIL},
}
