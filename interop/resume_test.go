//go:build interop

package interop

import (
	"net/netip"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A download is broken off in the middle, once by kill -9 and once by Ctrl-C,
// and the same command run again completes it. What travels twice is counted
// at the seed, which has no part in the matter.
func TestContinue(t *testing.T) {
	p := theBig(t)
	torrent := filepath.Join(t.TempDir(), "continue.torrent")
	shoalClient{}.create(t, p, torrent)

	t.Run("after kill -9", func(t *testing.T) {
		brokenOff(t, p, torrent, func(get shoalPeer) {
			get.cmd.Process.Signal(syscall.SIGKILL)
			if code := get.exit(t); code != -1 {
				t.Fatalf("exit code %d; it was to be killed", code)
			}
		})
	})
	t.Run("after Ctrl-C", func(t *testing.T) {
		brokenOff(t, p, torrent, func(get shoalPeer) {
			get.cmd.Process.Signal(syscall.SIGINT)
			if code := get.exit(t); code != 130 {
				t.Errorf("exit code %d, want 130", code)
			}
			last := get.await(t, "error")
			if hint, _ := last["hint"].(string); last["code"] != "interrupted" || !strings.Contains(hint, "same command") {
				t.Errorf("its last word is %v, which does not say how to go on", last)
			}
		})
	})
}

func brokenOff(t *testing.T, p *payload, torrent string, breakOff func(shoalPeer)) {
	t.Helper()
	source, dir := newAddr(), t.TempDir()
	from := t.TempDir()
	p.copyTo(t, from)
	limit := p.size / 8 // eight seconds for all of it, so that the middle can be met
	seed := libtorrent{}.run(t, ltSessionOf(job{torrent: torrent, dir: from, listen: source}, limit))
	seed.complete(t)
	j := job{torrent: torrent, dir: dir, listen: newAddr(), peers: []netip.AddrPort{source}}

	first := shoalClient{}.run(t, "get", j)
	seed.until(t, "half of the torrent is sent", func() bool {
		return seed.stats(t, 0).number("uploaded") > p.size/2
	})
	breakOff(first)
	before := seed.stats(t, 0).number("uploaded")
	if before >= p.size {
		t.Fatalf("all of the torrent was sent before it could be broken off")
	}

	verified := first.verified()

	j.listen = newAddr()
	second := shoalClient{}.run(t, "get", j)
	second.complete(t)
	p.arrived(t, dir, false)

	// Sent twice may be what was under way when it broke off: the requests of
	// one connection and the pieces that were not whole, and, after a kill,
	// what was verified since the state was last saved.
	const bound = 24 << 20
	after := seed.stats(t, 0).number("uploaded")
	if twice := after - p.size; twice > bound {
		t.Errorf("%d bytes were sent twice, more than %d: %d before it broke off and %d after, of %d",
			twice, bound, before, after-before, p.size)
	}
	// And nothing of what was said to be verified is fetched again.
	again := second.await(t, "complete").number("downloaded")
	if again+verified > p.size+bound {
		t.Errorf("%d bytes were verified when it broke off, and %d fetched after, of %d", verified, again, p.size)
	}
	t.Logf("of %d bytes, %d were sent before it broke off, of which it had called %d verified; %d after",
		p.size, before, verified, after-before)
}
