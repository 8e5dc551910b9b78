// Package trackerd is a tracker over HTTP (BEP 3, 7, 23, 24, 48) and UDP (BEP 15, 41) for private
// swarms, tests and the lab. Package peerstore decides the answers. This package moves the bytes, and
// bounds connections, times, sizes and requests per address (decision 0082).
//
// Over UDP it keeps no state for a client that has not proven its address, and sends it no more
// bytes than it received: nobody can make it flood a third party.
package trackerd

import (
	"bytes"
	crand "crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"shoal/internal/decide/peerstore"
	"shoal/internal/format/tracker"
	"shoal/internal/net/netio"
	"shoal/internal/net/serving"
	"shoal/internal/value/infohash"
	"shoal/internal/value/mono"
)

const (
	// maxConns bounds the HTTP connections at each address. Each is done within seconds, and one
	// without a request gives way when all places are taken.
	maxConns    = 1024
	readTimeout = 5 * time.Second // for the head of a request, which has no body
	sendTimeout = 10 * time.Second
	maxHeader   = 16 << 10

	// The number of peers that fit one datagram without fragments.
	maxPeers4 = 200
	maxPeers6 = 70

	readPause = 100 * time.Millisecond // after an error of the socket that does not end it
)

// Config configures a Server.
type Config struct {
	Network netio.Network
	Listen  []netip.AddrPort // for TCP and UDP; port 0 picks one
	Peers   peerstore.Config
	Log     *slog.Logger // nil discards
}

// Stats counts what a tracker has done and stores.
type Stats struct {
	peerstore.Stats
	Announces uint64 // answered, over both protocols
	Scrapes   uint64 // answered, over both protocols
	Refused   uint64 // answered with an error
	Dropped   uint64 // not answered: malformed, or too many from that address
}

// Server is a running tracker.
type Server struct {
	log   *slog.Logger
	begun time.Time
	key   peerstore.Key

	mu     sync.Mutex // held for one request, and never while blocking
	store  *peerstore.Store
	limit  peerstore.Limit
	stats  Stats
	closed bool

	addrs   []netip.AddrPort
	servers []*http.Server
	packets []netio.PacketConn
	wg      sync.WaitGroup // loops and requests
}

// New opens the ports. The tracker is ready when it returns.
func New(cfg Config) (*Server, error) {
	s := &Server{log: cfg.Log, begun: time.Now()}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	var seed [16]byte
	crand.Read(s.key[:])
	crand.Read(seed[:])
	s.store = peerstore.New(cfg.Peers, rand.New(rand.NewPCG(binary.LittleEndian.Uint64(seed[:8]), binary.LittleEndian.Uint64(seed[8:]))))
	for _, at := range cfg.Listen {
		l, pc, err := netio.ListenBoth(cfg.Network, at)
		if err != nil {
			s.Close()
			return nil, err
		}
		s.serve(l, pc)
	}
	if len(s.addrs) == 0 {
		return nil, errors.New("no address to listen on")
	}
	return s, nil
}

// Addrs returns the bound addresses, with their real ports.
func (s *Server) Addrs() []netip.AddrPort { return s.addrs }

// Stats returns the counts so far.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	st.Stats = s.store.Stats(s.now())
	return st
}

// Close closes the ports and waits until all goroutines have ended.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true // no further request begins
	s.mu.Unlock()
	var failed error
	for _, h := range s.servers {
		failed = errors.Join(failed, h.Close())
	}
	for _, p := range s.packets {
		failed = errors.Join(failed, p.Close())
	}
	s.wg.Wait()
	return failed
}

func (s *Server) now() mono.Time { return mono.Start.Add(time.Since(s.begun)) }

// serve answers at one address.
func (s *Server) serve(l net.Listener, pc netio.PacketConn) {
	h := &http.Server{
		Handler:           http.HandlerFunc(s.http),
		ReadHeaderTimeout: readTimeout, ReadTimeout: readTimeout, WriteTimeout: sendTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	// A client announces every half hour: a connection kept open occupies a place.
	h.SetKeepAlivesEnabled(false)
	s.addrs = append(s.addrs, netio.AddrPort(l.Addr()))
	s.servers = append(s.servers, h)
	s.packets = append(s.packets, pc)
	s.wg.Go(func() {
		if err := serving.Serve(h, l, maxConns); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("HTTP tracker ended", "err", err)
		}
	})
	s.wg.Go(func() { s.datagrams(pc) })
}

// http answers one GET.
func (s *Server) http(w http.ResponseWriter, r *http.Request) {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	var answer func(mono.Time, netip.Addr, string) []byte
	switch {
	case err != nil || r.Method != http.MethodGet:
		http.Error(w, "this tracker answers only GET", http.StatusMethodNotAllowed)
		return
	case r.URL.Path == "/announce":
		answer = s.announce
	case r.URL.Path == "/scrape":
		answer = s.scrape
	default:
		http.NotFound(w, r)
		return
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.wg.Add(1)
	defer s.wg.Done()
	now, addr := s.now(), from.Addr().Unmap()
	var body []byte
	if s.limit.Allow(now, addr) {
		body = answer(now, addr, r.URL.RawQuery)
	} else {
		s.stats.Dropped++
	}
	s.mu.Unlock()
	if body == nil {
		w.Header().Set("Retry-After", fmt.Sprint(int(peerstore.LimitEvery/time.Second)))
		http.Error(w, "too many requests from your address", http.StatusTooManyRequests)
		return
	}
	w.Header().Set("Content-Type", "text/plain")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Write(body)
}

// announce answers an announce over HTTP. The caller holds s.mu.
func (s *Server) announce(now mono.Time, from netip.Addr, query string) []byte {
	p, err := tracker.ParseQuery(query)
	if err != nil {
		return s.refuse(err)
	}
	a, err := s.store.Announce(now, from, p)
	if err != nil {
		return s.refuse(err)
	}
	s.stats.Announces++
	return tracker.AppendResponse(nil, a.Interval, a.Counts, a.Peers, from)
}

// scrape answers a scrape over HTTP. The caller holds s.mu.
func (s *Server) scrape(now mono.Time, _ netip.Addr, query string) []byte {
	hashes, err := tracker.ParseScrapeQuery(query)
	if err != nil {
		return s.refuse(err)
	}
	slices.SortFunc(hashes, func(a, b infohash.Hash) int { return bytes.Compare(a[:], b[:]) })
	var known []infohash.Hash
	var counts []tracker.Counts
	for _, h := range slices.Compact(hashes) {
		if c, ok := s.store.Scrape(now, h); ok {
			known, counts = append(known, h), append(counts, c)
		}
	}
	s.stats.Scrapes++
	return tracker.AppendScrape(nil, known, counts)
}

func (s *Server) refuse(err error) []byte {
	s.stats.Refused++
	return tracker.AppendFailure(nil, err.Error())
}

// datagrams answers packets until the socket is closed.
func (s *Server) datagrams(pc netio.PacketConn) {
	// A longer packet is truncated, and then malformed.
	b := make([]byte, 98+2*(tracker.MaxURL+512))
	var out []byte
	for {
		n, from, err := pc.ReadFrom(b)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			time.Sleep(readPause)
			continue
		}
		if out = s.packet(out[:0], b[:n], from.Addr()); len(out) == 0 {
			continue
		}
		if err := pc.WriteTo(out, from); err != nil {
			s.log.Debug("answer a packet", "to", from, "err", err)
		}
	}
}

// packet appends the answer to a packet; nothing when there is none.
func (s *Server) packet(out, b []byte, from netip.Addr) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	r, err := tracker.ParseUDPRequest(b)
	switch {
	case err != nil:
		s.stats.Dropped++
		return out
	case r.Action == tracker.ActionConnect:
		return tracker.AppendUDPConnected(out, r.TID, s.key.ConnectionID(now, from))
	case !s.key.Knows(now, from, r.Conn):
		s.stats.Refused++
		return tracker.AppendUDPError(out, r.TID, "connection ID unknown")
	case !s.limit.Allow(now, from):
		s.stats.Dropped++
		return out
	case r.Action == tracker.ActionScrape:
		s.stats.Scrapes++
		counts := make([]tracker.Counts, len(r.Hashes))
		for i, h := range r.Hashes {
			counts[i], _ = s.store.Scrape(now, h)
		}
		return tracker.AppendUDPScraped(out, r.TID, counts)
	}
	most := maxPeers4
	if from.Is6() {
		most = maxPeers6
	}
	if r.Params.NumWant < 0 {
		r.Params.NumWant = peerstore.DefaultWanted
	}
	r.Params.NumWant = min(r.Params.NumWant, most)
	a, err := s.store.Announce(now, from, r.Params)
	if err != nil {
		s.stats.Refused++
		return tracker.AppendUDPError(out, r.TID, err.Error())
	}
	s.stats.Announces++
	return tracker.AppendUDPAnnounced(out, r.TID, a.Interval, a.Counts, a.Peers)
}
