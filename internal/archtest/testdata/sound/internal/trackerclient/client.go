// Package trackerclient goes out through the door.
package trackerclient

import (
	"context"
	"net"
	"net/http"

	"sound/internal/netio"
)

// New gives a client that dials as it is told, to addresses it was given.
func New() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext: func(_ context.Context, _, addr string) (net.Conn, error) { return netio.Dial(addr) },
	}}
}
