// Package tracker asks trackers about torrents, and runs a tracker, without an engine.
// A torrent of an engine announces itself; this package is for programs that only want to ask.
//
//	c := tracker.NewClient(tracker.ClientConfig{})
//	defer c.Close()
//	r, err := c.Announce(ctx, "udp://tracker.example:6969", tracker.Announce{InfoHash: h, Port: 6881, Left: 1})
package tracker

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/binary"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"shoal"
	"shoal/internal/decide/swarm/announce"
	"shoal/internal/format/tracker"
	"shoal/internal/format/wire"
	"shoal/internal/net/netio"
	"shoal/internal/net/trackerclient"
	"shoal/metainfo"
)

// MaxTrackers is how many trackers of a torrent an engine uses: a torrent is written by a
// stranger, and each tracker in it is sent packets (decision 0186).
const MaxTrackers = announce.MaxTrackers

// CheckURL returns an error for a URL that cannot be announced to: one that is not of HTTP,
// HTTPS or UDP.
func CheckURL(url string) error { return tracker.CheckURL(url) }

// ClientConfig says how a Client asks.
type ClientConfig struct {
	// From are the addresses to ask from, one for each family. An unspecified one stands for
	// any address of its family; none means both families. If all of them are loopback
	// addresses, nothing leaves this machine.
	From []netip.AddrPort
	// RootCAs are the authorities whose certificates are trusted; nil means those of the
	// system.
	RootCAs *x509.CertPool
	// LAN are hosts, addresses and networks of this machine or the local network where
	// trackers are asked at any path. Otherwise a tracker there is asked only at a path that
	// trackers have, since the URL comes from a stranger.
	LAN []string
	// Named are URLs of trackers that the user named: they may be anywhere.
	Named []string
}

// A Client asks trackers over HTTP, HTTPS and UDP. It is safe for concurrent use.
type Client struct {
	c   *trackerclient.Client
	id  [20]byte
	key uint32
}

// NewClient returns a client with a random peer id.
func NewClient(cfg ClientConfig) *Client {
	c := &Client{c: &trackerclient.Client{
		UserAgent: wire.UserAgent(shoal.Version), Network: netio.New(netio.PolicyFor(cfg.From)),
		RootCAs: cfg.RootCAs, LAN: slices.Clone(cfg.LAN),
	}}
	for _, at := range cfg.Named {
		if u, err := url.Parse(tracker.CleanURL(at)); err == nil && u.Hostname() != "" {
			c.c.LAN = append(c.c.LAN, u.Hostname())
		}
	}
	for _, l := range cfg.From {
		if !slices.ContainsFunc(c.c.Local, func(a netip.Addr) bool { return a.Is4() == l.Addr().Is4() }) {
			c.c.Local = append(c.c.Local, l.Addr())
		}
	}
	var random [16]byte
	rand.Read(random[:])
	copy(c.id[:], wire.PeerIDPrefix(shoal.Version))
	copy(c.id[8:], random[:12])
	c.key = binary.BigEndian.Uint32(random[12:])
	return c
}

// Close ends the client's sockets. Questions that are under way fail.
func (c *Client) Close() error { return c.c.Close() }

// Announce is what a tracker learns of us.
type Announce struct {
	InfoHash metainfo.Hash
	Port     uint16 // where peers reach us
	Port6    uint16 // where they do over IPv6; 0 means Port
	Left     int64  // bytes that we lack; to 0 a tracker answers as to a seed, and names no seeds
	NumWant  int    // peers to name; negative leaves it to the tracker
}

// Response is a tracker's answer to an announce.
type Response struct {
	Peers      []netip.AddrPort
	Seeders    int64         // -1 where the tracker does not say
	Leechers   int64         // -1 where the tracker does not say
	Interval   time.Duration // until the next announce; 0 where the tracker does not say
	ExternalIP netip.Addr    // our address as the tracker sees it; invalid where it does not say
	Warning    string        // the tracker's words; safe to print
}

// Announce announces a torrent as started, over each family that both sides have.
func (c *Client) Announce(ctx context.Context, url string, a Announce) (Response, error) {
	r, err := c.c.Announce(ctx, url, c.params(a, tracker.Started), nil)
	if err != nil {
		return Response{}, err
	}
	out := Response{
		Seeders: r.Seeders, Leechers: r.Leechers, Interval: r.Interval, ExternalIP: r.ExternalIP, Warning: r.Warning,
	}
	for _, p := range r.Peers {
		out.Peers = append(out.Peers, p.Addr)
	}
	return out, nil
}

// Withdraw announces a torrent as stopped, so that the tracker no longer names us to peers.
func (c *Client) Withdraw(ctx context.Context, url string, a Announce) error {
	a.NumWant = 0
	_, err := c.c.Announce(ctx, url, c.params(a, tracker.Stopped), nil)
	return err
}

func (c *Client) params(a Announce, e tracker.Event) tracker.Params {
	return tracker.Params{
		InfoHash: a.InfoHash, PeerID: c.id, Key: c.key, Port: a.Port, Port6: a.Port6, Left: a.Left, NumWant: a.NumWant, Event: e,
	}
}

// Counts is what a tracker knows of a torrent; -1 where it does not say.
type Counts struct {
	Seeders     int64
	Leechers    int64
	Downloaded  int64 // how often a peer completed it
	Downloaders int64 // of the leechers, those that want more (BEP 21)
}

// Scrape returns the counts of the torrents that a tracker knows (BEP 48).
func (c *Client) Scrape(ctx context.Context, url string, hashes ...metainfo.Hash) (map[metainfo.Hash]Counts, error) {
	counts, err := c.c.Scrape(ctx, url, hashes)
	if err != nil {
		return nil, err
	}
	out := make(map[metainfo.Hash]Counts, len(counts))
	for h, n := range counts {
		out[h] = Counts(n)
	}
	return out, nil
}
