package engine

import (
	"net"
	"net/netip"

	"shoal/internal/decide/swarm"
	"shoal/internal/decide/swarm/peerbook"
	"shoal/internal/files/content"
	"shoal/internal/net/announcer"
	"shoal/internal/net/peerconn"
	"shoal/internal/net/webseed"
	"shoal/internal/value/mono"
)

// event is something that happened, on its way to the loop of a torrent. The events of every
// batch, write and piece have flat fields, which saves an allocation; all others are an action.
type event struct {
	kind   eventKind
	n      int32  // evSent: number of blocks
	key    uint64 // evSent: key of the connection
	bytes  int64  // evSent: bytes sent
	batch  *peerconn.Batch
	report content.Report
	action action
}

type eventKind uint8

const (
	evAction eventKind = iota
	evBatch
	evSent
	evReport
)

// action is an event that applies itself.
type action interface {
	// apply is called in the torrent's loop.
	apply(t *Torrent, now mono.Time)
	// bySwarm reports whether the action is for the swarm. Such an action is dropped while
	// there is no swarm.
	bySwarm() bool
	// drop is called instead of apply, and releases what the action holds.
	drop(t *Torrent)
}

// always is embedded by an action that is applied even before there is a swarm, and has
// nothing to release.
type always struct{}

func (always) bySwarm() bool { return false }
func (always) drop(*Torrent) {}

// toSwarm is embedded by an action for the swarm that has nothing to release.
type toSwarm struct{}

func (toSwarm) bySwarm() bool { return true }
func (toSwarm) drop(*Torrent) {}

// apply applies one event.
func (t *Torrent) apply(ev event) {
	now := t.e.now()
	switch {
	case ev.kind == evReport:
		t.contentReports(now, ev.report)
	case t.swarm == nil && (ev.kind != evAction || ev.action.bySwarm()):
		t.refuse(ev)
	case ev.kind == evBatch:
		t.handleBatch(now, swarm.PeerKey(ev.batch.Key), ev.batch.Items, ev.batch.NoMetadata)
		ev.batch.Recycle()
	case ev.kind == evSent:
		t.swarm.Sent(now, swarm.PeerKey(ev.key), int(ev.n), ev.bytes)
	default:
		ev.action.apply(t, now)
	}
}

// refuse releases what an event holds that is not applied.
func (t *Torrent) refuse(ev event) {
	switch ev.kind {
	case evBatch:
		t.putBack(ev.batch.Items)
		ev.batch.Recycle()
	case evReport:
		t.content.Refuse(ev.report)
	case evAction:
		ev.action.drop(t)
	}
}

// wake makes the loop run the timers that are due.
type wake struct{ always }

func (wake) apply(t *Torrent, now mono.Time) { t.tick(now) }

// stop ends the torrent.
type stop struct{ always }

func (stop) apply(t *Torrent, _ mono.Time) { t.fail(ErrStopped) }

// prioritized reports that the priorities of files have changed.
type prioritized struct{ done chan struct{} }

func (prioritized) bySwarm() bool { return false }
func (p prioritized) apply(t *Torrent, _ mono.Time) {
	t.prioritise()
	close(p.done)
}
func (p prioritized) drop(*Torrent) { close(p.done) }

// redownload fetches files again that have disappeared.
type redownload struct{ always }

func (redownload) apply(t *Torrent, now mono.Time) { t.content.FetchAgain(now) }

// slots sets the number of upload slots that the user chose.
type slots struct {
	always
	n int
}

func (s slots) apply(t *Torrent, _ mono.Time) {
	if t.slots = s.n; s.n <= 0 {
		t.slots = NoSlots
	}
	if t.swarm != nil {
		t.swarm.SetSlots(s.n)
	}
}

// unsent reports blocks that the writer of a connection dropped.
type unsent struct {
	toSwarm
	key    uint64
	blocks int
}

func (u unsent) apply(t *Torrent, now mono.Time) {
	t.swarm.Unsent(now, swarm.PeerKey(u.key), u.blocks)
}

// partsSent reports parts of the metadata that a connection has written.
type partsSent struct {
	toSwarm
	key   uint64
	parts int
}

func (p partsSent) apply(t *Torrent, now mono.Time) {
	t.swarm.PartsSent(now, swarm.PeerKey(p.key), p.parts)
}

// arrival is a connection whose handshakes are complete.
type arrival struct {
	swarm.Arrival
	nc net.Conn
}

func (*arrival) bySwarm() bool                     { return true }
func (a *arrival) apply(t *Torrent, now mono.Time) { t.arrive(now, a) }
func (a *arrival) drop(*Torrent)                   { a.nc.Close() }

// disconnected reports the end of a connection.
type disconnected struct {
	toSwarm
	key uint64
	err error
}

func (d disconnected) apply(t *Torrent, now mono.Time) {
	t.closed(now, swarm.PeerKey(d.key), d.err)
}

// spare asks the swarm to give up a connection.
type spare struct{ toSwarm }

func (spare) apply(t *Torrent, now mono.Time) { t.swarm.Spare(now) }

// vacancy reports that there may be room for a connection.
type vacancy struct{}

func (vacancy) bySwarm() bool                 { return true }
func (vacancy) apply(t *Torrent, _ mono.Time) { t.hasRoom() }
func (vacancy) drop(t *Torrent)               { t.e.roomFor() }

// found holds addresses of peers.
type found struct {
	toSwarm
	src   peerbook.Source
	addrs []netip.AddrPort
	ids   [][]byte // peer ids, one per address; nil when none are known
}

func (f *found) apply(t *Torrent, now mono.Time) { t.swarm.Found(now, f.src, f.addrs, f.ids) }

// namedPeers holds addresses of peers that the user names.
type namedPeers struct {
	always
	addrs []netip.AddrPort
}

func (n namedPeers) apply(t *Torrent, now mono.Time) {
	if t.swarm == nil {
		t.spec.chosen.namePeers(n.addrs)
		return
	}
	t.swarm.Found(now, peerbook.Manual, n.addrs, nil)
}

// inOrder reports that the user has changed whether pieces are requested in order.
type inOrder struct{ toSwarm }

func (inOrder) apply(t *Torrent, _ mono.Time) { t.swarm.SetInOrder(t.InOrder()) }

// searched reports the end of a search in the DHT.
type searched struct {
	toSwarm
	holders int // number of nodes that store our announcement
}

func (s searched) apply(t *Torrent, now mono.Time) { t.swarm.Searched(now, s.holders) }

// announced reports the end of an announce.
type announced struct {
	toSwarm
	o *announcer.Outcome
}

func (a announced) apply(t *Torrent, now mono.Time) { t.swarm.Announced(now, t.announces.Done(a.o)) }

// webBatch holds blocks from a web seed.
type webBatch struct{ b *webseed.Batch }

func (webBatch) bySwarm() bool                     { return true }
func (w webBatch) apply(t *Torrent, now mono.Time) { t.webBatch(now, w.b) }
func (w webBatch) drop(t *Torrent)                 { t.refuseWeb(w.b) }

// webPlaced grants a web seed another connection.
type webPlaced struct {
	toSwarm
	seed int
}

func (w webPlaced) apply(t *Torrent, now mono.Time) { t.swarm.WebPlaced(now, w.seed) }

// webYield asks the swarm to give a connection to a web seed back.
type webYield struct {
	toSwarm
	seed int
}

func (w webYield) apply(t *Torrent, now mono.Time) { t.swarm.WebYield(now, w.seed) }

// urge names the pieces that a Reader waits for: from from to to-1.
type urge struct {
	toSwarm
	reader, from, to uint32
}

func (u urge) apply(t *Torrent, now mono.Time) { t.swarm.Urge(now, u.reader, u.from, u.to) }
