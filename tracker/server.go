package tracker

import (
	"log/slog"
	"net/netip"
	"time"

	"shoal/internal/decide/peerstore"
	"shoal/internal/net/netio"
	"shoal/internal/net/trackerd"
	"shoal/metainfo"
)

// What a ServerConfig means where it is silent.
const (
	DefaultPort     = 6969
	DefaultInterval = peerstore.DefaultInterval
	DefaultTorrents = peerstore.DefaultTorrents
	DefaultPeers    = peerstore.DefaultPeers
)

// ServerConfig says where a tracker listens, and how much it keeps.
type ServerConfig struct {
	// Listen are the addresses for HTTP and UDP; port 0 picks one. None means DefaultPort at
	// all addresses, of IPv6 too where the machine has it.
	Listen   []netip.AddrPort
	Interval time.Duration   // between two announces of a peer; 0 means DefaultInterval
	Torrents int             // most torrents at a time; 0 means DefaultTorrents
	Peers    int             // most peers of all torrents together; 0 means DefaultPeers
	Only     []metainfo.Hash // the torrents that are served; nil means all
	Log      *slog.Logger    // nil discards
}

// ServerStats says what a tracker has done and holds.
type ServerStats struct {
	Torrents  int
	Peers     int
	Announces uint64 // answered, over both protocols
	Scrapes   uint64 // answered, over both protocols
	Refused   uint64 // with a reason
	Dropped   uint64 // without an answer: not a packet of a client, or too many from one address
}

// A Server is a tracker over HTTP and UDP. It keeps nothing on disk.
type Server struct{ s *trackerd.Server }

// NewServer starts a tracker. It answers when NewServer returns.
func NewServer(cfg ServerConfig) (*Server, error) {
	inner := trackerd.Config{
		Network: netio.New(netio.PolicyFor(cfg.Listen)), Listen: cfg.Listen, Log: cfg.Log,
		Peers: peerstore.Config{Interval: cfg.Interval, Torrents: cfg.Torrents, Peers: cfg.Peers, Only: cfg.Only},
	}
	if len(cfg.Listen) > 0 {
		return newServer(inner)
	}
	return netio.OfFamilies(func(all []netip.Addr) (*Server, error) {
		inner.Listen = netio.WithPort(all, DefaultPort)
		return newServer(inner)
	})
}

func newServer(cfg trackerd.Config) (*Server, error) {
	s, err := trackerd.New(cfg)
	if err != nil {
		return nil, err
	}
	return &Server{s}, nil
}

// Addrs returns the addresses that the tracker listens on, with their real ports.
func (s *Server) Addrs() []netip.AddrPort { return s.s.Addrs() }

// Stats returns what the tracker has done so far.
func (s *Server) Stats() ServerStats {
	st := s.s.Stats()
	return ServerStats{st.Torrents, st.Peers, st.Announces, st.Scrapes, st.Refused, st.Dropped}
}

// Close ends the tracker and waits until nothing of it runs.
func (s *Server) Close() error { return s.s.Close() }
