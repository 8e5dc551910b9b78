package swarm

import (
	"fmt"
	"time"

	"shoal/internal/decide/swarm/blame"
	"shoal/internal/decide/swarm/picker"
	"shoal/internal/decide/swarm/webplan"
	"shoal/internal/value/block"
	"shoal/internal/value/meter"
	"shoal/internal/value/mono"
	"shoal/internal/value/trace"
	"shoal/internal/value/why"
)

// webSender is the first number of a web seed in the blame ledger; addresses count from 1.
const webSender blame.Sender = 1 << 31

// web is the state of the web seeds (BEP 19). The picker knows each of their connections by a
// slot above those of peers.
type web struct {
	plan  *webplan.Machine
	seeds []webSeed
	first picker.Peer // slot of connection 0
	down  meter.Flow
}

type webSeed struct {
	webplan.Seed
	down meter.Flow
}

// newWeb creates the state of the web seeds. A torrent that never fetches has none.
func (s *Swarm) newWeb() {
	cfg := s.cfg.Web()
	s.cfg.Web = nil
	if len(cfg.Seeds) == 0 {
		return
	}
	s.web = &web{first: picker.Peer(s.cfg.MaxPeers)}
	for _, seed := range cfg.Seeds {
		s.web.seeds = append(s.web.seeds, webSeed{Seed: seed})
	}
	s.web.plan = webplan.New(cfg, board{s}, s.rng)
}

// idle reports whether we have no connection to a web seed and want none.
func (w *web) idle() bool { return w == nil || w.plan.Idle() }

func (w *web) slot(conn int) picker.Peer { return w.first + picker.Peer(conn) }

// peerAt returns the peer in a slot; nil when a web seed has the slot, or it is free.
func (s *Swarm) peerAt(slot picker.Peer) *peer {
	if int(slot) >= len(s.peers.bySlot) {
		return nil
	}
	return s.peers.bySlot[slot]
}

// settleWeb requests from web seeds what we want now, once for a batch of inputs.
func (s *Swarm) settleWeb() {
	if s.cfg.Web != nil && s.started && s.wants() {
		s.newWeb()
	}
	w := s.web
	if w == nil {
		return
	}
	for conn := range webplan.MaxConns {
		if _, running := w.plan.Running(conn); running && s.picker.RequestsOf(w.slot(conn)) == 0 {
			w.plan.Drop(s.now, conn, why.Unwanted) // the rest came from others, or is skipped
		}
	}
	w.plan.Tick(s.now, s.wants() && !s.files.held)
	s.webActs()
	s.wakeBy(w.plan.Deadline())
}

// endWeb ends all fetches from web seeds.
func (s *Swarm) endWeb() {
	if s.web != nil {
		s.web.plan.Tick(s.now, false)
		s.webActs()
	}
}

// webActs passes on what the plan decided.
func (s *Swarm) webActs() {
	for _, a := range s.web.plan.Acts() {
		if s.tracing() {
			s.noteAct(a)
		}
		act := a
		s.effect(Effect{Kind: Web, Why: a.Why, Web: &act})
	}
}

func (s *Swarm) noteAct(a webplan.Act) {
	r := record(a.Why)
	r.Text = s.web.seeds[a.Seed].Host
	way, what := trace.Did, a.Kind.String()
	switch a.Kind {
	case webplan.Fetch:
		way = trace.Sent
		r.Piece, r.Block = int64(a.Run.Piece), int64(a.Run.Block)
		for _, seg := range a.Segments {
			r.N += seg.Length
		}
	case webplan.GiveUp:
		r.Text += ": " + a.Text
	}
	s.note(way, trace.Web, nil, what, r)
}

// WebPlaced says that the engine granted a connection to a web seed.
func (s *Swarm) WebPlaced(now mono.Time, seed int) {
	s.now = now
	if s.web != nil {
		s.web.plan.Placed(now, seed)
	}
}

// WebYield says that other torrents need the connection to a web seed.
func (s *Swarm) WebYield(now mono.Time, seed int) {
	s.now = now
	if s.web != nil {
		s.web.plan.Yield(now, seed)
	}
}

// WebBlock takes a block of a fetch.
func (s *Swarm) WebBlock(now mono.Time, fetch uint64, ref block.Ref, b *block.Block) {
	s.now = now
	size := int64(ref.Length)
	s.cameDown(size)
	w := s.web
	conn, seed, ok := w.plan.Fetching(fetch)
	if !ok || s.files.held || s.inactive() {
		s.waste(b, size) // the fetch ended while the block was on its way
		return
	}
	w.down.Add(now, size)
	w.seeds[seed].down.Add(now, size)
	w.plan.Got(now, conn, size)
	if s.tracing() {
		r := onBlock(why.None, ref)
		r.Text = w.seeds[seed].Host
		s.note(trace.Received, trace.Web, nil, "piece", r)
	}
	var got picker.Got
	got, _, s.buffers().others = s.picker.Received(w.slot(conn), uint32(webSender)+uint32(seed), ref, s.buffers().others[:0])
	for _, other := range s.buffers().others {
		if q := s.peerAt(other); q != nil {
			s.cancel(q, ref, why.Duplicated)
		}
	}
	if got != picker.Wanted {
		s.waste(b, size)
		return
	}
	s.effect(Effect{Kind: Store, Why: why.BlockArrived, Ref: ref, Block: b, Sums: s.blame.ledger.Suspect(ref.Piece)})
}

// WebEnded says how a fetch ended, after its blocks.
func (s *Swarm) WebEnded(now mono.Time, fetch uint64, r webplan.Result) {
	s.now = now
	_, seed, ok := s.web.plan.Fetching(fetch)
	if !ok {
		return
	}
	if s.tracing() && r.Outcome != webplan.Done {
		t := record(why.None)
		t.Text = s.web.seeds[seed].Host + ": " + r.Text
		s.note(trace.Received, trace.Web, nil, r.Outcome.String(), t)
	}
	s.web.plan.Ended(now, fetch, r)
}

// convict shuts out a sender of proven bad data: an address, or a web seed.
func (s *Swarm) convict(sender blame.Sender, piece uint32, w why.Why) {
	if sender < webSender {
		s.ban(s.blame.senders.addr(sender), piece, w)
		return
	}
	s.web.plan.Ban(s.now, int(sender-webSender), w, fmt.Sprintf("it sent bad data in piece %d", piece))
}

// board shows the picker to webplan.
type board struct{ s *Swarm }

func (b board) Generation() uint64 { return b.s.picker.Generation() }
func (b board) Ranked() bool       { return b.s.picker.Ranked() }

func (b board) Crowded() bool {
	if b.s.picker.HaveCount() == 0 {
		return true
	}
	for _, p := range b.s.peers.bySlot {
		if p != nil && !p.complete() {
			return true
		}
	}
	return false
}

func (b board) Offer(seed int, piece uint32) (o webplan.Offer, level uint8, rare bool) {
	standing, level := b.s.picker.Standing(piece, uint32(webSender)+uint32(seed))
	return [...]webplan.Offer{
		picker.Barred: webplan.Nothing, picker.Untaken: webplan.Fresh, picker.Spoilt: webplan.Failed,
		picker.Resting: webplan.Rest, picker.Poisoned: webplan.Ours, picker.Working: webplan.Shared,
	}[standing], level, b.s.picker.Availability(piece) == 0
}

func (b board) Free(piece uint32, half bool) (index, n uint32) {
	return b.s.picker.FreeRow(piece, half)
}

func (b board) Urgent(now mono.Time) (uint32, bool) { return b.s.picker.UrgentFree(now) }

func (b board) Claim(now mono.Time, conn int, r webplan.Run, wait, each time.Duration) {
	b.s.picker.Claim(now, b.s.web.slot(conn), r.Piece, r.Block, r.Blocks, wait, each)
}

func (b board) Release(conn int) {
	b.s.picker.AbandonAll(b.s.web.slot(conn))
	b.s.freed = true
}

// WebSeedStats is what we know of one web seed.
type WebSeedStats struct {
	URL        string
	Downloaded int64
	DownRate   float64
	webplan.Status
}

// webStats returns the WebSeedStats of all web seeds.
func (s *Swarm) webStats(now mono.Time) (all []WebSeedStats) {
	if s.web == nil {
		return nil
	}
	for i := range s.web.seeds {
		seed := &s.web.seeds[i]
		all = append(all, WebSeedStats{
			URL: seed.URL, Downloaded: seed.down.Total(), DownRate: seed.down.Rate(now),
			Status: s.web.plan.Status(i, now),
		})
	}
	return all
}

// checkWeb compares the running fetches with what the picker knows, and returns the number of
// requested blocks.
func (s *Swarm) checkWeb() (requests int, err error) {
	if s.web == nil {
		return 0, nil
	}
	if len(s.peers.bySlot) > int(s.web.first) {
		return 0, fmt.Errorf("%d slots of peers, but the slots of web seeds begin at %d", len(s.peers.bySlot), s.web.first)
	}
	for conn := range webplan.MaxConns {
		n := s.picker.RequestsOf(s.web.slot(conn))
		if _, running := s.web.plan.Running(conn); running != (n > 0) {
			return 0, fmt.Errorf("web connection %d: fetching is %v, and %d blocks are requested", conn, running, n)
		}
		requests += n
	}
	if requests > 0 && (s.files.held || !s.wants()) {
		return 0, fmt.Errorf("%d blocks are requested from web seeds, held is %v, wanting is %v", requests, s.files.held, s.wants())
	}
	return requests, nil
}
