package lsdnode

import (
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"shoal/internal/decide/lsd"
	"shoal/internal/net/netio"
	"shoal/internal/simnet"
	"shoal/internal/value/infohash"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ear collects what a node found.
type ear struct {
	mu    sync.Mutex
	found []string
}

func (e *ear) hear(hash [20]byte, peer netip.AddrPort) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if s := string(hash[:1]) + " " + peer.String(); !slices.Contains(e.found, s) {
		e.found = append(e.found, s)
	}
}

func (e *ear) all() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	slices.Sort(e.found)
	return slices.Clone(e.found)
}

func host(n *simnet.Net, i byte) *simnet.Host {
	return n.Host(netip.AddrFrom4([4]byte{192, 168, 1, i}), netip.AddrFrom16([16]byte{0xfd, 15: i}))
}

// Neighbours that share a torrent find each other within a moment, over both families; a
// torrent that was removed is announced no more, and nobody hears himself.
func TestNeighbours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(simnet.Options{Link: simnet.Link{Delay: time.Millisecond}})
		defer n.Close()
		ears := make([]*ear, 3)
		nodes := make([]*Node, 3)
		for i := range nodes {
			ears[i] = &ear{}
			nodes[i] = New(Config{Network: host(n, byte(i+1)), Port: 6881, Port6: 6886, Found: ears[i].hear})
			defer nodes[i].Close()
		}
		nodes[0].Add([20]byte{'a'})
		nodes[1].Add([20]byte{'a'})
		nodes[1].Add([20]byte{'b'})
		nodes[2].Add([20]byte{'c'})
		nodes[2].Add([20]byte{'b'})
		nodes[2].Remove([20]byte{'b'})
		time.Sleep(10 * time.Second)
		for i, want := range [][]string{
			{"a 192.168.1.2:6881", "a [fd00::2]:6886"}, {"a 192.168.1.1:6881", "a [fd00::1]:6886"}, nil,
		} {
			if got := ears[i].all(); !slices.Equal(got, want) {
				t.Errorf("node %d found %v, want %v", i, got, want)
			}
		}
		sent := nodes[0].Stats().Sent
		nodes[0].Remove([20]byte{'a'})
		time.Sleep(time.Hour)
		if s := nodes[0].Stats(); s.Sent != sent || s.Torrents != 0 {
			t.Errorf("%+v after %d announces", s, sent)
		}
	})
}

// A family that is not listened on is left alone.
func TestFamilies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(simnet.Options{})
		defer n.Close()
		both, six := &ear{}, &ear{}
		a := New(Config{Network: host(n, 1), Port: 1, Port6: 2, Found: both.hear})
		defer a.Close()
		b := New(Config{Network: host(n, 2), Port6: 3, Found: six.hear})
		defer b.Close()
		a.Add([20]byte{'a'})
		b.Add([20]byte{'a'})
		time.Sleep(time.Second)
		if got := both.all(); !slices.Equal(got, []string{"a [fd00::2]:3"}) {
			t.Errorf("found %v", got)
		}
		if got := six.all(); !slices.Equal(got, []string{"a [fd00::1]:2"}) {
			t.Errorf("found %v", got)
		}
	})
}

// What is no announce, or comes from afar, does nothing.
func TestNonsense(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(simnet.Options{})
		defer n.Close()
		e := &ear{}
		a := New(Config{Network: host(n, 1), Port: 1, Found: e.hear})
		defer a.Close()
		a.Add([20]byte{'a'})
		announce := lsd.Append(nil, lsd.Group4, lsd.Message{Port: 7, Hashes: []infohash.Hash{{'a'}}})
		for _, from := range []string{"192.168.1.2", "81.1.2.3"} {
			g, err := n.Host(netip.MustParseAddr(from)).JoinGroup(lsd.Group4)
			if err != nil {
				t.Fatal(err)
			}
			defer g.Close()
			for _, b := range [][]byte{nil, []byte("M-SEARCH * HTTP/1.1\r\n\r\n"), make([]byte, 4000), announce} {
				if err := g.Send(b); err != nil {
					t.Fatal(err)
				}
			}
		}
		time.Sleep(time.Second)
		if got := e.all(); !slices.Equal(got, []string{"a 192.168.1.2:7"}) {
			t.Errorf("found %v", got)
		}
	})
}

// offline is a network that has no link at first.
type offline struct {
	*simnet.Host
	mu   sync.Mutex
	up   bool
	asks int
}

func (o *offline) JoinGroup(group netip.AddrPort) (netio.GroupConn, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.asks++; !o.up {
		return nil, netio.ErrNoLink
	}
	return o.Host.JoinGroup(group)
}

// Where there is no network yet the node waits for one, and is heard from then on.
func TestNoNetworkYet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(simnet.Options{})
		defer n.Close()
		late, e := &offline{Host: host(n, 1)}, &ear{}
		a := New(Config{Network: late, Port: 1, Port6: 2, Found: func([20]byte, netip.AddrPort) {}})
		defer a.Close()
		b := New(Config{Network: host(n, 2), Port: 3, Found: e.hear})
		defer b.Close()
		a.Add([20]byte{'a'})
		b.Add([20]byte{'a'})
		time.Sleep(10 * time.Minute)
		if got := e.all(); got != nil {
			t.Errorf("found %v", got)
		}
		late.mu.Lock()
		late.up = true
		late.mu.Unlock()
		time.Sleep(10 * time.Minute)
		if got := e.all(); !slices.Equal(got, []string{"a 192.168.1.1:1"}) {
			t.Errorf("found %v", got)
		}
		late.mu.Lock()
		defer late.mu.Unlock()
		if late.asks > 2*12 {
			t.Errorf("it tried %d times", late.asks)
		}
	})
}
