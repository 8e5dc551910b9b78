//go:build unix

package netio

import "syscall"

// causes are the error numbers of calls on streams. EPIPE is a write after the other end closed;
// ENOTCONN and ENETRESET mean that the stream is gone.
var causes = map[Cause][]error{
	Closed:      {syscall.EPIPE, syscall.ENOTCONN, syscall.ESHUTDOWN},
	Reset:       {syscall.ECONNRESET, syscall.ECONNABORTED, syscall.ENETRESET},
	Refused:     {syscall.ECONNREFUSED},
	TimedOut:    {syscall.ETIMEDOUT},
	Unreachable: {syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.EHOSTDOWN, syscall.ENETDOWN, syscall.EAFNOSUPPORT},
	Forbidden:   {syscall.EACCES, syscall.EPERM, ErrPolicy},
	Exhausted:   {syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EADDRNOTAVAIL},
}
