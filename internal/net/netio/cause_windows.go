package netio

import "syscall"

// causes are the error numbers of calls on streams, in Winsock.
var causes = map[Cause][]error{
	Closed:      {syscall.Errno(10057), syscall.Errno(10058), syscall.EPIPE},                              // WSAENOTCONN, WSAESHUTDOWN
	Reset:       {syscall.Errno(10054), syscall.Errno(10053), syscall.Errno(10052)},                       // WSAECONNRESET, WSAECONNABORTED, WSAENETRESET
	Refused:     {syscall.Errno(10061)},                                                                   // WSAECONNREFUSED
	TimedOut:    {syscall.Errno(10060)},                                                                   // WSAETIMEDOUT
	Unreachable: {syscall.Errno(10065), syscall.Errno(10051), syscall.Errno(10064), syscall.Errno(10050)}, // WSAEHOSTUNREACH, WSAENETUNREACH, WSAEHOSTDOWN, WSAENETDOWN
	Forbidden:   {syscall.Errno(10013), ErrPolicy},                                                        // WSAEACCES
	Exhausted:   {syscall.Errno(10024), syscall.Errno(10055), syscall.Errno(10049)},                       // WSAEMFILE, WSAENOBUFS, WSAEADDRNOTAVAIL
}
