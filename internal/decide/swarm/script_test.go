package swarm

import (
	"cmp"
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"shoal/internal/decide/swarm/announce"
	"shoal/internal/decide/swarm/blame"
	"shoal/internal/decide/swarm/peerbook"
	"shoal/internal/format/tracker"
	"shoal/internal/format/wire"
	"shoal/internal/golden"
	"shoal/internal/testkit"
	"shoal/internal/value/bitfield"
	"shoal/internal/value/block"
	"shoal/internal/value/mono"
	"shoal/internal/value/trace"
	"shoal/internal/value/why"
	"shoal/metainfo"
)

// TestScripts plays testdata/*.txt. A peer is a capital letter. What the swarm
// says is read from its bytes; the reason beside it is the one it recorded.
func TestScripts(t *testing.T) {
	golden.Run(t, "testdata/*.txt", func(t *testing.T) func(string) string {
		d := &driver{t: t}
		return d.command
	})
}

// driver plays the part of the engine, and of all peers.
type driver struct {
	t   *testing.T
	s   *Swarm
	geo metainfo.Geometry
	now mono.Time

	keys  map[string]PeerKey // of the latest connection of each peer
	names map[PeerKey]string
	last  PeerKey
	tags  map[uint32][]byte // of the blocks stored: 0 none, 1 right, more: wrong
	web   map[int]*fetched  // by connection to a web seed

	notes []trace.Record // not yet told
	out   []string
	clock bool // tell the time with each line
}

// me is our peer id: between those of A to L and those of N to Z.
var me = peerID("M")

func peerID(name string) (id [20]byte) {
	copy(id[:], "-SO0100-")
	for i := 8; i < 20; i++ {
		id[i] = name[0]
	}
	return id
}

func addrOf(name string) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, 0, 113, name[0]}), 6881)
}

func (d *driver) command(line string) string {
	words := strings.Fields(line)
	d.out, d.clock = nil, false
	d.do(words[0], words[1:])
	if d.s != nil {
		if err := d.s.CheckInvariants(); err != nil {
			d.t.Errorf("after %q: %v", line, err)
		}
	}
	if len(d.out) == 0 {
		return ""
	}
	return joined(d.out)
}

// joined puts lines together, those that repeat as one.
func joined(lines []string) string {
	var b strings.Builder
	for i := 0; i < len(lines); {
		n := 1
		for i+n < len(lines) && lines[i+n] == lines[i] {
			n++
		}
		b.WriteString(lines[i])
		if n > 1 {
			fmt.Fprintf(&b, " x %d", n)
		}
		b.WriteString("\n")
		i += n
	}
	return b.String()
}

func (d *driver) say(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if d.clock {
		text = fmt.Sprintf("%7.1f  %s", d.now.Seconds(), text)
	}
	d.out = append(d.out, strings.TrimRight(text, " "))
}

func (d *driver) do(verb string, args []string) {
	if verb == "torrent" {
		d.torrent(args)
		d.flush()
		return
	}
	switch verb {
	case "connect", "dialled":
		d.connect(verb == "dialled", args)
		return
	case "recv":
		if !d.recv(args[0], args[1], args[2:]) {
			return
		}
	case "block":
		for _, ref := range args[1:] {
			d.block(args[0], ref)
		}
	case "serve":
		// A peer delivers the oldest of what it was asked for; "but-one" leaves
		// the very oldest out.
		n, refs := int(d.number(args[1])), []request(nil)
		if p := d.s.peers.byKey[d.keys[args[0]]]; p != nil {
			refs = slices.Clone(p.download.requests.live())
		}
		butOne := len(args) == 3 && args[2] == "but-one"
		if butOne && len(refs) > 0 {
			refs = refs[1:]
		}
		if len(refs) < n {
			d.say("%s is not asked for so much", args[0])
			return
		}
		refs = refs[:n]
		for _, r := range refs {
			text := r.ref.String()
			if len(args) == 3 && !butOne {
				text += "!"
			}
			d.block(args[0], text)
		}
	case "reject":
		// A peer rejects the oldest of what it was asked for.
		for range d.number(args[1]) {
			p := d.s.peers.byKey[d.keys[args[0]]]
			if p == nil || p.download.requests.len() == 0 {
				d.say("%s is not asked for so much", args[0])
				return
			}
			ref := p.download.requests.live()[0].ref
			d.recv(args[0], "reject", []string{ref.String()})
		}
	case "rejects":
		// A peer rejects whatever it is asked for, for as long as it is asked.
		n, told := 0, d.out
		for p := d.s.peers.byKey[d.keys[args[0]]]; !p.out.gone && p.download.requests.len() > 0; n++ {
			d.recv(args[0], "reject", []string{p.download.requests.live()[0].ref.String()})
			d.flush()
			d.out, told = nil, d.out
		}
		d.out = told
		d.say("it has rejected %d blocks", n)
	case "web":
		d.webDoes(args[0], args[1:])
	case "check":
		d.check(d.number(args[0]))
	case "unwritten":
		clear(d.tags[d.number(args[0])])
		d.s.WriteFailed(d.now, d.number(args[0]))
	case "lost":
		d.s.Lost(d.now, d.number(args[0]))
	case "sent":
		n := int(d.number(args[1]))
		bytes := int64(n) * block.Size
		if len(args) == 3 {
			bytes = int64(d.number(args[2]))
		}
		d.s.Sent(d.now, d.keys[args[0]], n, bytes)
	case "unsent":
		d.s.Unsent(d.now, d.keys[args[0]], int(d.number(args[1])))
	case "left":
		d.s.Left(d.now, d.keys[args[0]], "connection reset")
	case "found":
		d.found(args)
	case "external":
		d.s.External(d.now, netip.MustParseAddr(args[0]))
	case "dial-failed":
		d.s.DialFailed(d.now, addrOf(args[0]), FaultRefused, "refused")
	case "searched":
		d.s.Searched(d.now, int(d.number(args[0])))
	case "announced":
		d.s.Announced(d.now, announce.Result{URL: "http://t.example/announce", Event: announceEvent[args[0]], Interval: 30 * time.Minute, Seeders: 1, Leechers: 1})
	case "priorities":
		prio := make([]uint8, len(args))
		for i, a := range args {
			prio[i] = uint8(d.number(a))
		}
		d.s.SetPriorities(d.now, prio)
	case "in-order":
		d.s.SetInOrder(args[0] == "on")
	case "urge":
		d.s.Urge(d.now, d.number(args[0]), d.number(args[1]), d.number(args[2]))
	case "hold":
		d.s.Hold(d.now, args[0] == "on")
	case "suspend":
		d.s.Suspend(d.now, args[0] == "on")
		if args[0] == "on" {
			clear(d.tags)
		}
	case "regained":
		d.s.Regained(d.now, d.number(args[0]))
	case "slots":
		d.s.SetSlots(int(d.number(args[0])))
	case "wait":
		d.wait(args[0])
		return
	case "known":
		d.known(args)
	case "private":
		d.s.Private(d.now)
	case "stop":
		d.s.Stop(d.now)
	case "state":
		d.state()
		return
	case "peers":
		d.peers()
		return
	case "patience":
		d.patience()
		return
	default:
		d.t.Fatalf("unknown verb %q", verb)
	}
	d.flush()
}

var announceEvent = map[string]tracker.Event{"started": 2, "completed": 1, "periodic": 0}

// torrent starts anew.
func (d *driver) torrent(args []string) {
	*d = driver{t: d.t, now: mono.Start, keys: map[string]PeerKey{}, names: map[PeerKey]string{}, tags: map[uint32][]byte{}, web: map[int]*fetched{}}
	pieces, blocks := uint32(4), uint32(2)
	cfg := Config{PeerID: me, Client: "shoal", Port: 6881}
	have, limit := "", int64(0)
	for _, arg := range args {
		key, value, _ := strings.Cut(arg, "=")
		n, _ := strconv.Atoi(value)
		switch key {
		case "pieces":
			pieces = uint32(n)
		case "blocks":
			blocks = uint32(n)
		case "have":
			have = value
		case "slots":
			cfg.Slots = n
		case "super":
			cfg.SuperSeed = map[string]SuperSeed{"on": SuperSeedOn, "off": SuperSeedOff}[value]
		case "limit":
			limit = int64(n)
		case "peers":
			cfg.MaxPeers = n
		case "dials":
			cfg.HalfOpen = n
		case "dht":
			cfg.DHTPort = 6881
		case "private":
			cfg.Private = true
		case "metadata":
			cfg.Metadata = testkit.Pattern(n)
		case "magnet":
			cfg.NoMetadata, cfg.InfoHash = true, sha1.Sum(testkit.Pattern(n))
		case "seed-only":
			cfg.SeedOnly = true
		case "web-seeds":
			cfg.Web = d.webSeeds(n)
		case "tracker":
			cfg.Tiers = [][]string{{"http://t.example/announce"}}
		default:
			d.t.Fatalf("unknown word %q", arg)
		}
	}
	length := blocks * block.Size
	if cfg.NoMetadata {
		pieces = 0
	}
	d.geo = metainfo.Geometry{Total: int64(pieces) * int64(length), PieceLength: length, Pieces: pieces}
	cfg.Geometry, cfg.Have = d.geo, d.pieces(have)
	cfg.Trace = func(r trace.Record) { d.notes = append(d.notes, r) }
	d.s = New(cfg, d.now, rand.New(rand.NewPCG(1, 1)))
	if limit > 0 {
		d.s.SetUpLimit(limit)
	}
	d.s.Start(d.now)
}

// connect brings a connection whose handshakes are over, and what the peer says
// right after them.
func (d *driver) connect(dialled bool, args []string) {
	name := args[0]
	d.last++
	addr := addrOf(name)
	if !dialled {
		addr = netip.AddrPortFrom(addr.Addr(), 50000+uint16(d.last))
	}
	a := Arrival{Addr: addr, Dialled: dialled, Handshake: wire.Handshake{PeerID: peerID(name)}}
	old := d.keys[name]
	d.keys[name], d.names[d.last] = d.last, name
	var say [][]string
	for _, arg := range args[1:] {
		key, value, _ := strings.Cut(arg, "=")
		switch key {
		case "have":
			say = append(say, []string{"bitfield", value})
		case "fast":
			a.Handshake.Reserved = a.Handshake.Reserved.WithFast()
		case "all", "nothing":
			say = append(say, []string{map[string]string{"all": "have-all", "nothing": "have-none"}[key]})
		case "ext":
			a.Handshake.Reserved = a.Handshake.Reserved.WithExtensions()
		case "dht":
			a.Handshake.Reserved = a.Handshake.Reserved.WithDHT()
		case "id":
			a.Handshake.PeerID = peerID(value)
		default:
			d.t.Fatalf("unknown word %q", arg)
		}
	}
	d.s.Joined(d.now, d.last, a)
	d.flush()
	if d.s.peers.byKey[d.last] == nil {
		d.keys[name] = old
		return
	}
	for _, s := range say {
		if d.recv(name, s[0], s[1:]) {
			d.flush()
		}
	}
}

// recv gives a message to the swarm as a connection does: first its length and
// its range are looked at.
func (d *driver) recv(name, what string, args []string) bool {
	var b []byte
	n := func() uint32 { return d.number(args[0]) }
	switch what {
	case "choke", "unchoke", "interested", "have-all", "have-none":
		b = wire.AppendSimple(nil, map[string]wire.ID{
			"choke": wire.Choke, "unchoke": wire.Unchoke, "interested": wire.Interested,
			"have-all": wire.HaveAll, "have-none": wire.HaveNone,
		}[what])
	case "not-interested":
		b = wire.AppendSimple(nil, wire.NotInterested)
	case "have":
		b = wire.AppendHave(nil, n())
	case "bitfield":
		if bits, ok := strings.CutPrefix(args[0], "hex:"); ok {
			body, _ := strconv.ParseUint(bits, 16, 64)
			b = append([]byte{0, 0, 0, byte(1 + len(bits)/2), 5}, binary.BigEndian.AppendUint64(nil, body)[8-len(bits)/2:]...)
		} else {
			b = wire.AppendBitfield(nil, d.pieces(args[0]))
		}
	case "suggest":
		b = wire.AppendSuggest(nil, n())
	case "allowed-fast":
		b = wire.AppendAllowedFast(nil, n())
	case "request", "cancel", "reject":
		times := 1
		if len(args) == 2 {
			times, _ = strconv.Atoi(strings.TrimPrefix(args[1], "times="))
		}
		for range times - 1 {
			d.recv(name, what, args[:1])
		}
		appendRef := map[string]func([]byte, block.Ref) []byte{
			"request": wire.AppendRequest, "cancel": wire.AppendCancel, "reject": wire.AppendReject,
		}[what]
		b = appendRef(nil, d.ref(args[0]))
	case "port":
		b = wire.AppendPort(nil, uint16(n()))
	case "keep-alive":
		b = wire.AppendKeepAlive(nil)
	case "extended":
		b = wire.AppendExtended(nil, 0, []byte(args[0]))
	case "lt_donthave":
		b = wire.AppendExtended(nil, ourID(wire.DontHave), binary.BigEndian.AppendUint32(nil, n()))
	case "upload_only":
		b = wire.AppendExtended(nil, ourID(wire.UploadOnly), []byte{map[string]byte{"yes": 1}[args[0]]})
	case "ut_holepunch":
		b = wire.AppendPunch(nil, ourID(wire.Holepunch), wire.Punch{Addr: addrOf(args[0])})
	case "metadata":
		// "0" answers with a part, "0!" with something wrong, "reject 0" with a no.
		if args[0] == "reject" {
			b = wire.AppendMetadata(nil, ourID(wire.UTMetadata), wire.Metadata{Type: wire.MetadataReject, Piece: d.number(args[1])})
			break
		}
		b = d.metadataPart(args[0])
	case "pex":
		// "B" or "B+", a seed.
		var m wire.Pex
		for _, arg := range args {
			name, seed := strings.CutSuffix(arg, "+")
			peer := wire.PexPeer{Addr: addrOf(name)}
			if name == "lan" {
				peer.Addr = netip.MustParseAddrPort("192.168.0.1:6881")
			}
			if seed {
				peer.Flags = wire.PexSeed
			}
			m.Added = append(m.Added, peer)
		}
		b = wire.AppendPex(nil, ourID(wire.UTPex), m)
	case "ext":
		// An extended message of any id, with any body.
		b = wire.AppendExtended(nil, uint8(n()), []byte(strings.Join(args[1:], " ")))
	case "unknown":
		b = []byte{0, 0, 0, 2, byte(n()), 0}
	default:
		d.t.Fatalf("unknown message %q", what)
	}
	m, err := d.read(b)
	if err != nil {
		d.say("%s is cut off: %v", name, err)
		d.s.Left(d.now, d.keys[name], err.Error())
		d.flush()
		return false
	}
	d.s.Message(d.now, d.keys[name], m, nil)
	return true
}

// ourID is what peers send an extension's messages with.
func ourID(x wire.Extension) uint8 { return wire.OurIDs(x)[x] }

func (d *driver) read(b []byte) (wire.Message, error) {
	bounds := wire.BoundsOf(d.geo, d.geo.Pieces)
	if d.s.NoMetadata() {
		bounds = wire.Bounds{Pieces: metainfo.MaxPieces, NoMetadata: true}
	}
	m, _, err := bounds.Decode(b)
	return m, err
}

// block delivers a block: "2:0", or "2:0!" with wrong content.
func (d *driver) block(name, ref string) {
	ref, wrong := strings.CutSuffix(ref, "!")
	r := d.ref(ref)
	tag := byte(1)
	if wrong {
		tag = name[0]
	}
	m := wire.Message{ID: wire.Piece, Piece: r.Piece, Begin: r.Begin, Length: r.Length}
	d.s.Message(d.now, d.keys[name], m, &block.Block{Data: []byte{tag}})
}

// check says how hashing a piece ended, which follows from the blocks stored.
func (d *driver) check(piece uint32) {
	if d.tags[piece] == nil {
		d.say("nothing has come")
		return
	}
	sums := make([]blame.Sum, d.geo.Blocks(piece))
	ok := true
	for i := range sums {
		tag := d.tags[piece][i]
		if tag == 0 {
			d.say("block %d has not come", i)
			return
		}
		ok = ok && tag == 1
		sums[i] = blame.Sum{byte(piece), byte(i), tag}
	}
	clear(d.tags[piece])
	d.s.Checked(d.now, piece, ok, sums)
}

// found names addresses: "found tracker A B", "found tracker A=Z" promises an id.
func (d *driver) found(args []string) {
	src := map[string]peerbook.Source{"user": peerbook.Manual, "tracker": peerbook.Tracker, "dht": peerbook.DHT}[args[0]]
	var addrs []netip.AddrPort
	var ids [][]byte
	for _, arg := range args[1:] {
		name, id, promised := strings.Cut(arg, "=")
		addrs = append(addrs, addrOf(name))
		if promised {
			i := peerID(id)
			ids = append(ids, i[:])
		} else {
			ids = append(ids, nil)
		}
	}
	d.s.Found(d.now, src, addrs, ids)
}

// wait lets time pass, with a tick whenever one is due.
func (d *driver) wait(how string) {
	span, err := time.ParseDuration(how)
	if err != nil {
		d.t.Fatal(err)
	}
	d.clock = true
	until := d.now.Add(span)
	for {
		at := max(d.s.Deadline(), d.now)
		if at > until {
			d.now = until
			return
		}
		d.now = at
		d.s.Tick(at)
		d.flush()
		if d.s.Deadline() <= d.now {
			d.t.Fatalf("a tick at %v leaves a deadline at %v", d.now.Seconds(), d.s.Deadline().Seconds())
		}
	}
}

// flush tells what the swarm says and does. Both are in the notes, in order; the
// bytes must say the same as the notes.
func (d *driver) flush() {
	said := map[netip.AddrPort][]string{}
	parts := map[PeerKey]int{}
	d.s.Flush(func(key PeerKey, out Out) {
		addr := d.s.peers.byKey[key].addr
		parts[key] = len(out.Parts)
		if out.TakeBack {
			d.say("%s: what the writer has is taken back", string(addr.Addr().AsSlice()[3]))
		}
		for b := slices.Concat(out.Bytes, slices.Concat(out.Parts...)); len(b) > 0; {
			n := 4 + binary.BigEndian.Uint32(b)
			m, err := d.read(b[:n])
			if err != nil {
				d.t.Fatalf("it says %x: %v", b[:n], err)
			}
			said[addr] = append(said[addr], d.words(m))
			b = b[n:]
		}
		for _, r := range out.Uploads {
			said[addr] = append(said[addr], fmt.Sprintf("piece %v", r))
		}
	})
	effects := slices.Clone(d.s.Effects())
	for _, r := range d.notes {
		d.tell(r, said)
	}
	d.notes = d.notes[:0]
	for addr, rest := range said {
		if len(rest) > 0 {
			d.t.Errorf("said to %v and not recorded: %v", addr, rest)
		}
	}
	for _, e := range effects {
		d.effect(e)
	}
	for key, n := range parts { // they are written at once
		if n > 0 {
			d.s.PartsSent(d.now, key, n)
			d.flush()
		}
	}
}

// tell prints one record, with the message as it stands in the bytes.
func (d *driver) tell(r trace.Record, said map[netip.AddrPort][]string) {
	name := ""
	if r.Peer.IsValid() {
		name = string(r.Peer.Addr().AsSlice()[3])
	}
	reason := ""
	if r.Why != why.None {
		reason = "(" + r.Why.Words() + ")"
	}
	switch {
	case r.Proto == trace.Web:
		d.tellWeb(r, reason)
	case r.Way == trace.Sent && r.Proto == trace.Tracker:
		d.say("announce %s %s", r.Text, reason)
	case r.Way == trace.Sent && r.What != "handshake":
		if len(said[r.Peer]) == 0 {
			if d.gone(r.Peer) {
				return // it was to be said to a peer that was dropped meanwhile
			}
			d.t.Errorf("recorded, and not said: %+v", r)
			return
		}
		at := 0
		if r.What == "metadata" { // these go behind what is short
			at = max(slices.IndexFunc(said[r.Peer], func(s string) bool { return strings.HasPrefix(s, "metadata ") && strings.HasSuffix(s, " bytes") }), 0)
		}
		what := said[r.Peer][at]
		said[r.Peer] = slices.Delete(said[r.Peer], at, at+1)
		if !strings.HasPrefix(what, r.What) {
			d.t.Errorf("said %q, recorded %q", what, r.What)
		}
		d.say("%-28s %s", name+" <- "+what, reason)
	case r.Way == trace.Did:
		what := r.What
		if name != "" {
			what += " " + name
		}
		if r.Piece != trace.No {
			what += fmt.Sprintf(" piece %d", r.Piece)
		}
		if r.Text != "" {
			what += ": " + r.Text
		}
		d.say("%-28s %s", what, reason)
	}
}

func (d *driver) gone(addr netip.AddrPort) bool {
	return !slices.ContainsFunc(d.s.peers.bySlot, func(p *peer) bool { return p != nil && p.addr == addr })
}

// words puts a message of ours into words.
func (d *driver) words(m wire.Message) string {
	switch m.ID {
	case wire.Have, wire.Suggest, wire.AllowedFast:
		return fmt.Sprintf("%v %d", m.ID, m.Piece)
	case wire.Request, wire.Cancel, wire.Reject:
		return fmt.Sprintf("%v %v", m.ID, m.Ref())
	case wire.Bitfield:
		have, err := bitfield.FromWire(m.Body, d.geo.Pieces)
		if err != nil {
			d.t.Error(err)
			return "bitfield"
		}
		return "bitfield " + have.String()
	case wire.Port:
		return fmt.Sprintf("port %d", m.Port)
	case wire.Extended:
		if m.Ext != 0 {
			return d.extensionWords(m)
		}
		var e wire.Extensions
		if err := e.Update(m.Body); err != nil {
			d.t.Error(err)
		}
		text := "extension handshake"
		if e.UploadOnly {
			text += ", upload only"
		}
		return text
	}
	return m.ID.String()
}

// effect prints the effects of which there is no record, and keeps the others.
func (d *driver) effect(e Effect) {
	switch e.Kind {
	case Store:
		if d.tags[e.Ref.Piece] == nil {
			d.tags[e.Ref.Piece] = make([]byte, d.geo.Blocks(e.Ref.Piece))
		}
		d.tags[e.Ref.Piece][e.Ref.Index()] = e.Block.Data[0]
		from := d.names[e.Peer]
		if e.Peer == 0 {
			from = "a web seed"
		}
		text := "store"
		if e.Sums {
			text += " with digests"
		}
		d.say("%s %v from %s", text, e.Ref, from)
	case Discard, Forget:
		if e.Kind == Forget {
			d.say("forget piece %d", e.Piece)
		} else {
			d.say("discard a block")
		}
	case Web:
		d.webAct(e.Web)
	case Metadata:
		d.say("%d bytes of metadata are there", len(d.s.Metadata()))
	case Told:
		d.say("told of the DHT node %v", e.Addr)
	case SeenAs:
		d.say("%s sees us at %v", d.names[e.Peer], e.Addr.Addr())
	}
}

// state tells how things are with each peer.
// patience prints for how many beats what comes on a connection can wait.
func (d *driver) patience() {
	var names []string
	for p := range d.s.peers.all() {
		if n := p.out.patience; n > 0 {
			names = append(names, fmt.Sprintf("%s %d", d.names[p.key], n))
		}
	}
	slices.Sort(names)
	d.say("patient: %s", cmp.Or(strings.Join(names, " "), "none"))
}

func (d *driver) state() {
	st := d.s.Stats(d.now)
	d.say("have %s, %d requests, %d bytes wasted", d.s.picker.Bitfield(), st.Requests, st.Wasted)
	if st.Wanted != st.Pieces {
		d.say("%d of %d wanted pieces, %d of %d bytes", st.WantedHave, st.Wanted, st.WantedVerified, st.WantedSize)
	}
	if st.Held {
		d.say("held")
	}
	if st.Suspended {
		d.say("suspended")
	}
	if st.Reading {
		d.say("somebody reads")
	}
	if d.s.Deadline() == mono.Never {
		d.say("nothing is due")
	}
	for _, w := range st.WebSeeds {
		d.say("web seed %s is %s, %d connections, %d bytes; %s", w.URL, w.State, w.Conns, w.Downloaded, w.Err)
	}
	for _, p := range d.s.peers.bySlot {
		if p == nil {
			continue
		}
		d.say("%s has %s, %d requests of ours, %d of theirs wait, %d on their way, %d refused", d.names[p.key], p.theirs.have,
			p.download.requests.len(), p.upload.queue.len(), p.upload.flight, p.upload.refused)
	}
}

// pieces reads "0-3,5".
func (d *driver) pieces(s string) *bitfield.Bitfield {
	have := bitfield.New(d.geo.Pieces)
	for _, part := range strings.Split(s, ",") {
		if part == "" || part == "none" {
			continue
		}
		from, to, span := strings.Cut(part, "-")
		if !span {
			to = from
		}
		for i := d.number(from); i <= d.number(to); i++ {
			have.Set(i)
		}
	}
	return have
}

// ref reads "2:1", piece and block, or "2:1+100" with a length of its own.
func (d *driver) ref(s string) block.Ref {
	s, length, odd := strings.Cut(s, "+")
	piece, index, _ := strings.Cut(s, ":")
	r := block.Ref{Piece: d.number(piece), Begin: d.number(index) * block.Size, Length: block.Size}
	if odd {
		r.Length = d.number(length)
	}
	return r
}

func (d *driver) number(s string) uint32 {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		d.t.Fatal(err)
	}
	return uint32(n)
}
