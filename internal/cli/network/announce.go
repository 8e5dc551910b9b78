package network

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"shoal"
	"shoal/internal/cli/cmdline"
	"shoal/internal/cli/session"
	"shoal/internal/cli/source"
	"shoal/internal/cli/ui"
	"shoal/internal/value/plural"
	"shoal/internal/value/redact"
	"shoal/metainfo"
	"shoal/tracker"
)

type announcedEvent struct {
	InfoHash   string  `json:"info_hash"`
	URL        string  `json:"url"`
	Peers      int     `json:"peers"`
	Seeds      int64   `json:"seeds"`
	Leechers   int64   `json:"leechers"`
	Interval   float64 `json:"interval_s"`
	ExternalIP string  `json:"external_ip,omitempty"`
	Warning    string  `json:"warning,omitempty"`
}

type trackerPeerEvent struct {
	InfoHash string `json:"info_hash"`
	URL      string `json:"url"`
	Addr     string `json:"addr"`
}

type scrapedEvent struct {
	InfoHash    string `json:"info_hash"`
	URL         string `json:"url"`
	Seeds       int64  `json:"seeds"`
	Leechers    int64  `json:"leechers"`
	Downloaded  int64  `json:"downloaded"`
	Downloaders int64  `json:"downloaders"`
}

type unknownEvent struct {
	InfoHash string `json:"info_hash"`
	URL      string `json:"url"`
}

type trackerFailedEvent struct {
	URL     string `json:"url"`
	Message string `json:"message"`
}

type askedEvent struct {
	Trackers int `json:"trackers"`
	Answered int `json:"answered"`
	Found    int `json:"found"`
}

const (
	// askAtOnce bounds the trackers that are asked at the same time.
	askAtOnce = 16
	// unknownLeft is what a torrent lacks whose size is not known: not 0, or trackers
	// take us for a seed and name no seeds.
	unknownLeft = 16 << 10
	// signalGrace is how long a signal waits for a tracker to hear that we left.
	signalGrace = 300 * time.Millisecond
)

// askFlags are the flags of commands that ask trackers.
type askFlags struct {
	listen   cmdline.ListensFlag
	trackers cmdline.URLsFlag
	hashes   []string
	numwant  int
	net      session.Flags // of these only --state and what is trusted
	named    string        // the source, which may be the URL of a tracker
}

func AnnounceCommand(out *ui.Output) *cobra.Command {
	var f askFlags
	cmd := &cobra.Command{
		Use:   "announce SOURCE [--url URL]",
		Short: "Ask a torrent's trackers for peers, once",
		Long: `Announce a torrent to all of its trackers, once, print the peers that they name, and
take the announce back at once ("stopped"), so that nothing stays behind. SOURCE is a .torrent
file, a magnet link, or an info-hash with --url.

Meanwhile others may try to reach this machine at the port of --listen (default your own), where
nobody answers.`,
		Example: `  shoal announce debian.torrent
  shoal announce 0123456789abcdef0123456789abcdef01234567 --url udp://tracker.example:6969`,
		RunE: func(cmd *cobra.Command, args []string) error {
			f.named = args[0]
			return runAnnounce(cmd.Context(), out, args[0], f)
		},
	}
	cmd.Flags().VarP(&f.listen, "listen", "l", "address that is announced, and asked from (repeat for more; default all, at a port of your own)")
	cmd.Flags().Var(&f.trackers, "url", "ask this tracker too (repeat for more)")
	cmd.Flags().IntVar(&f.numwant, "numwant", 80, "how many peers each tracker is asked for")
	f.net.AddState(cmd)
	f.net.Trust.AddTrackers(cmd)
	cmdline.Sources(cmd, 1)
	cmdline.AddJSON(cmd)
	return cmd
}

func ScrapeCommand(out *ui.Output) *cobra.Command {
	var f askFlags
	cmd := &cobra.Command{
		Use:   "scrape SOURCE|URL",
		Short: "Ask trackers how many peers a torrent has",
		Long: `Ask trackers how many seeds and leechers they know of a torrent, and how often it was
downloaded, without announcing anything. SOURCE is a .torrent file, a magnet link, or an
info-hash with --url; URL is the announce URL of a tracker, with --info-hash.`,
		Example: `  shoal scrape debian.torrent
  shoal scrape udp://tracker.example:6969 --info-hash 0123456789abcdef0123456789abcdef01234567`,
		RunE: func(cmd *cobra.Command, args []string) error {
			f.named = args[0]
			return runScrape(cmd.Context(), out, args[0], f)
		},
	}
	cmd.Flags().VarP(&f.listen, "listen", "l", "address to ask from (repeat for more; default any)")
	cmd.Flags().Var(&f.trackers, "url", "ask this tracker too (repeat for more)")
	cmd.Flags().StringSliceVar(&f.hashes, "info-hash", nil, "ask for the torrent with this `HASH` (repeat for more)")
	f.net.AddState(cmd)
	f.net.Trust.AddTrackers(cmd)
	cmdline.Sources(cmd, 1)
	cmdline.AddJSON(cmd)
	return cmd
}

// An asked is what trackers are asked about.
type asked struct {
	hashes   []metainfo.Hash
	left     int64
	trackers []string
}

// readAsked reads what a command names. The trackers are all of the torrent's, whatever
// their tiers, up to as many as an engine takes.
func readAsked(name string, f askFlags) (asked, error) {
	a := asked{left: unknownLeft}
	if state, err := f.net.StateDir(); err == nil && tracker.CheckURL(name) != nil {
		if name, err = source.ByName(name, state); err != nil {
			return a, err
		}
	}
	h, trackers, ok, err := namedHash(name)
	switch {
	case err != nil:
		return a, err
	case ok:
		a.hashes, a.trackers = []metainfo.Hash{h}, trackers
		if state, err := f.net.StateDir(); err == nil && state != "" {
			a.received(state, h)
		}
	case tracker.CheckURL(name) == nil && f.hashes != nil:
		a.trackers = []string{name}
	case tracker.CheckURL(name) == nil:
		return a, ui.UsageError("name the torrents with --info-hash HASH", "%s is the URL of a tracker: of which torrent?", ui.Printable(name))
	default:
		src, err := source.ReadFile(name)
		if err != nil {
			return a, err
		}
		a.hashes, a.left = []metainfo.Hash{src.Meta.InfoHash}, src.Meta.Info.Length
		for _, tier := range src.Meta.Trackers() {
			a.trackers = append(a.trackers, tier...)
		}
	}
	for _, text := range f.hashes {
		h, _, ok, err := namedHash(text)
		if err != nil || !ok {
			return a, ui.UsageError("write 40 hexadecimal digits", "--info-hash %s: not an info-hash", ui.Printable(text))
		}
		a.hashes = append(a.hashes, h)
	}
	named := append(a.trackers, f.trackers...)
	a.trackers = nil
	for _, url := range named {
		if url = strings.TrimSpace(url); url != "" && !slices.Contains(a.trackers, url) && len(a.trackers) < tracker.MaxTrackers {
			a.trackers = append(a.trackers, url)
		}
	}
	if len(a.trackers) == 0 {
		return a, ui.SourceError("name one with --url URL", "%s names no tracker", ui.Printable(name))
	}
	return a, nil
}

// received adds what is known of a torrent whose metadata was received before.
func (a *asked) received(state string, h metainfo.Hash) {
	raw, err := shoal.KeptMetainfo(state, h.String())
	if err != nil {
		return
	}
	m, err := metainfo.Parse(raw)
	if err != nil {
		return
	}
	a.left = m.Info.Length
	for _, tier := range m.Trackers() {
		a.trackers = append(a.trackers, tier...)
	}
}

// asker asks trackers from the addresses of the flags.
func (f askFlags) asker() *tracker.Client {
	return tracker.NewClient(tracker.ClientConfig{
		From: f.listen, RootCAs: f.net.Trust.CA.Pool, LAN: f.net.Trust.LAN, Named: append(slices.Clone(f.trackers), f.named),
	})
}

// each asks all trackers, some at a time, and reports each that fails, as soon as it does. after,
// if it is not nil, is called after that. It returns the number of those that answered.
func (a asked) each(ctx context.Context, out *ui.Output, ask func(url string) error, after func(url string, err error)) (answered int) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	places := make(chan struct{}, askAtOnce)
	var ended atomic.Int64
	defer out.Alive(func() string {
		return fmt.Sprintf("asking %s, %s done", ui.Count(len(a.trackers), "tracker"), ui.Grouped(ended.Load()))
	})()
	for _, url := range a.trackers {
		places <- struct{}{}
		if ctx.Err() != nil {
			break
		}
		wg.Go(func() {
			defer func() { <-places }()
			err := ask(url)
			ended.Add(1)
			switch {
			case err == nil:
				mu.Lock()
				answered++
				mu.Unlock()
			case ctx.Err() == nil: // else the command was interrupted, and says so
				out.Say("%s", redact.Of(url, ui.Printable(err.Error())))
				out.Event("failed", trackerFailedEvent{shoal.Redact(url), redact.Of(url, ui.Printable(err.Error()))})
			}
			if after != nil {
				after(url, err)
			}
		})
	}
	wg.Wait()
	return answered
}

// ended is the end of a command that asked trackers.
func (a asked) ended(ctx context.Context, out *ui.Output, what string, answered, found int) error {
	switch {
	case ctx.Err() != nil:
		return ui.Fail(what, context.Cause(ctx))
	case answered == 0:
		return &ui.Failure{
			Code: ui.ExitFailed, Err: fmt.Errorf("%s: none of %s answered", what, ui.Count(len(a.trackers), "tracker")),
			Hint: "the lines above say why; others may know it: shoal dht get-peers",
		}
	}
	out.Event("complete", askedEvent{len(a.trackers), answered, found})
	return nil
}

func runScrape(ctx context.Context, out *ui.Output, name string, f askFlags) error {
	a, err := readAsked(name, f)
	if err != nil {
		return err
	}
	c := f.asker()
	defer c.Close()
	found := 0
	var mu sync.Mutex
	answered := a.each(ctx, out, func(url string) error {
		counts, err := c.Scrape(ctx, url, a.hashes...)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		for _, h := range a.hashes {
			n, ok := counts[h]
			if !ok {
				out.Say("%s  %s  not known there", ui.Printable(url), h)
				out.Event("unknown", unknownEvent{h.String(), shoal.Redact(url)})
				continue
			}
			found++
			out.Say("%s  %s  %s, %s, %s", ui.Printable(url), h, many(n.Seeders, "seed"), many(n.Leechers, "leecher"), many(n.Downloaded, "download"))
			out.Event("scraped", scrapedEvent{h.String(), shoal.Redact(url), n.Seeders, n.Leechers, n.Downloaded, n.Downloaders})
		}
		return nil
	}, nil)
	return a.ended(ctx, out, "scrape "+ui.Printable(name), answered, found)
}

// many counts what may be unknown.
func many(n int64, noun string) string {
	if n < 0 {
		return "? " + plural.Noun(2, noun)
	}
	return ui.Count(n, noun)
}

func runAnnounce(ctx context.Context, out *ui.Output, name string, f askFlags) error {
	a, err := readAsked(name, f)
	if err != nil {
		return err
	}
	c := f.asker()
	defer c.Close()
	p := tracker.Announce{InfoHash: a.hashes[0], Left: a.left, NumWant: f.numwant}
	p.Port, p.Port6 = f.ports()

	var mu sync.Mutex
	found := make(map[netip.AddrPort]bool)
	answered := a.each(ctx, out, func(url string) error {
		r, err := c.Announce(ctx, url, p)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		out.Say("%s  %s: %s, %s; again in %v", ui.Printable(url), ui.Count(len(r.Peers), "peer"), many(r.Seeders, "seed"), many(r.Leechers, "leecher"), r.Interval)
		if r.Warning != "" {
			out.Say("  it warns: %s", redact.Of(url, ui.Printable(r.Warning)))
		}
		e := announcedEvent{a.hashes[0].String(), shoal.Redact(url), len(r.Peers), r.Seeders, r.Leechers, r.Interval.Seconds(), "", redact.Of(url, ui.Printable(r.Warning))}
		if r.ExternalIP.IsValid() {
			e.ExternalIP = r.ExternalIP.String()
		}
		out.Event("announced", e)
		for _, peer := range r.Peers {
			found[peer] = true
			out.Say("  %s", peer)
			out.Event("peer", trackerPeerEvent{a.hashes[0].String(), shoal.Redact(url), peer.String()})
		}
		return nil
	}, func(url string, err error) { takeBack(ctx, c, url, p, err) })
	return a.ended(ctx, out, "announce "+ui.Printable(name), answered, len(found))
}

// takeBack says "stopped" to a tracker that knows us. It is not sent to one that refused us or
// never answered: that would be waited for as well, and such a tracker drops us by itself.
// After a signal it is sent, and hardly waited for.
func takeBack(ctx context.Context, c *tracker.Client, url string, p tracker.Announce, failed error) {
	if failed != nil {
		return
	}
	own, cancel := context.WithTimeout(context.WithoutCancel(ctx), session.CloseWithin)
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		hurry := time.NewTimer(signalGrace)
		defer hurry.Stop()
		select {
		case <-hurry.C:
			cancel()
		case <-own.Done():
		}
	})()
	c.Withdraw(own, url, p) // if it is lost, the tracker drops us later
}

// ports returns the ports to announce, by family.
func (f askFlags) ports() (v4, v6 uint16) {
	for _, a := range f.listen {
		if a.Addr().Is4() && v4 == 0 {
			v4 = a.Port()
		} else if a.Addr().Is6() && v6 == 0 {
			v6 = a.Port()
		}
	}
	if v4 == 0 {
		v4 = v6
	}
	if v4 == 0 {
		state, _ := f.net.StateDir() // where there is none it is drawn
		v4 = shoal.OwnPort(state)
	}
	return v4, v6
}
