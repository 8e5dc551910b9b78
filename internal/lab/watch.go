package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"shoal/internal/lens"
	"shoal/internal/value/mono"
	"shoal/internal/value/trace"
	"shoal/internal/value/why"
	"shoal/metainfo"
)

// Summary is what a run showed. Each fact is read off the trace.
type Summary struct {
	InfoHash string `json:"info_hash"`
	Nodes    int    `json:"dht_nodes"`

	Bootstrapped      bool `json:"bootstrapped"`        // A found its way in through the torrent's node
	FindNode          int  `json:"find_node"`           // sent by A
	GetPeers          int  `json:"get_peers"`           // sent by A
	PeersFromDHT      bool `json:"peers_from_dht"`      // a node told A of peers
	HandshakeB        bool `json:"handshake_b"`         // A and B shook hands
	HandshakeC        bool `json:"handshake_c"`         // A and C shook hands
	BitfieldsAtOnce   bool `json:"bitfields_at_once"`   // right after the handshake, before all else
	NoBitfieldOfA     bool `json:"no_bitfield_of_a"`    // A had nothing, and sent none, but that it has none (BEP 6)
	Interested        bool `json:"interested"`          // A told both
	Unchoked          bool `json:"unchoked"`            // both unchoked A
	RarestFirst       bool `json:"rarest_first"`        // piece 2 was asked for first, of B
	Verified          int  `json:"verified"`            // pieces that A verified
	HaveToB           bool `json:"have_to_b"`           // of every piece
	HaveToC           bool `json:"have_to_c"`           // of the piece it lacked
	AnnouncedItself   bool `json:"announced_itself"`    // A sent announce_peer
	SeedWithoutPause  bool `json:"seed_without_pause"`  // A served the others, as a seed or before
	CFinished         bool `json:"c_finished"`          // from A or B
	FilesMatch        bool `json:"files_match"`         // all three are the content
	EveryReasonIsSaid bool `json:"every_reason_stated"` // no message was sent without one

	Bitfields map[string]string `json:"bitfields"` // what B and C said they have
	CFrom     string            `json:"c_from"`    // who gave C its last piece
	Messages  int               `json:"messages"`  // peer messages and DHT queries seen
	Seconds   float64           `json:"seconds"`

	announced map[string]int
	asked     bool // A has sent its first request
	parted    bool
}

// Missing names the facts that do not hold.
func (s *Summary) Missing() []string {
	var out []string
	for _, f := range s.facts() {
		if !f.holds {
			out = append(out, f.text)
		}
	}
	return out
}

type fact struct {
	text  string
	holds bool
}

func (s *Summary) facts() []fact {
	return []fact{
		{"A found its way into the DHT through the one node that the torrent names", s.Bootstrapped},
		{"A asked find_node and get_peers, and was told of peers", s.FindNode > 0 && s.GetPeers > 0 && s.PeersFromDHT},
		{"A shook hands with B and with C", s.HandshakeB && s.HandshakeC},
		{"bitfields came right after the handshake: B 111, C 110, and none from A", s.BitfieldsAtOnce && s.NoBitfieldOfA && s.Bitfields["B"] == "111" && s.Bitfields["C"] == "110"},
		{"A said that it is interested, and was unchoked by both", s.Interested && s.Unchoked},
		{"A asked for piece 2 first, of B, the only one to have it", s.RarestFirst},
		{"A verified all three pieces", s.Verified == pieces},
		{"A told B and C what it has", s.HaveToB && s.HaveToC},
		{"A announced itself to the DHT", s.AnnouncedItself},
		{"A served on without a restart", s.SeedWithoutPause},
		{"C got its last piece from A or B", s.CFinished && (s.CFrom == "A" || s.CFrom == "B")},
		{"all files are the content, byte for byte", s.FilesMatch},
		{"every message carries the reason it was sent", s.EveryReasonIsSaid},
	}
}

// heard is a record and who it came from.
type heard struct {
	who    string
	record trace.Record
	line   lens.Line // in words, put when it was heard: later others may have the piece
	shown  bool      // it is said once: by who sent it, but for handshakes
	note   string    // instead of a record
}

// watcher collects the records of all, prints them in order of time, and reads
// the facts off them.
type watcher struct {
	opt   Options
	conv  lens.Conversation
	in    chan heard
	done  chan struct{}
	start time.Time
	kept  io.Writer // nil: the trace is not kept

	mu      sync.Mutex
	changed chan struct{} // closed and replaced when the summary has grown
	sum     Summary
	has     map[string]map[string][]byte // who knows that whom has which pieces: '1' or '0'
	spoke   map[[2]string]int            // peer messages from whom to whom since the handshake
	haves   map[string]map[int64]bool
	dials   map[[2]string]why.Why // whom A dialled, and why
}

// inOrder is how long a record waits for one that is older.
const inOrder = 40 * time.Millisecond

func newWatcher(opt Options, origin time.Time, kept io.Writer, name func(netip.AddrPort) string) *watcher {
	w := &watcher{
		opt: opt, kept: kept, in: make(chan heard, 4096), done: make(chan struct{}), start: origin,
		changed: make(chan struct{}),
		has:     make(map[string]map[string][]byte),
		spoke:   make(map[[2]string]int),
		haves:   make(map[string]map[int64]bool),
		dials:   make(map[[2]string]why.Why),
	}
	w.sum = Summary{
		Nodes: nodes, BitfieldsAtOnce: true, NoBitfieldOfA: true, EveryReasonIsSaid: true,
		Bitfields: make(map[string]string), announced: make(map[string]int),
	}
	w.conv = lens.Conversation{Name: name, Owners: w.owners}
	go w.run()
	return w
}

// hear gives the trace of one participant.
func (w *watcher) hear(who string) trace.Func {
	return func(r trace.Record) { w.in <- heard{who: who, record: r} }
}

// say adds a line of the lab itself.
func (w *watcher) say(format string, args ...any) {
	at := mono.Start.Add(time.Since(w.start))
	w.in <- heard{note: fmt.Sprintf(format, args...), record: trace.Record{At: at}}
}

// begin tells what the torrent is.
func (w *watcher) begin(t *metainfo.Torrent) {
	w.mu.Lock()
	w.sum.InfoHash = t.InfoHash.String()
	w.mu.Unlock()
	w.say("the torrent: %s, %d pieces of %d KiB, no tracker, nodes: N1", t.Info.Name, pieces, pieceLength>>10)
}

func (w *watcher) filesMatch() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sum.FilesMatch = true
}

// await waits until the summary shows something.
func (w *watcher) await(ctx context.Context, what string, holds func(*Summary) bool) error {
	for {
		w.mu.Lock()
		ok, changed := holds(&w.sum), w.changed
		w.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", what, ctx.Err())
		}
	}
}

// run prints in order of time: participants run side by side, so that a
// record may come a moment after a younger one.
func (w *watcher) run() {
	defer close(w.done)
	var waiting []heard
	tick := time.NewTicker(inOrder)
	defer tick.Stop()
	flush := func(before float64) {
		slices.SortStableFunc(waiting, func(a, b heard) int {
			switch {
			case a.record.At < b.record.At:
				return -1
			case a.record.At > b.record.At:
				return 1
			}
			return 0
		})
		n := 0
		for n < len(waiting) && (waiting[n].record.At.Seconds() < before) {
			if h := waiting[n]; h.note != "" {
				w.printNote(h)
			} else {
				w.print(h)
			}
			n++
		}
		waiting = slices.Delete(waiting, 0, n)
	}
	for {
		select {
		case h, ok := <-w.in:
			if !ok {
				flush(1e18)
				return
			}
			if h.note == "" {
				w.take(h)
				w.keep(h)
				h.record, h.shown = w.once(h.who, h.record)
				h.line = w.conv.Line(h.who, h.record)
			}
			waiting = append(waiting, h)
		case <-tick.C:
			flush(time.Since(w.start).Seconds() - inOrder.Seconds())
		}
	}
}

// keep writes a record to the trace that --keep asks for: the same JSON lines
// as a run's --trace, with who recorded it.
func (w *watcher) keep(h heard) {
	if w.kept == nil {
		return
	}
	b := append([]byte(`{"who":"`), h.who...)
	b = append(append(b, `",`...), h.record.AppendJSON(nil)[1:]...)
	w.kept.Write(append(b, '\n'))
}

// finish waits for the last line and prints the facts; of a run that was broken off they would
// look like faults.
func (w *watcher) finish(brokenOff bool) *Summary {
	close(w.in)
	<-w.done
	s := &w.sum
	s.Seconds = time.Since(w.start).Seconds()
	if brokenOff {
		return s
	}
	if w.opt.JSON {
		b, err := json.Marshal(struct {
			Event string `json:"event"`
			*Summary
		}{"summary", s})
		if err == nil {
			fmt.Fprintf(w.opt.Out, "%s\n", b)
		}
		return s
	}
	fmt.Fprintf(w.opt.Out, "\nwhat this run showed, in %.1f s:\n", s.Seconds)
	for _, f := range s.facts() {
		mark := "✓"
		if !f.holds {
			mark = "✗"
		}
		fmt.Fprintf(w.opt.Out, "  %s %s\n", mark, f.text)
	}
	return s
}

// take reads the facts off one record.
func (w *watcher) take(h heard) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r, s := h.record, &w.sum
	other := ""
	if r.Peer.IsValid() {
		other = w.conv.Name(r.Peer)
	}
	if r.Way == trace.Sent {
		s.Messages++
		if r.Why == why.None {
			s.EveryReasonIsSaid = false
		}
	}
	switch r.Proto {
	case trace.DHT:
		w.takeDHT(h.who, r)
	case trace.Peer:
		w.takePeer(h.who, other, r)
	case trace.Torrent:
		if r.What == "verified" && h.who == "A" {
			s.Verified++
		}
		if r.What == "complete" && h.who == "C" {
			s.CFinished = true
		}
	}
	close(w.changed)
	w.changed = make(chan struct{})
}

func (w *watcher) takeDHT(who string, r trace.Record) {
	s := &w.sum
	switch {
	case r.Way == trace.Sent && r.What == "find_node" && who == "A":
		s.FindNode++
	case r.Way == trace.Sent && r.What == "get_peers" && who == "A":
		s.GetPeers++
	case r.Way == trace.Received && r.What == "find_node reply" && who == "A":
		s.Bootstrapped = s.Bootstrapped || w.conv.Name(r.Peer) == "N1"
	case r.Way == trace.Received && r.What == "get_peers reply" && who == "A":
		s.PeersFromDHT = s.PeersFromDHT || strings.Contains(r.Text, "peer")
	case r.Way == trace.Received && r.What == "announce_peer reply":
		s.announced[who]++
		s.AnnouncedItself = s.AnnouncedItself || who == "A"
	}
}

func (w *watcher) takePeer(who, other string, r trace.Record) {
	s := &w.sum
	if r.Way == trace.Did {
		if r.What == "dial" && who == "A" { // the dials of the others fail until A is done
			w.dials[[2]string{who, other}] = r.Why
		}
		if r.What == "close" && r.Why == why.Useless {
			s.parted = true
		}
		return
	}
	from, to := who, other
	if r.Way == trace.Received {
		from, to = other, who
	}
	switch r.What {
	case "handshake":
		w.spoke[[2]string{from, to}] = 0
		w.has[to] = set(w.has[to], from, make([]byte, pieces))
		if r.Way == trace.Received && who == "A" {
			s.HandshakeB = s.HandshakeB || other == "B"
			s.HandshakeC = s.HandshakeC || other == "C"
		}
		return
	case "bitfield", "have all", "have none":
		if r.Way == trace.Received {
			w.has[to] = set(w.has[to], from, []byte(strings.ReplaceAll(r.Text, "0", "\x00")))
		}
		if who == "A" && r.Way == trace.Received && s.Bitfields[other] == "" {
			s.Bitfields[other] = r.Text
			s.BitfieldsAtOnce = s.BitfieldsAtOnce && w.spoke[[2]string{from, to}] == 0
		}
		if who == "A" && r.Way == trace.Sent && r.What != "have none" && s.Verified == 0 {
			s.NoBitfieldOfA = false
		}
	case "have":
		if r.Way == trace.Received && w.has[to][from] != nil {
			w.has[to][from][r.Piece] = 1
		}
		if who == "A" && r.Way == trace.Sent {
			if w.haves[other] == nil {
				w.haves[other] = make(map[int64]bool)
			}
			w.haves[other][r.Piece] = true
			s.HaveToB = len(w.haves["B"]) == pieces
			s.HaveToC = w.haves["C"][2]
		}
	case "request":
		if who == "A" && r.Way == trace.Sent && !s.asked {
			s.asked = true
			s.RarestFirst = r.Piece == 2 && other == "B" && r.Why == why.Rarest && r.Owners == 1
		}
	case "piece":
		if who == "C" && r.Way == trace.Received && r.Piece == 2 {
			s.CFrom = other
		}
		if who == "A" && r.Way == trace.Sent {
			s.SeedWithoutPause = true
		}
	case "interested":
		if who == "A" && r.Way == trace.Sent {
			w.haves["interest "+other] = map[int64]bool{0: true}
			s.Interested = w.haves["interest B"] != nil && w.haves["interest C"] != nil
		}
	case "unchoke":
		if who == "A" && r.Way == trace.Received {
			w.haves["unchoke "+other] = map[int64]bool{0: true}
			s.Unchoked = w.haves["unchoke B"] != nil && w.haves["unchoke C"] != nil
		}
	}
	if r.Way == trace.Received {
		w.spoke[[2]string{from, to}]++
	}
}

func set(m map[string][]byte, key string, v []byte) map[string][]byte {
	if m == nil {
		m = make(map[string][]byte)
	}
	m[key] = v
	return m
}

// owners names who has a piece, as far as who knows. The caller prints, and
// holds no lock.
func (w *watcher) owners(who string, piece int64) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for other, has := range w.has[who] {
		if has[piece] != 0 {
			out = append(out, other)
		}
	}
	slices.Sort(out)
	return out
}

// once reports whether a record is the one of the two about a message that is
// shown: its sender's. Of handshakes it is whoever was dialled that records both
// as they come, since a dialler knows of its connection only when both are done;
// the reason of the first is that of the dial.
func (w *watcher) once(who string, r trace.Record) (trace.Record, bool) {
	if r.Proto != trace.Peer || r.What != "handshake" {
		return r, r.Way != trace.Received
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	other := w.conv.Name(r.Peer)
	if reason, dialled := w.dials[[2]string{other, who}]; dialled {
		if r.Way == trace.Received {
			r.Why, r.Text = reason, ""
		}
		return r, true
	}
	_, dialled := w.dials[[2]string{who, other}]
	return r, !dialled && r.Way == trace.Sent
}

// print prints a record as its sender saw it: what both sides saw comes once.
// Of the DHT it shows what concerns A, and that others announce themselves.
func (w *watcher) print(h heard) {
	r := h.record
	if w.opt.JSON {
		w.printJSON(h)
		return
	}
	if !h.shown || r.Proto == trace.DHT && !w.worthSaying(h) {
		return
	}
	line := h.line.String()
	if at := strings.LastIndex(line, h.line.Why); w.opt.Color && h.line.Why != "" {
		line = line[:at] + "\x1b[2m" + line[at:] + "\x1b[0m"
	}
	fmt.Fprintln(w.opt.Out, line)
}

// worthSaying picks what a reader wants of the DHT: what A asks and is told, and
// that others announce themselves. That nodes ping newcomers is left out.
func (w *watcher) worthSaying(h heard) bool {
	r := h.record
	if r.Way == trace.Did {
		return h.who == "A" && r.What == "look for peers"
	}
	if strings.HasPrefix(r.What, "ping") {
		return false
	}
	toA := r.Peer.IsValid() && w.conv.Name(r.Peer) == "A"
	return h.who == "A" || toA || r.What == "announce_peer"
}

func (w *watcher) printJSON(h heard) {
	if !h.shown {
		return
	}
	l := h.line
	b, err := json.Marshal(struct {
		Event string  `json:"event"`
		Time  float64 `json:"time"`
		From  string  `json:"from"`
		To    string  `json:"to,omitempty"`
		Proto string  `json:"proto"`
		What  string  `json:"what"`
		Why   string  `json:"why,omitempty"`
	}{"message", l.Seconds, l.From, l.To, l.Proto, l.What, l.Why})
	if err == nil {
		fmt.Fprintf(w.opt.Out, "%s\n", b)
	}
}

func (w *watcher) printNote(h heard) {
	seconds, note := h.record.At.Seconds(), h.note
	if w.opt.JSON {
		b, err := json.Marshal(struct {
			Event string  `json:"event"`
			Time  float64 `json:"time"`
			Text  string  `json:"text"`
		}{"note", seconds, note})
		if err == nil {
			fmt.Fprintf(w.opt.Out, "%s\n", b)
		}
		return
	}
	fmt.Fprintf(w.opt.Out, "\n%7.3f  — %s\n", seconds, note)
}
