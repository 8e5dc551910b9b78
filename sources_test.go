package shoal_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"shoal"
)

// announces is a tracker that passes on the event of each announce.
func announces(t *testing.T) (u string, events <-chan string) {
	t.Helper()
	all := make(chan string, 64)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case all <- r.URL.Query().Get("event"):
		default:
		}
		_, _ = w.Write([]byte("d8:completei1e10:incompletei0e8:intervali1800e5:peers0:e"))
	}))
	t.Cleanup(s.Close)
	return s.URL + "/announce", all
}

// A tracker that is added later is asked, told when it is removed, and remembered.
func TestTrackersLater(t *testing.T) {
	ctx := t.Context()
	dir, metainfo := album(t)
	state := t.TempDir()
	first, firstEvents := announces(t)
	second, secondEvents := announces(t)
	e := removeEngine(t, state, true)
	tor, err := e.Add(shoal.AddOptions{Metainfo: metainfo, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := tor.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"", "ftp://tracker.example/announce", "tracker"} {
		if err := tor.AddTracker(bad, 0); !errors.Is(err, shoal.ErrConfig) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for _, u := range []string{first, second, second} {
		if err := tor.AddTracker(u, 7); err != nil {
			t.Fatal(err)
		}
	}
	if a, b := <-firstEvents, <-secondEvents; a != "started" || b != "started" {
		t.Errorf("they heard %q and %q", a, b)
	}
	if !tor.RemoveTracker(first) || tor.RemoveTracker(first) {
		t.Error("removed once, and not twice")
	}
	if a := <-firstEvents; a != "stopped" {
		t.Errorf("the one that is removed heard %q", a)
	}
	if err := e.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if b := <-secondEvents; b != "stopped" {
		t.Errorf("at the end the other heard %q", b)
	}
	if err := tor.AddTracker(first, 0); !errors.Is(err, shoal.ErrStopped) {
		t.Errorf("after the end: %v", err)
	}

	e = removeEngine(t, state, true)
	again, ok := e.Torrent(tor.InfoHash())
	if !ok || len(again.Stats().Trackers) > 1 {
		t.Fatalf("after a restart: %v", again)
	}
	if b := <-secondEvents; b != "started" {
		t.Errorf("after a restart it heard %q", b)
	}
	if _, ok := e.Torrent("none"); ok {
		t.Error("a torrent of no hash")
	}
}

// Announce asks again where the tracker allows it, and says when it will else.
func TestAnnounceNow(t *testing.T) {
	ctx := t.Context()
	dir, metainfo := album(t)
	e := removeEngine(t, "", false)
	tor, err := e.Add(shoal.AddOptions{Metainfo: metainfo, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := tor.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	u, heard := announces(t)
	if err := tor.AddTracker(u, 0); err != nil {
		t.Fatal(err)
	}
	<-heard
	for s := range tor.Progress(ctx, time.Millisecond) {
		if len(s.Trackers) == 1 && s.Trackers[0].State == shoal.TrackerWorking {
			break
		}
	}
	all, err := tor.Announce(ctx)
	if err != nil || len(all) != 1 || all[0].Tracker != u || all[0].Sent || !all[0].Next.After(time.Now()) {
		t.Errorf("right after an answer: %+v, %v", all, err)
	}
	tor.Pause()
	for s := range tor.Progress(ctx, time.Millisecond) {
		if s.State == shoal.StatePaused {
			break
		}
	}
	if all, err := tor.Announce(ctx); !errors.Is(err, shoal.ErrStopped) {
		t.Errorf("while it is paused: %+v, %v", all, err)
	}
}

// A web seed that is added later brings what is missing, and is remembered.
func TestWebSeedLater(t *testing.T) {
	ctx := t.Context()
	dir, metainfo := album(t)
	s := httptest.NewServer(http.FileServer(http.Dir(dir)))
	t.Cleanup(s.Close)
	e := removeEngine(t, t.TempDir(), true)
	tor, err := e.Add(shoal.AddOptions{Metainfo: metainfo, Dir: filepath.Join(t.TempDir())})
	if err != nil {
		t.Fatal(err)
	}
	if err := tor.AddWebSeed("ftp://x/"); !errors.Is(err, shoal.ErrConfig) {
		t.Errorf("%v", err)
	}
	if err := tor.AddWebSeed((&url.URL{Scheme: "http", Host: s.Listener.Addr().String(), Path: "/"}).String()); err != nil {
		t.Fatal(err)
	}
	if err := tor.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	if got := tor.Stats().WebDownloaded; got < 120010 {
		t.Errorf("%d bytes from web seeds", got)
	}
}
