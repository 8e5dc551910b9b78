//go:build interop

package interop

import (
	"strings"
	"testing"
)

// shoalClient is the command under test.
type shoalClient struct{}

func (shoalClient) String() string { return "shoal" }
func (shoalClient) dials() bool    { return true }

func (c shoalClient) seed(t *testing.T, j job) peer {
	t.Helper()
	p := c.run(t, "seed", j)
	p.await(t, "up")
	return p
}

// get starts shoal get, which ends when the torrent is complete.
func (c shoalClient) get(t *testing.T, j job) peer {
	t.Helper()
	return c.run(t, "get", j)
}

func (shoalClient) run(t *testing.T, verb string, j job, more ...string) shoalPeer {
	t.Helper()
	args := []string{verb, j.torrent, "--dir", j.dir, "--listen", j.listen.String(), "--json"}
	for _, a := range j.peers {
		args = append(args, "--peer", a.String())
	}
	if !j.dht {
		args = append(args, "--no-dht")
	}
	for _, a := range j.dhtNodes {
		args = append(args, "--dht-node", a.String())
	}
	p := shoalPeer{start(t, "shoal "+verb, shoal, append(args, more...)...)}
	t.Cleanup(func() {
		p.stop()
		for _, bad := range []string{"panic:", "fatal error:", "DATA RACE"} {
			if strings.Contains(p.text(), bad) {
				t.Errorf("%s: %s", p.name, bad)
			}
		}
	})
	p.until(t, "listening", func() bool { return listening("tcp", j.listen) || p.over() })
	return p
}

type shoalPeer struct{ *process }

// complete waits for shoal get to end, and for its last word.
func (p shoalPeer) complete(t *testing.T) {
	t.Helper()
	if code := p.exit(t); code != 0 {
		t.Fatalf("%s: exit code %d", p.name, code)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.events); n == 0 || !p.events[n-1].is("complete") {
		t.Errorf("%s: the last of its %d events is not complete", p.name, n)
	}
}

func (p *process) over() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// create has shoal make a torrent of the payload.
func (shoalClient) create(t *testing.T, p *payload, out string, more ...string) {
	t.Helper()
	output(t, shoal, append([]string{"create", p.path(), "-o", out}, more...)...)
}

// verified gives the bytes that the last report of progress called verified.
func (p shoalPeer) verified() (n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.events {
		if e.is("progress") {
			n = e.number("verified")
		}
	}
	return n
}
