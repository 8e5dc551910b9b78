package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"shoal"
)

// A watcher tells how torrents get on while a command waits for them. It reads
// the torrents' snapshots at its own pace, so however fast things happen, only so
// much is said about them.
type watcher struct {
	out      *output
	torrents []*shoal.Torrent

	cancel context.CancelFunc
	wg     sync.WaitGroup
	ending sync.Once

	// What has been said. Owned by the ticking goroutine.
	pace     pace
	checking bool
	last     []shoal.Stats          // by torrent
	told     map[string]shoal.Stats // by info-hash
	trackers map[string]string      // state and error, by info-hash and URL
	uploaded int64
}

// watch starts telling.
func watch(out *output, engine *shoal.Engine, torrents ...*shoal.Torrent) *watcher {
	ctx, cancel := context.WithCancel(context.Background())
	w := &watcher{
		out: out, torrents: torrents, cancel: cancel, pace: pace{out: out},
		told: make(map[string]shoal.Stats), trackers: make(map[string]string),
	}
	events := engine.Events(ctx, torrents...) // from here on, not from when the goroutine runs
	w.wg.Go(func() {
		for t, e := range events {
			w.event(t, e)
		}
	})
	w.wg.Go(func() {
		every := eventEvery
		if out.live() {
			every = redrawEvery
		}
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			w.tick()
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	})
	return w
}

// stop tells what has changed since the last look, and ends the telling; nothing
// comes from it afterwards. It may be called again.
func (w *watcher) stop() {
	w.ending.Do(func() {
		w.cancel()
		w.wg.Wait()
		for _, t := range w.torrents {
			w.changes(t.Stats())
		}
		w.out.clear()
	})
}

type peerEvent struct {
	InfoHash string `json:"info_hash"`
	Peer     string `json:"peer"`
	Text     string `json:"text,omitempty"`
}

type pieceEvent struct {
	InfoHash string `json:"info_hash"`
	Piece    int    `json:"piece"`
	Text     string `json:"text,omitempty"`
}

// event tells what cannot be read from a snapshot. For people that is only what
// went wrong.
func (w *watcher) event(t *shoal.Torrent, e shoal.Event) {
	switch e.Kind {
	case shoal.EventPeerJoined, shoal.EventPeerLeft:
		w.out.event(string(e.Kind), peerEvent{t.InfoHash(), e.Peer.String(), e.Text})
	case shoal.EventBanned:
		w.out.event(string(e.Kind), peerEvent{t.InfoHash(), e.Peer.String(), e.Text})
		w.out.say("banned %s: %s", e.Peer, printable(e.Text))
	case shoal.EventWebSeed:
		// Its state tells it, see webSeedChanges.
	case shoal.EventPieceFailed:
		w.out.event(string(e.Kind), pieceEvent{t.InfoHash(), e.Piece, e.Text})
		w.out.say("piece %d did not match its hash and is fetched again", e.Piece)
	case shoal.EventFiles:
		w.out.event(string(e.Kind), filesEvent{t.InfoHash(), e.Text})
		w.out.say("%s: %s", printable(t.Name()), printable(e.Text))
	case shoal.EventHeld:
		w.out.event(string(e.Kind), heldEvent{t.InfoHash(), string(t.Stats().State), e.Text})
		w.out.say("%s waits: %s", printable(t.Name()), printable(e.Text))
	case shoal.EventGoesOn:
		w.out.event(string(e.Kind), filesEvent{t.InfoHash(), ""})
		w.out.say("%s goes on", printable(t.Name()))
	case shoal.EventShared:
		w.out.event(string(e.Kind), filesEvent{t.InfoHash(), e.Text})
		w.out.say("%s: %s", printable(t.Name()), printable(e.Text))
	case shoal.EventQueued:
		w.out.say("%s waits for its turn", printable(t.Name()))
	}
}

type filesEvent struct {
	InfoHash string `json:"info_hash"`
	Text     string `json:"text,omitempty"`
}

type heldEvent struct {
	InfoHash string `json:"info_hash"`
	State    string `json:"state"`
	Text     string `json:"text"`
}

type progressEvent struct {
	InfoHash   string   `json:"info_hash"`
	State      string   `json:"state"`
	Size       int64    `json:"size"`
	Verified   int64    `json:"verified"`
	Pieces     int      `json:"pieces"`
	Have       int      `json:"have"`
	Checked    int      `json:"checked"`
	Downloaded int64    `json:"downloaded"`
	Wasted     int64    `json:"wasted"`
	Uploaded   int64    `json:"uploaded"`
	DownRate   int64    `json:"down_rate"`
	UpRate     int64    `json:"up_rate"`
	WebBytes   int64    `json:"web_downloaded"`
	WebRate    int64    `json:"web_down_rate"`
	Peers      int      `json:"peers"`
	Seeds      int      `json:"seeds"`
	KnownPeers int      `json:"known_peers"`
	Unchoked   int      `json:"unchoked"`
	DHTNodes   int      `json:"dht_nodes"`
	ETA        *float64 `json:"eta_s"`
}

func progressOf(s shoal.Stats) progressEvent {
	e := progressEvent{
		InfoHash: s.InfoHash, State: string(s.State), Size: s.Size, Verified: s.Verified,
		Pieces: s.Pieces, Have: s.Have, Checked: s.Checked,
		Downloaded: s.Downloaded, Wasted: s.Wasted, Uploaded: s.Uploaded,
		DownRate: int64(s.DownRate), UpRate: int64(s.UpRate), WebBytes: s.WebDownloaded, WebRate: int64(s.WebRate),
		Peers: s.Peers, Seeds: s.Seeds, KnownPeers: s.KnownPeers, Unchoked: s.Unchoked, DHTNodes: s.DHTNodes,
	}
	if d, ok := s.ETA(); ok {
		seconds := d.Round(time.Second).Seconds()
		e.ETA = &seconds
	}
	return e
}

type trackerEvent struct {
	InfoHash string `json:"info_hash"`
	URL      string `json:"url"`
	State    string `json:"state"`
	Error    string `json:"error,omitempty"`
}

func (w *watcher) tick() {
	if w.last == nil {
		w.last = make([]shoal.Stats, len(w.torrents))
	}
	all, news := w.last, false
	for i, t := range w.torrents {
		// Of thousands hardly any has changed.
		if at := t.Updated(); at.Equal(all[i].At) && all[i].State != shoal.Checking {
			continue
		}
		news = true
		all[i] = t.Stats()
		w.changes(all[i])
	}
	switch {
	case !news && !w.checking && len(all) > 1:
	case w.out.json:
	case w.out.live():
		w.out.draw(func(width int, g glyphs, c colours) []string { return lines(all, width, g, c) })
	default:
		w.line(all)
	}
}

// changes tells a program of a snapshot that is new, and everyone of trackers
// that fail.
func (w *watcher) changes(s shoal.Stats) {
	for _, t := range s.Trackers {
		key, now := s.InfoHash+" "+t.URL, t.State+" "+t.Err
		if w.trackers[key] == now {
			continue
		}
		w.trackers[key] = now
		w.out.event("tracker", trackerEvent{s.InfoHash, t.URL, t.State, t.Err})
		if t.Err != "" || t.State == "unsupported" {
			w.out.say("tracker %s: %s", printable(t.URL), printable(orElse(t.Err, t.State)))
		}
	}
	w.webSeedChanges(s)
	if !w.out.json {
		return
	}
	if last, ok := w.told[s.InfoHash]; !ok || !last.At.Equal(s.At) || last.Checked != s.Checked {
		w.told[s.InfoHash] = s
		w.out.event("progress", progressOf(s))
	}
}

func orElse(s, other string) string {
	if s != "" {
		return s
	}
	return other
}

// total adds up what several torrents do.
func total(all []shoal.Stats) (sum shoal.Stats, doing map[shoal.State]int) {
	doing = make(map[shoal.State]int)
	for _, s := range all {
		doing[s.State]++
		sum.Size += s.Size
		sum.Verified += s.Verified
		sum.Uploaded += s.Uploaded
		sum.UpRate += s.UpRate
		sum.Peers += s.Peers
		sum.Pieces += s.Pieces
		sum.Checked += s.Checked
		sum.DHTNodes = max(sum.DHTNodes, s.DHTNodes)
	}
	return sum, doing
}

// checkedBytes is about how much of a torrent has been read while it is checked.
func checkedBytes(s shoal.Stats) int64 {
	if s.Pieces == 0 {
		return s.Size
	}
	return int64(float64(s.Checked) / float64(s.Pieces) * float64(s.Size))
}

// seedingEvery is how often a seed says in plain lines what it has sent: a log
// of weeks stays short.
const seedingEvery = time.Minute

// line prints a plain line when one is due.
func (w *watcher) line(all []shoal.Stats) {
	sum, doing := total(all)
	now := w.out.now()
	if checking := doing[shoal.Checking] > 0; checking != w.checking {
		w.checking, w.pace = checking, pace{out: w.out} // another job, counted from its start
	}
	switch {
	case w.checking:
		if done := checkedBytes(sum); w.pace.due(now, done, sum.Size) {
			w.out.say("checking  %s  %s of %s", percent(done, sum.Size), size(done), size(sum.Size))
		}
	case doing[shoal.Downloading] > 0:
		if w.pace.due(now, sum.Verified, sum.Size) {
			w.out.say("%s", downloading(all[0]))
		}
	case sum.Uploaded > w.uploaded && now.Sub(w.pace.last) >= seedingEvery:
		w.pace.last, w.uploaded = now, sum.Uploaded
		w.out.say("%s", seeding(sum, len(all), blocks))
	}
}

func downloading(s shoal.Stats) string {
	return fmt.Sprintf("downloading  %s  %s of %s  %s", percent(s.Verified, s.Size), size(s.Verified), size(s.Size), traffic(s, blocks))
}

// traffic says how a download gets on, or what it is waiting for.
func traffic(s shoal.Stats, g glyphs) string {
	web := webSeedsAt(s)
	if s.Peers == 0 && web == 0 {
		text := "looking for peers: " + count(s.KnownPeers, "address") + " known"
		if s.KnownPeers > 1 {
			text = fmt.Sprintf("looking for peers: %d addresses known", s.KnownPeers)
		}
		if s.DHTNodes > 0 {
			text += ", " + count(s.DHTNodes, "DHT node")
		}
		return text
	}
	text := rate(s.DownRate) + "  " + count(s.Peers, "peer")
	if s.Seeds > 0 {
		text += " (" + count(s.Seeds, "seed") + ")"
	}
	if web > 0 {
		text += ", " + count(web, "web seed")
	}
	if d, ok := s.ETA(); ok {
		text += "  ETA " + span(max(d.Round(time.Second), time.Second))
	}
	if s.UpRate >= 1 {
		text += "  " + g.up + " " + rate(s.UpRate)
	}
	return text
}

func seeding(sum shoal.Stats, n int, g glyphs) string {
	return fmt.Sprintf("seeding %s  %s %s  %s sent  %s", count(n, "torrent"), g.up, rate(sum.UpRate), size(sum.Uploaded), count(sum.Peers, "peer"))
}

// lines draws the area of a terminal: for one torrent that is not complete a bar,
// the traffic and the map of its pieces, for seeds one line.
func lines(all []shoal.Stats, width int, g glyphs, c colours) []string {
	sum, doing := total(all)
	switch {
	case doing[shoal.Checking] > 0:
		done := checkedBytes(sum)
		out := []string{barLine("checking", done, sum.Size, size(done)+" of "+size(sum.Size), width, g, c)}
		if len(all) == 1 && len(all[0].Map) > 0 {
			out = append(out, pieceMap(all[0].Map, width, g, c))
		}
		return out
	case len(all) == 1 && doing[shoal.Downloading] > 0:
		s := all[0]
		return []string{
			barLine("downloading", s.Verified, s.Size, size(s.Verified)+" of "+size(s.Size), width, g, c),
			strings.TrimRight(traffic(s, g), " "),
			pieceMap(s.Map, width, g, c),
		}
	}
	return []string{seeding(sum, len(all), g)}
}
