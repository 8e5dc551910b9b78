package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"shoal/metainfo"
)

// The flags' values check themselves, so that a mistake is told as one of usage,
// with the flag's name, before anything is done.

// pieceLengthFlag is a size that a piece may have.
type pieceLengthFlag struct{ sizeFlag }

func (p *pieceLengthFlag) Set(text string) error {
	if err := p.sizeFlag.Set(text); err != nil {
		return err
	}
	if n := int64(p.sizeFlag); n < 16<<10 || n > metainfo.MaxPieceLength || n&(n-1) != 0 {
		return errors.New("a piece has a power of two of bytes, from 16KiB to 512MiB")
	}
	return nil
}

// rateFlag is a number of bytes a second, such as 2048KiB or 1M; "/s" may follow.
type rateFlag struct{ sizeFlag }

func (r *rateFlag) Type() string { return "RATE" }

func (r *rateFlag) Set(text string) error {
	text = strings.TrimSpace(text)
	return r.sizeFlag.Set(strings.TrimSuffix(strings.TrimSuffix(text, "/s"), "/S"))
}

// listenFlag is an address to listen on. An empty host means all IPv4 addresses.
type listenFlag struct{ netip.AddrPort }

func (l *listenFlag) Type() string { return "ADDR:PORT" }

func (l *listenFlag) String() string {
	if !l.IsValid() {
		return ""
	}
	return l.AddrPort.String()
}

func (l *listenFlag) Set(text string) (err error) {
	l.AddrPort, err = parseListen(text)
	return err
}

func parseListen(text string) (netip.AddrPort, error) {
	if strings.HasPrefix(text, ":") {
		text = "0.0.0.0" + text
	}
	a, err := netip.ParseAddrPort(text)
	if err != nil {
		return a, errors.New("write an IP address and a port, like 0.0.0.0:6881, 127.0.0.1:0 or [::]:6881")
	}
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()), nil
}

// listensFlag are the addresses to listen on.
type listensFlag []netip.AddrPort

func (l *listensFlag) Type() string { return "ADDR:PORT" }
func (l *listensFlag) Repeats()     {}

func (l *listensFlag) String() string {
	var texts []string
	for _, a := range *l {
		texts = append(texts, a.String())
	}
	return strings.Join(texts, ",")
}

func (l *listensFlag) Set(text string) error {
	a, err := parseListen(text)
	if err == nil {
		*l = append(*l, a)
	}
	return err
}

// first is the address named first; invalid when none was.
func (l listensFlag) first() netip.AddrPort {
	if len(l) == 0 {
		return netip.AddrPort{}
	}
	return l[0]
}

// rest are the others.
func (l listensFlag) rest() []netip.AddrPort {
	if len(l) == 0 {
		return nil
	}
	return l[1:]
}

// loopback reports whether all of them are on this machine.
func (l listensFlag) loopback() bool {
	return len(l) > 0 && !slices.ContainsFunc(l, func(a netip.AddrPort) bool { return !a.Addr().IsLoopback() })
}

// joined shows the values of a flag that was given several times.
func joined[T any](values []T) string {
	var all []string
	for _, v := range values {
		all = append(all, fmt.Sprint(v))
	}
	return strings.Join(all, ",")
}

// peersFlag collects the addresses of peers.
type peersFlag []netip.AddrPort

func (p *peersFlag) Type() string   { return "ADDR:PORT" }
func (p *peersFlag) String() string { return joined(*p) }

// Repeats says that the flag may be given several times.
func (p *peersFlag) Repeats() {}

func (p *peersFlag) Set(text string) error {
	a, err := netip.ParseAddrPort(text)
	if err != nil || a.Port() == 0 {
		return errors.New("write the peer's IP address and port, like 192.0.2.7:6881 or [2001:db8::7]:6881")
	}
	*p = append(*p, a)
	return nil
}

// hostsFlag collects HOST:PORT pairs.
type hostsFlag []string

func (h *hostsFlag) Type() string   { return "HOST:PORT" }
func (h *hostsFlag) String() string { return joined(*h) }

// Repeats says that the flag may be given several times.
func (h *hostsFlag) Repeats() {}

func (h *hostsFlag) Set(text string) error {
	if err := checkHostPort(text); err != nil {
		return err
	}
	*h = append(*h, text)
	return nil
}

func checkHostPort(text string) error {
	host, port, err := net.SplitHostPort(text)
	n, perr := strconv.ParseUint(port, 10, 16)
	if err != nil || perr != nil || n == 0 || host == "" || strings.ContainsAny(host, " /") {
		return errors.New("write a host and a port, like router.example:6881 or 192.0.2.7:6881")
	}
	return nil
}

// allocateFlag is how files come to be.
type allocateFlag string

func (a *allocateFlag) Type() string   { return "HOW" }
func (a *allocateFlag) String() string { return string(*a) }

func (a *allocateFlag) Set(text string) error {
	if text != "full" && text != "sparse" {
		return errors.New("write full or sparse")
	}
	*a = allocateFlag(text)
	return nil
}

// choiceFlag is one of some words; none is the first.
type choiceFlag struct {
	text    string
	choices []string
}

func (c *choiceFlag) Type() string   { return "HOW" }
func (c *choiceFlag) String() string { return c.text }

func (c *choiceFlag) Set(text string) error {
	if !slices.Contains(c.choices, text) {
		return fmt.Errorf("write %s", strings.Join(c.choices, " or "))
	}
	if c.text = text; text == c.choices[0] {
		c.text = ""
	}
	return nil
}

// urlsFlag collects the announce URLs of trackers.
type urlsFlag []string

func (u *urlsFlag) Type() string   { return "URL" }
func (u *urlsFlag) String() string { return joined(*u) }

// Repeats says that the flag may be given several times.
func (u *urlsFlag) Repeats() {}

func (u *urlsFlag) Set(text string) error {
	v, err := url.Parse(text)
	if err != nil || v.Host == "" {
		return errors.New("write the announce URL, like http://tracker.example/announce")
	}
	switch v.Scheme {
	case "http", "https", "udp":
	default:
		return fmt.Errorf("a tracker is reached by http, https or udp, not by %q", v.Scheme)
	}
	*u = append(*u, text)
	return nil
}

// netFlags are the flags of all commands that take part in swarms.
type netFlags struct {
	superSeed                  choiceFlag
	seedSlots                  choiceFlag
	listen                     listensFlag
	peers                      peersFlag
	nodes                      hostsFlag
	noDHT                      bool
	readOnly                   bool
	noLSD                      bool
	lsd                        bool // also on the loopback
	noWeb                      bool
	trace                      string
	keep                       bool
	dir                        string
	state                      string
	limits                     limitFlags
	peersMost, connectionsMost uint16

	metadataMost sizeFlag // 0: the default

	trust    trustFlags
	queue    queueFlags // of run alone
	remember bool       // the command goes on with the torrents of the last run; not a flag
	dirNamed bool       // --dir is on the command line; not a flag
}

// add gives a command these flags.
func (n *netFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVarP(&n.dir, "dir", "d", ".", "the folder `DIR` that holds the torrent's file or folder")
	f.VarP(&n.listen, "listen", "l", "address for TCP and UDP, port 0 picks one; repeat for more (default all, at a port of your own)")
	f.VarP(&n.peers, "peer", "p", "dial this peer besides those found (repeat for more)")
	f.Var(&n.nodes, "dht-node", "a way into the DHT (repeat for more)")
	f.BoolVar(&n.noDHT, "no-dht", false, "take no part in the DHT")
	f.BoolVar(&n.noWeb, "no-web-seeds", false, "ask no web server for the files, whatever the torrent names")
	f.BoolVar(&n.readOnly, "dht-read-only", false, "ask the DHT and answer nobody, where traffic is dear")
	f.BoolVar(&n.noLSD, "no-lsd", false, "do not look for peers on the local network")
	f.BoolVar(&n.lsd, "lsd", false, "look for them there also when that is the loopback")
	f.BoolVar(&n.keep, "keep-cached", false, "keep what was fetched in the system's cache of files, also where no peer lacks it")
	f.Uint16Var(&n.peersMost, "max-peers", 80, "have no more than `N` connections for a torrent")
	f.Uint16Var(&n.connectionsMost, "max-connections", 400, "have no more than `N` connections in all")
	f.Var(&n.metadataMost, "max-metadata", "fetch metadata of at most this size for a magnet link (default 30MiB)")
	f.StringVar(&n.trace, "trace", "", "append every message and its reason to this `FILE`, as JSON lines")
	n.superSeed.choices = []string{"auto", "always", "never"}
	n.seedSlots.choices = []string{"fastest", "round-robin", "anti-leech"}
	f.Var(&n.superSeed, "super-seed", "show each peer only what is dealt to it: auto, always or never (default auto: a first seed that is slow)")
	f.Var(&n.seedSlots, "seed-slots", "whom a seed serves: fastest, round-robin or anti-leech (default fastest)")
	n.addState(cmd)
	n.trust.add(cmd)
	n.limits.add(cmd)
	cmd.MarkFlagDirname("dir")
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if n.noDHT && len(n.nodes) > 0 {
			return usageErr("leave one of them away", "--no-dht and --dht-node contradict each other")
		}
		if ws := cmd.Flags().Lookup("web-seed"); ws != nil && ws.Changed && n.noWeb {
			return usageErr("leave one of them away", "--no-web-seeds and --web-seed contradict each other")
		}
		if n.noLSD && n.lsd {
			return usageErr("leave one of them away", "--no-lsd and --lsd contradict each other")
		}
		return n.limits.check()
	}
}

// addState gives a command the flag that says where things are kept.
func (n *netFlags) addState(cmd *cobra.Command) {
	cmd.Flags().StringVar(&n.state, "state", "", "the folder `DIR` for what must survive a restart; none: keep nothing (default the user's state folder)")
	cmd.MarkFlagDirname("state")
}
