package main

import (
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"net/netip"
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
	engine   *shoal.Engine
	torrents []*shoal.Torrent

	cancel context.CancelFunc
	wg     sync.WaitGroup
	ending sync.Once

	// What has been said. Owned by the ticking goroutine.
	pace     pace
	checking bool
	last     []sight           // by torrent
	one      shoal.Stats       // of the only torrent
	changed  uint64            // of the engine, at the last look
	trackers map[string]string // what people were told, by URL
	uploaded int64

	finished func(t *shoal.Torrent) // of those that were fetched; nil: who waits tells that itself
}

// watch starts telling.
func watch(out *output, engine *shoal.Engine, torrents ...*shoal.Torrent) *watcher {
	return watchAll(out, engine, nil, torrents)
}

// watchAll is watch, and tells whoever asks which torrents are fetched.
func watchAll(out *output, engine *shoal.Engine, finished func(*shoal.Torrent), torrents []*shoal.Torrent) *watcher {
	ctx, cancel := context.WithCancel(context.Background())
	w := &watcher{
		out: out, engine: engine, torrents: torrents, cancel: cancel, pace: pace{out: out},
		finished: finished, checking: true, last: make([]sight, len(torrents)), trackers: make(map[string]string),
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
		for i := range w.torrents {
			w.look(i)
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
	case shoal.EventComplete:
		if w.finished != nil && t.Stats().Downloaded > 0 {
			w.finished(t)
		}
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
	InfoHash   string `json:"info_hash"`
	State      string `json:"state"`
	Size       int64  `json:"size"`
	Verified   int64  `json:"verified"`
	Wanted     int64  `json:"wanted"`
	WantedHad  int64  `json:"wanted_verified"`
	Pieces     int    `json:"pieces"`
	Have       int    `json:"have"`
	Checked    int    `json:"checked"`
	Downloaded int64  `json:"downloaded"`
	Wasted     int64  `json:"wasted"`
	Uploaded   int64  `json:"uploaded"`
	DownRate   int64  `json:"down_rate"`
	UpRate     int64  `json:"up_rate"`
	WebBytes   int64  `json:"web_downloaded"`
	WebRate    int64  `json:"web_down_rate"`
	Peers      int    `json:"peers"`
	Seeds      int    `json:"seeds"`
	KnownPeers int    `json:"known_peers"`
	Unchoked   int    `json:"unchoked"`
	DHTNodes   int    `json:"dht_nodes"`

	External []netip.Addr `json:"external,omitempty"`
	ETA      *float64     `json:"eta_s"`
}

func progressOf(s shoal.Stats) progressEvent {
	e := progressEvent{
		InfoHash: s.InfoHash, State: string(s.State), Size: s.Size, Verified: s.Verified, Wanted: s.Wanted(), WantedHad: s.WantedVerified(),
		Pieces: s.Pieces, Have: s.Have, Checked: s.Checked,
		Downloaded: s.Downloaded, Wasted: s.Wasted, Uploaded: s.Uploaded,
		DownRate: int64(s.DownRate), UpRate: int64(s.UpRate), WebBytes: s.WebDownloaded, WebRate: int64(s.WebRate),
		Peers: s.Peers, Seeds: s.Seeds, KnownPeers: s.KnownPeers, Unchoked: s.Unchoked, DHTNodes: s.DHTNodes,
		External: s.External,
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
	Warning  string `json:"warning,omitempty"`
}

// A sight is what is kept of a torrent from one look to the next: little, since there may
// be thousands.
type sight struct {
	at       int64 // of the snapshot; 0 before the first
	trackers []uint32
	tally
}

// A tally is what is added up over torrents.
type tally struct {
	state                                   shoal.State
	size, verified, left, leftHad, uploaded int64
	downRate, upRate                        float32
	peers, dhtNodes                         int32
	pieces, have, checked                   int32
}

func tallyOf(s shoal.Stats) tally {
	return tally{
		s.State, s.Size, s.Verified, s.Left, s.LeftHad, s.Uploaded, float32(s.DownRate), float32(s.UpRate),
		int32(s.Peers), int32(s.DHTNodes), int32(s.Pieces), int32(s.Have), int32(s.Checked),
	}
}

func (w *watcher) tick() {
	// Of thousands hardly any has changed, and most of the time none.
	changed := w.engine.Changes()
	news, checking := changed != w.changed, false
	w.changed = changed
	for i := range w.torrents {
		if !news && !w.checking {
			break
		}
		w.look(i)
		checking = checking || w.last[i].state == shoal.Checking
	}
	if !news && !w.checking && len(w.torrents) > 1 {
		return
	}
	if checking != w.checking {
		w.checking, w.pace = checking, pace{out: w.out} // another job, counted from its start
	}
	if w.out.json {
		return
	}
	v := w.view()
	if !w.out.live() {
		w.line(v)
		return
	}
	w.out.draw(func(width int, g glyphs, c colours) []string { return lines(v, width, g, c) })
}

// look takes a torrent's latest snapshot and tells what is new in it, if it is.
func (w *watcher) look(i int) {
	t, was := w.torrents[i], &w.last[i]
	if t.Updated().UnixNano() == was.at && was.state != shoal.Checking {
		return
	}
	s := t.Stats()
	at := s.At.UnixNano()
	if at == was.at && int32(s.Checked) == was.checked {
		return
	}
	was.at, was.tally = at, tallyOf(s)
	if len(w.torrents) == 1 {
		w.one = s
	}
	w.tellTrackers(was, s)
	w.webSeedChanges(s)
	w.out.event("progress", progressOf(s))
}

// tellTrackers tells a program of every change, and people of what fails: of a tracker
// that many torrents have once.
func (w *watcher) tellTrackers(was *sight, s shoal.Stats) {
	if len(was.trackers) != len(s.Trackers) {
		was.trackers = make([]uint32, len(s.Trackers))
	}
	for i, t := range s.Trackers {
		sum := fnv.New32a()
		io.WriteString(sum, t.URL+" "+t.State+" "+t.Err+" "+t.Warning)
		if was.trackers[i] == sum.Sum32() {
			continue
		}
		was.trackers[i] = sum.Sum32()
		w.out.event("tracker", trackerEvent{s.InfoHash, t.URL, t.State, t.Err, t.Warning})
		text := t.Err
		if t.State == "unsupported" {
			text = orElse(text, t.State)
		}
		if text == "" && t.Warning != "" {
			text = "it warns: " + t.Warning
		}
		if text == w.trackers[t.URL] || text == "" && len(w.torrents) > 1 {
			continue
		}
		w.trackers[t.URL] = text
		if text != "" {
			w.out.say("tracker %s: %s", printable(t.URL), printable(text))
		}
	}
}

func orElse(s, other string) string {
	if s != "" {
		return s
	}
	return other
}

// A view is what all torrents do together.
type view struct {
	torrents int
	sum      shoal.Stats
	doing    map[shoal.State]int
	one      shoal.Stats // the only torrent
}

func (w *watcher) view() view {
	v := view{one: w.one}
	for i := range w.last {
		v.add(w.last[i].tally)
	}
	return v
}

func (v *view) add(s tally) {
	if v.doing == nil {
		v.doing = make(map[shoal.State]int)
	}
	v.torrents++
	v.doing[s.state]++
	v.sum.Size += s.size
	v.sum.Verified += s.verified
	v.sum.Left += s.left
	v.sum.LeftHad += s.leftHad
	v.sum.Uploaded += s.uploaded
	v.sum.DownRate += float64(s.downRate)
	v.sum.UpRate += float64(s.upRate)
	v.sum.Peers += int(s.peers)
	v.sum.Pieces += int(s.pieces)
	v.sum.Have += int(s.have)
	v.sum.Checked += int(s.checked)
	v.sum.DHTNodes = max(v.sum.DHTNodes, int(s.dhtNodes))
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
func (w *watcher) line(v view) {
	sum, now := v.sum, w.out.now()
	switch {
	case w.checking:
		if done := checkedBytes(sum); w.pace.due(now, done, sum.Size) {
			w.out.say("checking  %s  %s of %s", percent(done, sum.Size), size(done), size(sum.Size))
		}
	case v.torrents == 1 && v.doing[shoal.Downloading] > 0:
		if w.pace.due(now, sum.WantedVerified(), sum.Wanted()) {
			w.out.say("%s", downloading(v.one))
		}
	case v.doing[shoal.Downloading] > 0:
		if w.pace.due(now, sum.WantedVerified(), sum.Wanted()) {
			w.out.say("%s", several(v, blocks))
		}
	case sum.Uploaded > w.uploaded && now.Sub(w.pace.last) >= seedingEvery:
		w.pace.last, w.uploaded = now, sum.Uploaded
		w.out.say("%s", several(v, blocks))
	}
}

func downloading(s shoal.Stats) string {
	return fmt.Sprintf("downloading  %s  %s of %s  %s", percent(s.WantedVerified(), s.Wanted()), size(s.WantedVerified()), size(s.Wanted()), traffic(s, blocks))
}

// traffic says how a download gets on, or what it is waiting for.
func traffic(s shoal.Stats, g glyphs) string {
	web := webSeedsAt(s)
	if s.Peers == 0 && web == 0 {
		addresses := "1 address"
		if s.KnownPeers != 1 {
			addresses = group(int64(s.KnownPeers)) + " addresses"
		}
		text := "looking for peers: " + addresses + " known"
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

// several says in a line what torrents do, one seed among them.
func several(v view, g glyphs) string {
	var parts []string
	if n := v.doing[shoal.Downloading]; n > 0 {
		parts = append(parts, fmt.Sprintf("downloading %s  %s  %s", count(n, "torrent"), percent(v.sum.WantedVerified(), v.sum.Wanted()), rate(v.sum.DownRate)))
	}
	if n := v.doing[shoal.Seeding] + v.doing[shoal.Incomplete]; n > 0 || len(parts) == 0 {
		parts = append(parts, "seeding "+count(n, "torrent"))
	}
	if n := v.doing[shoal.Queued]; n > 0 {
		parts = append(parts, fmt.Sprintf("%s in line", group(int64(n))))
	}
	if n := v.doing[shoal.Held] + v.doing[shoal.Missing]; n > 0 {
		parts = append(parts, fmt.Sprintf("%s held up", group(int64(n))))
	}
	if n := v.doing[shoal.Failed]; n > 0 {
		parts = append(parts, fmt.Sprintf("%s failed", group(int64(n))))
	}
	return fmt.Sprintf("%s  %s %s  %s sent  %s", strings.Join(parts, ", "), g.up, rate(v.sum.UpRate), size(v.sum.Uploaded), count(v.sum.Peers, "peer"))
}

// lines draws the area of a terminal: for one torrent that is not complete a bar,
// the traffic and the map of its pieces, for several, and for seeds, one line.
func lines(v view, width int, g glyphs, c colours) []string {
	sum := v.sum
	switch {
	case v.doing[shoal.Checking] > 0:
		done := checkedBytes(sum)
		out := []string{barLine("checking", done, sum.Size, size(done)+" of "+size(sum.Size), width, g, c)}
		if v.torrents == 1 && len(v.one.Map) > 0 {
			out = append(out, pieceMap(v.one.Map, width, g, c))
		}
		return out
	case v.torrents == 1 && v.doing[shoal.Downloading] > 0:
		s := v.one
		return []string{
			barLine("downloading", s.WantedVerified(), s.Wanted(), size(s.WantedVerified())+" of "+size(s.Wanted()), width, g, c),
			strings.TrimRight(traffic(s, g), " "),
			pieceMap(s.Map, width, g, c),
		}
	}
	return []string{several(v, g)}
}
