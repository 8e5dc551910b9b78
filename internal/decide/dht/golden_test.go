package dht

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"shoal/internal/format/krpc"
	"shoal/internal/golden"
	"shoal/internal/value/mono"
	"shoal/internal/value/trace"
	"shoal/internal/value/why"
)

// TestScripts plays testdata/*.txt. Other nodes have a letter for a name; ids and targets
// are given by their first digits, the rest is zeros. Commands:
//
//	us ID [ipv6] [readonly] [local ADDR]      makes the node; the first line
//	beside ID                                 and another in the DHT of IPv6
//	A ID [ADDR]                               names a node, at 10.0.0.1:6881 (B .2, and so on)
//	bootstrap A, router A, told A             addresses given to us
//	import A...                               nodes of an earlier run
//	lookup TARGET [announce PORT|implied], closest TARGET, cancel
//	ping A, find_node A TARGET, get_peers A TARGET
//	A: ping, A: find_node TARGET, ...         it asks us
//	A: reply [nodes=B,C] [token=x] [peers=...]  it answers our oldest query to it
//	A: error CODE TEXT, A: forged reply
//	auto A                                    from now on A answers by itself while we wait
//	external ADDR                             our address as the world sees it
//	wait 2s, stats, good
func TestScripts(t *testing.T) {
	golden.Run(t, "testdata/*.txt", func(t *testing.T) func(string) string {
		return (&script{t: t, now: mono.Start, ids: map[string]krpc.ID{}, addrs: map[string]netip.AddrPort{}}).command
	})
}

type script struct {
	t     *testing.T
	now   mono.Time
	m     *Machine
	m6    *Machine // beside it
	ids   map[string]krpc.ID
	addrs map[string]netip.AddrPort
	asked []sent // queries of ours, not answered by the script
	token string // the last we gave
	auto  string // names of nodes that answer by themselves from now on
	look  LookupID
	out   strings.Builder
}

type sent struct {
	to  netip.AddrPort
	msg krpc.Message
}

func (s *script) command(line string) string {
	s.out.Reset()
	w := strings.Fields(line)
	switch name, asks := strings.CutSuffix(w[0], ":"); {
	case asks:
		s.packet(name, w[1:])
	case len(w[0]) == 1:
		s.ids[w[0]] = parseID(w[1])
		s.addrs[w[0]] = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, w[0][0] - 'A' + 1}), 6881)
		if len(w) > 2 {
			s.addrs[w[0]] = netip.MustParseAddrPort(w[2])
		}
	default:
		s.do(w)
	}
	if s.m != nil {
		s.effects()
	}
	return s.out.String()
}

func (s *script) do(w []string) {
	arg := func(i int) string {
		if i < len(w) {
			return w[i]
		}
		return ""
	}
	switch m := s.side(s.addrs[arg(1)]); w[0] {
	case "us":
		cfg := Config{ID: parseID(w[1]), Version: "SH\x00\x01", Trace: s.record}
		for i, x := range w {
			switch x {
			case "ipv6":
				cfg.IPv6 = true
			case "readonly":
				cfg.ReadOnly = true
			case "local":
				cfg.Local = netip.MustParseAddrPort(w[i+1])
			case "rate":
				cfg.ReplyRate, _ = strconv.Atoi(w[i+1])
			}
		}
		s.m, s.m6 = New(cfg, s.now, rand.New(rand.NewPCG(1, 2))), nil
	case "beside":
		s.m6 = New(Config{ID: parseID(w[1]), IPv6: true, Version: "SH\x00\x01", Trace: s.record}, s.now, rand.New(rand.NewPCG(1, 3)))
		Pair(s.m, s.m6)
	case "bootstrap":
		m.AddBootstrap(s.now, s.addrs[arg(1)])
	case "router":
		m.AddRouter(s.now, s.addrs[arg(1)])
	case "external":
		m.External(s.now, netip.MustParseAddr(arg(1)))
		s.line("our id begins with %s and fits: %v", m.ID().String()[:6], fits(m.ID(), netip.MustParseAddr(arg(1))))
	case "told":
		m.Told(s.now, s.addrs[arg(1)])
	case "import":
		var nodes []krpc.Node
		for _, n := range w[1:] {
			nodes = append(nodes, krpc.Node{ID: s.ids[n], Addr: s.addrs[n]})
		}
		m.Import(s.now, nodes)
	case "lookup":
		a := Announce{Enabled: arg(2) == "announce", Implied: arg(3) == "implied"}
		if port, err := strconv.ParseUint(arg(3), 10, 16); err == nil {
			a.Port = uint16(port)
		}
		s.look = m.Lookup(s.now, parseID(arg(1)), a)
	case "closest":
		s.look = m.FindClosest(s.now, parseID(arg(1)))
	case "cancel":
		m.Cancel(s.now, s.look)
	case "ping":
		m.Ping(s.now, s.addrs[arg(1)])
	case "find_node":
		m.FindNode(s.now, s.addrs[arg(1)], parseID(arg(2)))
	case "get_peers":
		m.GetPeers(s.now, s.addrs[arg(1)], parseID(arg(2)))
	case "auto":
		s.auto = strings.Join(w[1:], "")
	case "wait":
		d, err := time.ParseDuration(arg(1))
		if err != nil {
			s.t.Fatal(err)
		}
		s.wait(s.now.Add(d))
	case "stats":
		x := m.Stats(s.now)
		s.line("%d nodes, %d good, %d buckets; %d hashes, %d peers; %d asked, %d answers, %d limited, %d dropped",
			x.Nodes, x.Good, x.Buckets, x.Hashes, x.Peers, x.Queries, x.Answers, x.Limited, x.Dropped)
		if x.External.IsValid() {
			s.line("others see us at %s", x.External)
		}
	case "good":
		s.line("%s", s.nodes(m.Nodes(nil, s.now)))
		if s.m6 != nil {
			s.line("IPv6: %s", s.nodes(s.m6.Nodes(nil, s.now)))
		}
	default:
		s.t.Fatalf("what is %q?", w)
	}
}

// side is the machine that has to do with an address.
func (s *script) side(addr netip.AddrPort) *Machine {
	if s.m6 != nil && addr.Addr().Is6() {
		return s.m6
	}
	return s.m
}

// wait lets time pass, with a Tick whenever one is due.
func (s *script) wait(until mono.Time) {
	for {
		at := s.m.Deadline()
		if s.m6 != nil {
			at = min(at, s.m6.Deadline())
		}
		if at > until {
			break
		}
		s.now = max(at, s.now)
		s.m.Tick(s.now)
		if s.m6 != nil {
			s.m6.Tick(s.now)
		}
		s.effects()
		for i := 0; i < len(s.asked); i++ {
			if name := s.name(s.asked[i].to); strings.Contains(s.auto, name) {
				s.packet(name, []string{"reply"})
				s.effects()
				i = -1
			}
		}
	}
	s.now = until
}

// packet sends us a datagram.
func (s *script) packet(from string, w []string) {
	p := krpc.Message{ID: s.ids[from], Transaction: []byte("aa"), Kind: krpc.Query}
	options := map[string]string{}
	var plain []string
	for _, x := range w[1:] {
		if k, v, ok := strings.Cut(x, "="); ok {
			options[k] = v
		} else {
			plain = append(plain, x)
		}
	}
	switch w[0] {
	case "reply", "error", "forged":
		i := slices.IndexFunc(s.asked, func(q sent) bool { return q.to == s.addrs[from] })
		if i < 0 {
			s.t.Fatalf("%s was asked nothing", from)
		}
		query := s.asked[i]
		p.Transaction = query.msg.Transaction
		if w[0] == "forged" { // the right address, a wrong guess
			p.Transaction = []byte{1, 2, 3, 4}
		} else {
			s.asked = slices.Delete(s.asked, i, i+1)
		}
		p.Kind, p.IP = krpc.Reply, netip.AddrPort{}
		if w[0] == "error" {
			p.Kind = krpc.Error
			p.Code, _ = strconv.Atoi(plain[0])
			p.Text = []byte(strings.Join(plain[1:], " "))
		}
		if ip := options["ip"]; ip != "" {
			p.IP = netip.MustParseAddrPort(ip)
		}
		if id := options["id"]; id != "" {
			p.ID = parseID(id)
		}
		p.Token = []byte(options["token"])
		if q := query.msg.Method; q == krpc.FindNode || q == krpc.GetPeers {
			p.Lists = krpc.IPv4 | query.msg.Want
		}
		for n := range strings.SplitSeq(options["nodes"], ",") {
			if n != "" {
				p.Nodes = append(p.Nodes, krpc.Node{ID: s.ids[n], Addr: s.addrs[n]})
			}
		}
		for a := range strings.SplitSeq(options["peers"], ",") {
			if a != "" {
				p.Values = append(p.Values, netip.MustParseAddrPort(a))
			}
		}
	case "raw":
		s.side(s.addrs[from]).Packet(s.now, s.addrs[from], []byte(plain[0]))
		return
	default:
		p.Method = map[string]krpc.Method{
			"ping": krpc.Ping, "find_node": krpc.FindNode, "get_peers": krpc.GetPeers,
			"announce_peer": krpc.AnnouncePeer,
		}[w[0]]
		p.Name = []byte(w[0])
		if len(plain) > 0 {
			p.Target, p.HasTarget = parseID(plain[0]), true
		}
		port, _ := strconv.ParseUint(options["port"], 10, 16)
		p.Port, p.ImpliedPort = uint16(port), options["implied"] != ""
		if p.Token = []byte(options["token"]); options["token"] == "last" {
			p.Token = []byte(s.token)
		}
		p.ReadOnly = options["ro"] != ""
		if options["want"] == "both" {
			p.Want = krpc.IPv4 | krpc.IPv6
		}
	}
	times, _ := strconv.Atoi(cmp.Or(options["times"], "1"))
	before := s.out.Len()
	for range times {
		s.side(s.addrs[from]).Packet(s.now, s.addrs[from], krpc.Append(nil, &p))
	}
	if times > 1 {
		s.summarize(before)
	}
}

// summarize writes equal lines once, with how many they were.
func (s *script) summarize(from int) {
	all := s.out.String()
	lines := strings.Split(strings.TrimSuffix(all[from:], "\n"), "\n")
	s.out.Reset()
	s.out.WriteString(all[:from])
	for i, l := range lines {
		if slices.Index(lines, l) == i {
			n := 0
			for _, o := range lines {
				if o == l {
					n++
				}
			}
			s.line("%d × %s", n, l)
		}
	}
}

func parseID(digits string) (id krpc.ID) {
	b, err := hex.DecodeString(digits + strings.Repeat("0", 40-len(digits)))
	if err != nil {
		panic(err)
	}
	return krpc.ID(b)
}

// record prints a line of the trace as it is given.
func (s *script) record(r trace.Record) {
	arrow := map[trace.Way]string{trace.Did: "   ", trace.Sent: " → ", trace.Received: " ← "}[r.Way]
	text := s.name(r.Peer) + " " + r.What
	if r.InfoHash != [20]byte{} {
		text += " " + hex.EncodeToString(r.InfoHash[:2])
	}
	if r.Text != "" {
		text += ": " + r.Text
	}
	if r.Why != why.None {
		text += "  (" + r.Why.String() + ")"
	}
	s.line("%.3f%s%s", r.At.Seconds(), arrow, strings.TrimSpace(text))
}

// effects prints the effects that the trace does not show, and keeps the queries.
func (s *script) effects() {
	all := slices.Clone(s.m.Effects())
	if s.m6 != nil {
		all = append(all, s.m6.Effects()...)
	}
	for _, e := range all {
		switch e.Kind {
		case Send:
			var msg krpc.Message
			if err := krpc.Parse(slices.Clone(e.Bytes), &msg); err != nil {
				s.t.Fatalf("we sent %q: %v", e.Bytes, err)
			}
			if msg.Want != 0 && msg.Kind == krpc.Query {
				s.line("(it wants nodes of both families)")
			}
			if msg.Lists == krpc.IPv4|krpc.IPv6 {
				s.line("(nodes of both families: %s)", s.nodes(msg.Nodes))
			}
			if msg.Kind == krpc.Query {
				s.asked = append(s.asked, sent{e.To, msg})
			}
			if len(msg.Token) > 0 && msg.Kind == krpc.Reply {
				s.token = string(msg.Token)
			}
		case Announced:
			s.line("announced to us: %x %v", e.Hash[:2], e.Addrs)
		case Peers:
			s.line("peers %v", e.Addrs)
		case LookupDone:
			s.line("done: %s after %v, %d peers, announced to %d; closest %s",
				e.Result.Outcome, e.Result.Took, e.Result.Peers, e.Result.Announced, s.nodes(e.Nodes))
		case QueryDone:
			s.line("%s %s: %s %v %s", s.name(e.To), e.Result.Outcome, s.nodes(e.Nodes), e.Addrs, e.Result.Text)
		}
	}
}

func (s *script) nodes(list []krpc.Node) string {
	var names []string
	for _, n := range list {
		names = append(names, s.name(n.Addr))
	}
	return strings.Join(names, " ")
}

func (s *script) name(addr netip.AddrPort) string {
	for name := 'A'; name <= 'Z'; name++ {
		if s.addrs[string(name)] == addr && addr.IsValid() {
			return string(name)
		}
	}
	if !addr.IsValid() {
		return ""
	}
	return addr.String()
}

func (s *script) line(format string, args ...any) {
	fmt.Fprintf(&s.out, format+"\n", args...)
}
