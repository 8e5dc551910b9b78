// Package trackerclient goes out by itself.
package trackerclient

import (
	"crypto/tls"
	stdnet "net"
	"net/http"
	"syscall"
)

var dialer stdnet.Dialer // want door: net.Dialer

var plain http.Client // want door: http.Client without Transport

// Announce tries every way out.
func Announce(url string) {
	_, _ = stdnet.DialTimeout("tcp", url, 1)       // want door: net.DialTimeout
	_, _ = stdnet.LookupHost(url)                  // want door: net.LookupHost
	_, _ = stdnet.ResolveTCPAddr("tcp", url)       // want door: net.ResolveTCPAddr
	_, _ = stdnet.ListenUDP("udp", nil)            // want door: net.ListenUDP
	_, _ = tls.Dial("tcp", url, nil)               // want door: crypto/tls.Dial
	_, _ = syscall.Socket(0, 0, 0)                 // want door: syscall.Socket
	_, _ = http.Get(url)                           // want door: net/http.Get
	_ = http.DefaultTransport                      // want door: net/http.DefaultTransport
	_ = &http.Client{Timeout: 1}                   // want door: http.Client without Transport
	_ = &http.Client{Transport: &http.Transport{}} // want door: http.Transport without DialContext
	_ = new(http.Transport)                        // want door: http.Transport without DialContext
	_ = http.ListenAndServe(url, nil)              // want door: net/http.ListenAndServe
	_ = (&http.Server{Addr: url}).ListenAndServe() // want door: serve on a listener
	_ = (&stdnet.ListenConfig{}).MultipathTCP()    // want door: net.ListenConfig
}
