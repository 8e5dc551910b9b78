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

	"shoal/internal/format/tracefmt"
	"shoal/internal/value/mono"
	"shoal/internal/value/trace"
	"shoal/internal/value/why"
	"shoal/metainfo"
)

// Summary is the result of a run. The trace proves each fact.
type Summary struct {
	InfoHash string `json:"info_hash"`
	Nodes    int    `json:"dht_nodes"`

	Bootstrapped      bool `json:"bootstrapped"`        // A joined the DHT through the torrent's node
	FindNode          int  `json:"find_node"`           // queries that A sent
	GetPeers          int  `json:"get_peers"`           // queries that A sent
	PeersFromDHT      bool `json:"peers_from_dht"`      // a node sent A peers
	HandshakeB        bool `json:"handshake_b"`         // A and B shook hands
	HandshakeC        bool `json:"handshake_c"`         // A and C shook hands
	BitfieldsAtOnce   bool `json:"bitfields_at_once"`   // right after the handshake, before everything else
	NoBitfieldOfA     bool `json:"no_bitfield_of_a"`    // A had nothing, and sent no bitfield, only HAVE NONE (BEP 6)
	Interested        bool `json:"interested"`          // A sent INTERESTED to both
	Unchoked          bool `json:"unchoked"`            // both unchoked A
	RarestFirst       bool `json:"rarest_first"`        // A requested piece 2 first, from B
	Verified          int  `json:"verified"`            // number of pieces that A verified
	HaveToB           bool `json:"have_to_b"`           // for every piece
	HaveToC           bool `json:"have_to_c"`           // for the piece that C lacked
	AnnouncedItself   bool `json:"announced_itself"`    // A sent announce_peer
	SeedWithoutPause  bool `json:"seed_without_pause"`  // A served the others, as a seed or before
	CFinished         bool `json:"c_finished"`          // C got its last piece from A or B
	FilesMatch        bool `json:"files_match"`         // all three files equal the content
	EveryReasonIsSaid bool `json:"every_reason_stated"` // every message has a reason

	Bitfields map[string]string `json:"bitfields"` // bitfields that B and C sent
	CFrom     string            `json:"c_from"`    // peer that sent C its last piece
	Messages  int               `json:"messages"`  // number of peer messages and DHT queries seen
	Seconds   float64           `json:"seconds"`

	announced map[string]int
	asked     bool // A has sent its first request
	parted    bool
}

// Missing returns the facts that do not hold.
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
		{"A joined the DHT through the one node that the torrent names", s.Bootstrapped},
		{"A sent find_node and get_peers, and received peers", s.FindNode > 0 && s.GetPeers > 0 && s.PeersFromDHT},
		{"A shook hands with B and with C", s.HandshakeB && s.HandshakeC},
		{"bitfields came right after the handshake: B 111, C 110, and none from A", s.BitfieldsAtOnce && s.NoBitfieldOfA && s.Bitfields["B"] == "111" && s.Bitfields["C"] == "110"},
		{"A sent INTERESTED, and both unchoked it", s.Interested && s.Unchoked},
		{"A requested piece 2 first, from B, the only peer that has it", s.RarestFirst},
		{"A verified all three pieces", s.Verified == pieces},
		{"A sent HAVE to B and C", s.HaveToB && s.HaveToC},
		{"A announced itself to the DHT", s.AnnouncedItself},
		{"A continued as a seed without a restart", s.SeedWithoutPause},
		{"C got its last piece from A or B", s.CFinished && (s.CFrom == "A" || s.CFrom == "B")},
		{"all files equal the content, byte for byte", s.FilesMatch},
		{"every message has its reason", s.EveryReasonIsSaid},
	}
}

// entry is a record and its source.
type entry struct {
	who    string
	record trace.Record
	line   tracefmt.Line // in words, from the moment of arrival: later, other peers can have the piece
	shown  bool          // print it: each message once, from its sender, except handshakes
	note   string        // text instead of a record
}

// watcher collects all records, prints them in order of time, and derives the facts from them.
type watcher struct {
	opt   Options
	conv  tracefmt.Conversation
	in    chan entry
	done  chan struct{}
	start time.Time
	kept  io.Writer // nil: do not keep the trace

	mu      sync.Mutex
	changed chan struct{} // closed and replaced when the summary has changed
	sum     Summary
	has     map[string]map[string][]byte // by peer, what it knows about each other peer's pieces: '1' or '0'
	spoke   map[[2]string]int            // number of peer messages since the handshake, by sender and recipient
	haves   map[string]map[int64]bool
	dials   map[[2]string]why.Why // peers that A dialled, and why
}

// inOrder is how long a record waits for an older one.
const inOrder = 40 * time.Millisecond

func newWatcher(opt Options, origin time.Time, kept io.Writer, name func(netip.AddrPort) string) *watcher {
	w := &watcher{
		opt: opt, kept: kept, in: make(chan entry, 4096), done: make(chan struct{}), start: origin,
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
	w.conv = tracefmt.Conversation{Name: name, Owners: w.owners}
	go w.run()
	return w
}

// traceOf returns the trace function of one participant.
func (w *watcher) traceOf(who string) trace.Func {
	return func(r trace.Record) { w.in <- entry{who: who, record: r} }
}

// say adds a line of the lab itself.
func (w *watcher) say(format string, args ...any) {
	at := mono.Start.Add(time.Since(w.start))
	w.in <- entry{note: fmt.Sprintf(format, args...), record: trace.Record{At: at}}
}

// begin describes the torrent.
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

// await waits until the summary meets a condition.
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

// run prints in order of time: participants run concurrently, so a record can arrive a moment after
// a younger one.
func (w *watcher) run() {
	defer close(w.done)
	var waiting []entry
	tick := time.NewTicker(inOrder)
	defer tick.Stop()
	flush := func(before float64) {
		slices.SortStableFunc(waiting, func(a, b entry) int {
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

// keep writes a record to the trace for --keep: the same JSON lines as a run's --trace, with the
// participant that recorded it.
func (w *watcher) keep(h entry) {
	if w.kept == nil {
		return
	}
	b := append([]byte(`{"who":"`), h.who...)
	b = append(append(b, `",`...), h.record.AppendJSON(nil)[1:]...)
	w.kept.Write(append(b, '\n'))
}

// finish waits for the last line and prints the facts. It omits them after an interrupted run,
// where they would look like faults.
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

// take derives facts from one record.
func (w *watcher) take(h entry) {
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

// owners returns the peers that have a piece, as far as `who` knows. The caller prints, and holds
// no lock.
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

// once reports whether a record is the one to show of the two about a message: its sender's. For
// handshakes it is the dialled peer that records both as they arrive, since a dialler knows its
// connection only when both are done. The reason of the first is that of the dial.
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

// print prints a record as its sender saw it: a message that both sides saw appears once. Of the
// DHT it shows what concerns A, and announces of the others.
func (w *watcher) print(h entry) {
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

// worthSaying selects the interesting part of the DHT: A's queries and their answers, and announces
// of the others. It omits pings of new nodes.
func (w *watcher) worthSaying(h entry) bool {
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

func (w *watcher) printJSON(h entry) {
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

func (w *watcher) printNote(h entry) {
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
