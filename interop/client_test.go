//go:build interop

package interop

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"testing"
)

// A client is a program that shares torrents.
type client interface {
	fmt.Stringer
	// dials reports whether it can be told whom to connect to.
	dials() bool
	// seed starts it on a job whose folder has the content; it returns when
	// the client accepts connections and has checked the content.
	seed(t *testing.T, j job) peer
	// get starts it on a job whose folder is empty; it returns when the client
	// accepts connections.
	get(t *testing.T, j job) peer
}

// A peer is a client at work on one torrent.
type peer interface {
	// complete waits until the client says that it has everything.
	complete(t *testing.T)
	// stop ends it.
	stop()
}

// A job is one torrent to share.
type job struct {
	torrent string // the .torrent file; to get: or a magnet link
	dir     string // where the torrent's folder lies, or will
	listen  netip.AddrPort

	peers    []netip.AddrPort // whom to connect to, where the client can be told
	dht      bool
	dhtNodes []netip.AddrPort // the way into the DHT; the torrent may name more
}

var clients = []client{libtorrent{}, transmission{}, aria2{}}

// lax reports whether the client leaves out empty files.
func lax(c client) bool { return c == transmission{} }

var addresses atomic.Uint32

// newAddr gives a loopback address that nobody else has, with a port that
// nobody else has either: some clients listen on that port of every address.
func newAddr() netip.AddrPort {
	n := addresses.Add(1)
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, byte(1 + n/200), byte(1 + n%200)}), uint16(20000+n))
}

// newAddr6 gives the loopback address of IPv6 with a port that nobody else has.
func newAddr6() netip.AddrPort {
	return netip.AddrPortFrom(netip.IPv6Loopback(), newAddr().Port())
}

// seedOf starts a client as a seed of the payload, in a folder of its own.
func seedOf(t *testing.T, c client, p *payload, j job) peer {
	t.Helper()
	j.dir = t.TempDir()
	p.copyTo(t, j.dir)
	return c.seed(t, j)
}

// listening reports whether somebody listens there, from the kernel's table,
// so that nobody sees a connection that says nothing.
func listening(network string, at netip.AddrPort) bool {
	if at.Addr().Is6() {
		network += "6"
	}
	table, err := os.ReadFile("/proc/net/" + network)
	if err != nil {
		return false
	}
	state := map[byte]string{'t': "0A", 'u': "07"}[network[0]] // listening; bound
	// The kernel shows addresses as words of the machine, which is little-endian.
	var one, all string
	for b := at.Addr().AsSlice(); len(b) > 0; b = b[4:] {
		one += fmt.Sprintf("%02X%02X%02X%02X", b[3], b[2], b[1], b[0])
		all += "00000000"
	}
	one, all = fmt.Sprintf("%s:%04X", one, at.Port()), fmt.Sprintf("%s:%04X", all, at.Port())
	for line := range strings.Lines(string(table)) {
		f := strings.Fields(line)
		if len(f) > 3 && f[3] == state && (f[1] == one || f[1] == all) {
			return true
		}
	}
	return false
}

func strs(addrs []netip.AddrPort) []string {
	s := make([]string, 0, len(addrs))
	for _, a := range addrs {
		s = append(s, a.String())
	}
	return s
}
