package engine

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"time"

	"shoal/internal/decide/dht"
	"shoal/internal/decide/swarm"
	"shoal/internal/decide/swarm/peerbook"
	"shoal/internal/net/announcer"
	"shoal/internal/net/peerconn"
	"shoal/internal/value/bitfield"
	"shoal/internal/value/meter"
	"shoal/internal/value/mono"
)

// loop owns the swarm: it hands the swarm what happened, and performs what the swarm decides.
// It blocks only on its inbox and its deadline.
func (t *Torrent) loop() {
	deadline := mono.Never
	for {
		if !t.box.Next(t.e.until(deadline), t.apply) {
			t.tick(t.e.now())
		}
		t.act(t.e.now())
		if t.ending() {
			t.shutdown()
			return
		}
		if deadline = t.deadline(); !t.onlyPublishes() || !t.pub.quiet() {
			continue
		}
		t.links.release()
		if t.box.Park(t.e.until(deadline)) {
			return
		}
		deadline = min(deadline, t.e.now().Add(meter.PublishEvery)) // an event is being posted
	}
}

// act performs what follows from the latest events: for the files, the share limits, our
// external addresses and the swarm.
func (t *Torrent) act(now mono.Time) {
	t.pub.cadence.Changed()
	t.maintain(now)
	t.checkShareLimits(now)
	t.lookOutside(now)
	t.updateLSD()
	if t.swarm == nil {
		return
	}
	t.swarm.Flush(t.send)
	effects := t.swarm.Effects()
	t.pub.cadence.Changes(len(effects) > 0)
	t.perform(effects)
	t.startArrivals()
}

// deadline returns when the loop has to act next, and publishes a snapshot if one is due.
func (t *Torrent) deadline() mono.Time {
	next := min(t.content.Deadline(), t.sharing.machine.Deadline(), t.pub.publish(t.e.now(), t.onlyPublishes())).OnBeat()
	if t.swarm != nil {
		next = min(next, t.swarm.Deadline())
	}
	return next
}

// tick runs the timers that are due.
func (t *Torrent) tick(now mono.Time) {
	t.content.Tick(now)
	if t.swarm != nil {
		t.limitSlots()
		t.swarm.Tick(now)
	}
}

// ending reports whether the torrent must shut down.
func (t *Torrent) ending() bool { return t.errText != nil }

// onlyPublishes reports whether only the publishing of a snapshot keeps the loop running.
func (t *Torrent) onlyPublishes() bool {
	return len(t.links.byKey) == 0 && (t.swarm == nil || t.swarm.Idle())
}

// handleBatch hands a peer's messages to the swarm. noMetadata: some were read before the geometry
// was known: the first invalid one drops the peer, and the buffers of the rest are returned.
func (t *Torrent) handleBatch(now mono.Time, key swarm.PeerKey, items []peerconn.Item, noMetadata bool) {
	for i, it := range items {
		if noMetadata && !t.stillValid(now, key, it.Message) {
			t.putBack(items[i:])
			return
		}
		t.swarm.Message(now, key, it.Message, it.Block)
	}
}

// putBack returns the block buffers of messages that are not handled.
func (t *Torrent) putBack(items []peerconn.Item) {
	for _, it := range items {
		if it.Block != nil {
			t.content.Put(it.Block)
		}
	}
}

// start creates the swarm once the data on disk is checked; the swarm of a magnet exists
// already and receives the geometry.
func (t *Torrent) start(now mono.Time, have *bitfield.Bitfield) {
	began := t.swarm != nil
	if began { // from a magnet link
		t.swarm.Known(now, swarm.Known{
			Geometry: t.geom(), Have: have, Metadata: t.Info().Raw, Priorities: t.content.PiecePriorities(), Web: t.webConfig(),
		})
	} else {
		cfg := t.swarmConfig()
		cfg.Geometry, cfg.Have, cfg.Metadata, cfg.Web = t.geom(), have, t.Info().Raw, t.webConfig()
		t.swarm = swarm.New(cfg, now, newRand())
		if prio := t.content.PiecePriorities(); prio != nil {
			t.swarm.SetPriorities(now, prio)
		}
		t.swarm.Found(now, peerbook.Manual, t.spec.Peers, nil)
		t.swarm.Found(now, peerbook.Manual, t.spec.chosen.takePeers(), nil)
	}
	t.limitSlots()
	t.content.Have(have)
	t.sent.began()
	t.applyRunState(now)
	t.links.accepting.Store(!t.sent.resting)
	t.lookedAt()
	if !began {
		t.swarm.Start(now)
	}
}

// swarmConfig returns the configuration of a swarm without the fields that need metadata.
func (t *Torrent) swarmConfig() swarm.Config {
	return swarm.Config{
		InfoHash: t.infoHash, PeerID: t.peerID,
		Private: t.private.Load(), SeedOnly: t.spec.SeedOnly, InOrder: t.run.inOrder.Load(),
		SuperSeed: t.e.cfg.SuperSeed, SeedChoke: t.e.cfg.SeedChoke,
		Tiers:  t.Trackers(),
		Client: "shoal " + t.e.cfg.Version, Port: t.e.ownPort(false), Port6: t.e.ownPort(true),
		DHTPort: t.e.dhtPort(false), DHTPort6: t.e.dhtPort(true),
		MaxMetadata: t.e.cfg.MaxMetadata,
		Slots:       t.slots, MaxPeers: t.e.cfg.MaxPeers,
		Trace: t.e.traceFunc(),
	}
}

// fail ends the torrent. err is ErrStopped when the user stops it, else the cause.
func (t *Torrent) fail(err error) {
	if t.errText == nil {
		t.errText = err
	}
}

// arrive hands a new connection to the swarm, which may drop it at once. The connections
// that it keeps are started after its effects are performed.
func (t *Torrent) arrive(now mono.Time, a *arrival) {
	key, conn := t.links.add(&link{addr: a.Addr, dialled: a.Dialled}, func(key swarm.PeerKey) *peerconn.Conn {
		return peerconn.New(uint64(key), a.nc, t.connections())
	})
	t.limit(conn, a.nc, a.Addr.Addr())
	t.e.entered(t)
	t.swarm.Joined(now, key, a.Arrival)
}

func (t *Torrent) startArrivals() {
	for _, key := range t.links.arrivals {
		if l := t.links.byKey[key]; l != nil {
			l.started = true
			l.conn.Start()
			t.tell(Event{Kind: EventPeerJoined, Peer: l.addr})
		}
	}
	t.links.started()
}

func (t *Torrent) closed(now mono.Time, key swarm.PeerKey, reason error) {
	if l := t.links.byKey[key]; l != nil {
		t.parted(l, reason)
		t.unlink(key)
	}
	t.swarm.Left(now, key, reason.Error())
}

// part closes a connection after its queued bytes are sent. A connection that was never
// started does not report its end, so part removes it.
func (t *Torrent) part(key swarm.PeerKey, reason error) {
	l := t.links.byKey[key]
	if l == nil {
		return
	}
	l.conn.Finish(reason)
	if l.started {
		t.parted(l, reason)
	} else {
		t.unlink(key)
	}
}

// parted sends EventPeerLeft, once per connection.
func (t *Torrent) parted(l *link, reason error) {
	if !l.left {
		l.left = true
		t.tell(Event{Kind: EventPeerLeft, Peer: l.addr, Text: reason.Error()})
	}
}

// send queues what the swarm wrote for a peer on its connection.
func (t *Torrent) send(key swarm.PeerKey, out swarm.Out) {
	if l := t.links.byKey[key]; l != nil {
		l.conn.Patient(out.Patience)
		l.conn.Put(peerconn.Sending{Control: out.Bytes, Parts: out.Parts, Uploads: out.Uploads, TakeBack: out.TakeBack})
	}
}

// perform carries out the swarm's effects. It never blocks.
func (t *Torrent) perform(effects []swarm.Effect) {
	for i := range effects {
		e := &effects[i]
		switch e.Kind {
		case swarm.Store:
			t.content.Store(e.Ref, e.Block, e.Sums)
		case swarm.Discard:
			t.content.Put(e.Block)
		case swarm.Forget:
			t.content.Forget(e.Piece)
		case swarm.Drop:
			t.part(e.Peer, errors.New(cmp.Or(e.Text, e.Why.Words())))
		case swarm.Dial:
			addr := e.Addr
			t.life.tasks.Go(func() { t.dial(addr) })
		case swarm.Announce:
			t.announce(e)
		case swarm.FindPeers:
			t.seek()
		case swarm.Told:
			if t.e.node != nil {
				t.e.node.Told(e.Addr)
			}
		case swarm.SeenAs:
			if l := t.links.byKey[e.Peer]; l != nil {
				t.vote(l, e.Addr.Addr())
			}
		case swarm.Metadata:
			t.life.tasks.Go(func() { t.do(metadataCame{}) })
		case swarm.PieceVerified:
			if e.Cold && t.readers.Load() == 0 {
				t.content.Cold(e.Piece)
			}
			t.tell(Event{Kind: EventPieceVerified, Piece: int(e.Piece)})
		case swarm.PieceFailed:
			t.tell(Event{Kind: EventPieceFailed, Piece: int(e.Piece)})
		case swarm.Ban:
			t.tell(Event{Kind: EventBanned, Peer: e.Addr, Text: e.Why.Words()})
		case swarm.Web:
			t.webAct(e.Web)
		case swarm.Complete:
			t.content.Sync()
		}
	}
}

// dial connects to a peer and shakes hands.
func (t *Torrent) dial(addr netip.AddrPort) {
	ctx, cancel := t.life.ctx.Child()
	defer cancel()
	nc, theirs, err := t.e.dial(ctx, t, addr)
	if err != nil {
		t.do(&failure{addr: addr, err: err})
		return
	}
	t.joined(nc, addr, true, theirs)
}

// seek starts a DHT search for peers. Metadata that turns out to be private cancels the search.
func (t *Torrent) seek() {
	ctx, cancel := t.life.ctx.Child()
	if t.magnet != nil {
		t.magnet.seeks(cancel)
	}
	t.life.tasks.Go(func() {
		defer cancel()
		t.findPeers(ctx)
	})
}

// findPeers searches the DHT for peers and announces us there.
func (t *Torrent) findPeers(ctx context.Context) {
	us := dht.Announce{Enabled: true, Port: t.e.port(false), Port6: t.e.port(true)}
	holders := t.e.node.Lookup(ctx, t.infoHash, us, func(addrs []netip.AddrPort) {
		t.do(&found{src: peerbook.DHT, addrs: addrs})
	})
	t.do(searched{holders: holders})
}

// shutdown ends everything that the torrent has running, in the order of doc.go: each step
// needs the one before. Then the torrent leaves the engine.
func (t *Torrent) shutdown() {
	t.links.accepting.Store(false)
	t.updateLSD()
	t.life.ctx.End()
	last := time.AfterFunc(announcer.Farewell, t.announces.Cut)
	defer last.Stop()
	if t.swarm != nil {
		t.swarm.Stop(t.e.now())
		t.perform(t.swarm.Effects())
	}
	for key, l := range t.links.byKey {
		l.conn.Close(ErrStopped)
		if l.started {
			t.parted(l, ErrStopped)
		}
		t.unlink(key)
	}
	t.box.End(t.refuse) // connection readers may wait for the batches in the inbox
	t.life.conns.Wait()
	t.life.tasks.Wait()
	t.announces.Wait()
	t.webLeave()
	if err := t.content.Close(); err != nil && errors.Is(t.errText, ErrStopped) {
		t.e.log.Warn("cannot close the files of a stopped torrent", "torrent", t.Info().Name, "err", err)
	}
	t.e.library.librarian.ended(t)
	t.e.forget(t)
	t.e.unseat(t)
	t.pub.end(t.errText)
	t.life.byes.End()
	t.announces.Cut()
	if errors.Is(t.errText, ErrStopped) {
		t.tell(Event{Kind: EventStopped})
	} else {
		t.tell(Event{Kind: EventError, Err: t.errText})
	}
	t.events.close()
	t.life.stopped.Open()
}

// forget removes a torrent that has ended from the list and the queue.
func (e *Engine) forget(t *Torrent) {
	e.list.mu.Lock()
	defer e.list.mu.Unlock()
	e.queue.remove(t)
	e.list.remove(t)
}
