package engine

import (
	"errors"
	"net"
	"net/netip"

	"shoal/internal/decide/swarm"
	"shoal/internal/decide/swarm/peerbook"
	"shoal/internal/files/content"
	"shoal/internal/net/announcer"
	"shoal/internal/net/netio"
	"shoal/internal/net/peerconn"
	"shoal/internal/net/webseed"
	"shoal/internal/value/mono"
)

// event is what happened, on its way to the loop of a torrent. What happens for every batch of
// messages, every write and every piece is in flat fields; all else is an action.
type event struct {
	kind   eventKind
	n      int32  // of evSent: blocks
	key    uint64 // of evSent: the connection
	bytes  int64  // of evSent
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
	// bySwarm reports whether it is for the swarm, and is dropped while there is none.
	bySwarm() bool
	// drop gives back what it holds, in place of apply.
	drop(t *Torrent)
}

// always is embedded by an action that is applied also before there is a swarm, and holds
// nothing.
type always struct{}

func (always) bySwarm() bool { return false }
func (always) drop(*Torrent) {}

// toSwarm is embedded by an action for the swarm that holds nothing.
type toSwarm struct{}

func (toSwarm) bySwarm() bool { return true }
func (toSwarm) drop(*Torrent) {}

// apply does what follows from one event.
func (t *Torrent) apply(ev event) {
	now := t.e.now()
	switch {
	case ev.kind == evReport:
		t.contentReports(now, ev.report)
	case t.swarm == nil && (ev.kind != evAction || ev.action.bySwarm()):
		t.refuse(ev)
	case ev.kind == evBatch:
		t.hear(now, swarm.PeerKey(ev.batch.Key), ev.batch.Items, ev.batch.Bare)
		ev.batch.Recycle()
	case ev.kind == evSent:
		t.swarm.Sent(now, swarm.PeerKey(ev.key), int(ev.n), ev.bytes)
	default:
		ev.action.apply(t, now)
	}
}

// refuse gives back what an event holds that is not applied.
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

// wake makes the loop look at what is due.
type wake struct{ always }

func (wake) apply(t *Torrent, now mono.Time) { t.tick(now) }

// stop ends the torrent.
type stop struct{ always }

func (stop) apply(t *Torrent, _ mono.Time) { t.fail(ErrStopped) }

// prioritized says that the priorities of files have changed.
type prioritized struct{ done chan struct{} }

func (prioritized) bySwarm() bool { return false }
func (p prioritized) apply(t *Torrent, _ mono.Time) {
	t.prioritise()
	close(p.done)
}
func (p prioritized) drop(*Torrent) { close(p.done) }

// redownload fetches files again that were here and are not.
type redownload struct{ always }

func (redownload) apply(t *Torrent, now mono.Time) { t.content.FetchAgain(now) }

// slots is how many peers the user lets the torrent unchoke.
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

// unsent is blocks that the writer of a connection dropped.
type unsent struct {
	toSwarm
	key    uint64
	blocks int
}

func (u unsent) apply(t *Torrent, now mono.Time) {
	t.swarm.Unsent(now, swarm.PeerKey(u.key), u.blocks)
}

// partsSent is parts of the metadata that a connection has written.
type partsSent struct {
	toSwarm
	key   uint64
	parts int
}

func (p partsSent) apply(t *Torrent, now mono.Time) {
	t.swarm.PartsSent(now, swarm.PeerKey(p.key), p.parts)
}

// arrival is a connection whose handshakes are done.
type arrival struct {
	swarm.Arrival
	nc net.Conn
}

func (*arrival) bySwarm() bool                     { return true }
func (a *arrival) apply(t *Torrent, now mono.Time) { t.arrive(now, a) }
func (a *arrival) drop(*Torrent)                   { a.nc.Close() }

// disconnected is a connection that has ended.
type disconnected struct {
	toSwarm
	key uint64
	err error
}

func (d disconnected) apply(t *Torrent, now mono.Time) {
	t.closed(now, swarm.PeerKey(d.key), d.err)
}

// spare asks for a connection to be given up.
type spare struct{ toSwarm }

func (spare) apply(t *Torrent, now mono.Time) { t.swarm.Spare(now) }

// vacancy says that there may be room for a connection.
type vacancy struct{}

func (vacancy) bySwarm() bool                 { return true }
func (vacancy) apply(t *Torrent, _ mono.Time) { t.hasRoom() }
func (vacancy) drop(t *Torrent)               { t.e.roomFor() }

// failure is an address that could not be dialled, and why.
type failure struct {
	toSwarm
	addr netip.AddrPort
	err  error
}

func (f *failure) apply(t *Torrent, now mono.Time) {
	if errors.Is(f.err, errNoRoom) {
		t.swarm.PutOff(now, f.addr)
		t.lineUp()
		return
	}
	t.swarm.DialFailed(now, f.addr, f.fault(), netio.Plain(f.err).Error())
	t.e.roomFor() // for another torrent
}

// found is addresses of peers.
type found struct {
	toSwarm
	src   peerbook.Source
	addrs []netip.AddrPort
	ids   [][]byte // peer ids, one each; nil: none are known
}

func (f *found) apply(t *Torrent, now mono.Time) { t.swarm.Found(now, f.src, f.addrs, f.ids) }

// searched is the end of a search in the DHT.
type searched struct {
	toSwarm
	holders int // nodes that keep our announcement
}

func (s searched) apply(t *Torrent, now mono.Time) { t.swarm.Searched(now, s.holders) }

// announced is the end of an announce.
type announced struct {
	toSwarm
	o *announcer.Outcome
}

func (a announced) apply(t *Torrent, now mono.Time) { t.swarm.Announced(now, t.announces.Done(a.o)) }

// webBatch is what came from a web seed.
type webBatch struct{ b *webseed.Batch }

func (webBatch) bySwarm() bool                     { return true }
func (w webBatch) apply(t *Torrent, now mono.Time) { t.webBatch(now, w.b) }
func (w webBatch) drop(t *Torrent)                 { t.refuseWeb(w.b) }

// webPlaced lets a web seed have another connection.
type webPlaced struct {
	toSwarm
	seed int
}

func (w webPlaced) apply(t *Torrent, now mono.Time) { t.swarm.WebPlaced(now, w.seed) }

// webYield asks for a connection to a web seed back.
type webYield struct {
	toSwarm
	seed int
}

func (w webYield) apply(t *Torrent, now mono.Time) { t.swarm.WebYield(now, w.seed) }

// urge is the pieces that a reader waits for: from, up to before to.
type urge struct {
	toSwarm
	reader, from, to uint32
}

func (u urge) apply(t *Torrent, now mono.Time) { t.swarm.Urge(now, u.reader, u.from, u.to) }
