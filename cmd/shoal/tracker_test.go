package main

import (
	"strings"
	"syscall"
	"testing"

	"shoal/internal/cli/ui"
)

// trackerAt starts a tracker and gives its HTTP and its UDP announce URL.
func trackerAt(t *testing.T, args ...string) (r *running, byHTTP, byUDP string) {
	t.Helper()
	r = start(t, append([]string{"tracker", "--listen", "127.0.0.1:0", "--interval", "1m"}, args...)...)
	urls := r.await("up", nil)["urls"].([]any)
	return r, urls[0].(string), urls[1].(string)
}

// Over HTTP and over UDP: a seed and a downloader meet at our tracker; those who only look
// see them, and leave nothing behind.
func TestTracker(t *testing.T) {
	for _, scheme := range []string{"http", "udp"} {
		t.Run(scheme, func(t *testing.T) {
			tr, url, udp := trackerAt(t)
			if scheme == "udp" {
				url = udp
			}
			const dead = "http://127.0.0.1:1/announce"
			s := newShare(t, "--tracker", url)
			hash := start(t, "show", s.torrent).finish(ui.ExitDone, "complete")["info_hash"].(string)
			seed, addr := seedFrom(t, s.dir, s.torrent, "--no-dht")

			// The seed's announce may still be under way, or told to the tracker and not to us.
			seed.await("tracker", func(e map[string]any) bool { return e["state"] == "working" })
			for {
				e := start(t, "scrape", s.torrent).await("scraped", nil)
				if number(t, e, "seeds") == 1 {
					break
				}
			}
			look := start(t, "announce", s.torrent, "--url", dead, "--listen", "127.0.0.1:6881")
			if peer := look.await("peer", nil)["addr"]; peer != addr {
				t.Errorf("the tracker names %v, the seed is at %s", peer, addr)
			}
			if e := look.finish(ui.ExitDone, "complete"); number(t, e, "found") != 1 || number(t, e, "answered") != 1 || number(t, e, "trackers") != 2 {
				t.Errorf("announce ended with %v", e)
			}
			if e := look.await("failed", nil); e["url"] != dead {
				t.Errorf("failed: %v", e)
			}
			// By URL and hash, and by magnet link.
			for _, args := range [][]string{
				{"scrape", url, "--info-hash", hash, "--url", dead},
				{"scrape", "magnet:?xt=urn:btih:" + hash + "&tr=" + url + "&tr=" + dead},
				{"scrape", hash, "--url", url},
			} {
				r := start(t, args...)
				if e := r.await("scraped", nil); number(t, e, "seeds") != 1 || number(t, e, "leechers") != 0 || e["info_hash"] != hash {
					t.Errorf("%v: %v", args, e)
				}
				r.finish(ui.ExitDone, "complete")
			}

			dir := t.TempDir()
			start(t, "get", s.torrent, "--dir", dir, "--no-dht", "--listen", "127.0.0.1:0").finish(ui.ExitDone, "complete")
			s.sameFiles(t, dir)
			if e := start(t, "scrape", s.torrent).await("scraped", nil); number(t, e, "downloaded") != 1 {
				t.Errorf("after the download: %v", e)
			}
			if scheme == "http" {
				r := start(t, "scrape", strings.Repeat("01", 20), "--url", url)
				r.await("unknown", nil)
				r.finish(ui.ExitDone, "complete")
			}
			tr.signals <- syscall.SIGTERM
			if e := tr.finish(ui.ExitDone, "complete"); number(t, e, "torrents") != 1 || number(t, e, "refused") != 0 {
				t.Errorf("the tracker ended with %v", e)
			}
		})
	}
}

// A tracker for some torrents turns the others away.
func TestTrackerForSome(t *testing.T) {
	s := newShare(t)
	_, url, udp := trackerAt(t, s.torrent)
	hash := start(t, "show", s.torrent).finish(ui.ExitDone, "complete")["info_hash"].(string)
	other := strings.Repeat("0123456789", 4)
	for _, u := range []string{url, udp} {
		start(t, "announce", hash, "--url", u, "--listen", "127.0.0.1:6881").finish(ui.ExitDone, "complete")
		r := start(t, "announce", other, "--url", u, "--listen", "127.0.0.1:6881")
		e := r.await("failed", nil)
		if !strings.Contains(e["message"].(string), "the tracker said: this tracker does not serve this torrent") {
			t.Errorf("%s: %v", u, e)
		}
		r.finish(ui.ExitFailed, "error")
	}
}
