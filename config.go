package shoal

import (
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net/netip"

	"shoal/internal/decide/swarm"
	"shoal/internal/decide/swarm/choker"
	"shoal/metainfo"
)

// Config configures an Engine. The zero value is usable: every field has a default. New checks
// it.
type Config struct {
	// Listen is the address for TCP and UDP alike. Port 0 picks a free port, the same for
	// both. The default is all addresses, of IPv4 and of IPv6 as far as the machine has them, at
	// OwnPort(StateDir), or at a free port when that one is taken.
	//
	// A particular address is also the source of every connection made to its family; the
	// other family is not used then, unless ListenAlso has it. A loopback address keeps the
	// whole engine on the loopback: it dials, sends to and resolves nothing else.
	Listen netip.AddrPort
	// ListenAlso are further addresses to listen on, for instance one of the other family: the
	// engine is in both DHTs then (BEP 32). Port 0 means the port that was picked for Listen.
	// The engine keeps to the loopback only if all addresses are loopback addresses.
	ListenAlso []netip.AddrPort

	// DHT says how the engine takes part in the DHT (BEP 5).
	DHT DHTConfig
	// LSD says whether to look for peers on the local network (BEP 14), which tells everybody
	// there what we share. Private torrents never do.
	LSD LSD

	// RootCAs are the authorities that we trust for trackers and web seeds over https; nil means
	// those of the system. Add your own to a copy of x509.SystemCertPool.
	RootCAs *x509.CertPool
	// LANTrackers are hosts, addresses and networks ("192.168.1.0/24") of this machine or the
	// local network whose trackers we ask at any path. Other trackers there are asked only at
	// paths that begin with /announce or /scrape: strangers write torrents, and services on a
	// local network often trust every program that reaches them.
	LANTrackers []string

	// Slots is how many peers of a torrent are unchoked at once, the optimistic one included
	// (BEP 3). Default 8. With an upload limit below 4 MiB/s the default is one slot for each
	// 512 KiB/s, at least 4.
	Slots int
	// SuperSeed says when a seed reveals to each peer only the pieces that it is to get (BEP 16).
	SuperSeed SuperSeed
	// SeedChoking says which peers a seed serves when more are interested than there are slots.
	SeedChoking SeedChoking
	// MaxPeers is the most connections of one torrent. Default 80.
	MaxPeers int
	// MaxConnections is the most connections of all torrents together. When they are all taken,
	// a torrent with less than an equal part gets one from the torrent with most. Default 400.
	MaxConnections int
	// MaxMetadata is the most metadata that AddMagnet fetches from peers, in bytes: memory holds
	// what strangers send until its hash is verified. Default 30 MiB, at most 64 MiB.
	MaxMetadata int64
	// BufferBytes is the most memory for blocks on their way to and from disk, in bytes, for the
	// whole engine. The devices that torrents are on share it equally: see Engine.Memory.
	// Default 8 MiB, at least 4 MiB.
	BufferBytes int64
	// Workers is how many pieces are hashed and written at the same time. Default: the number of
	// processors.
	Workers int

	// KeepCached leaves everything that we fetch in the system's file cache. Without it the
	// system may drop a piece from its cache once the piece is durable, unless a connected peer
	// lacks it or a reader is open (Torrent.Open, Torrent.FS). A large download then costs less,
	// and does not push the files of other programs out of the cache.
	KeepCached bool
	// Queue bounds how many torrents run at the same time. Default: all run.
	Queue Queue
	// Share says when a torrent has been shared enough. Default: never.
	Share ShareLimits
	// Limits bound how fast the engine moves bytes. Default: LimitAuto for Up, no limit for the
	// others.
	Limits Limits
	// LocalUnlimited exempts peers on this machine and its networks from Limits: loopback,
	// private and link-local addresses.
	LocalUnlimited bool

	// StateDir is a folder for what must survive a restart: a journal for each torrent, which
	// says which pieces are verified and durable. We create it if it is missing. With it a
	// start checks only what is in doubt; without it a start checks everything.
	StateDir string

	// Remember keeps the list of torrents in StateDir, with what was chosen for them. The next
	// engine with the same StateDir starts them again, except for stopped ones, which wait for
	// Engine.StartTorrent. See Engine.Remembered. One engine at a time can use a StateDir so;
	// for another one New returns ErrInUse.
	Remember bool
	// AtRest, with Remember, does not start the remembered torrents. Engine.StartTorrent starts
	// one, and Engine.Visit opens one to change where its files are.
	AtRest bool

	// NoWebSeeds ignores web seeds, whether the torrent, a link or the user names them.
	NoWebSeeds bool

	// Trace, when set, receives every message sent and received and every decision with its
	// reason, as JSON lines (docs/trace.md). One goroutine writes to it.
	Trace io.Writer
	// Log receives what an operator may want to know. Default: nothing.
	Log *slog.Logger
}

// DHTConfig says how an engine takes part in the DHT (BEP 5).
type DHTConfig struct {
	// Off keeps the engine out of the DHT: it opens no UDP socket.
	Off bool
	// Nodes are nodes to begin with, "host:port", besides those that torrents name.
	Nodes []string
	// PublicNodes allows the well-known public nodes, which we ask only when neither Nodes, nor
	// a torrent, nor StateFile names a node.
	PublicNodes bool
	// StateFile is a file that keeps the routing tables between runs. Empty: they are not kept.
	StateFile string
	// ReadOnly sends queries and answers none (BEP 43): for machines that nobody can reach, or
	// that pay for traffic.
	ReadOnly bool
}

// LSD says whether to look for peers on the local network (BEP 14).
type LSD string

// The choices.
const (
	LSDAuto   LSD = ""       // yes, unless the engine keeps to the loopback
	LSDAlways LSD = "always" // also on the loopback
	LSDNever  LSD = "never"
)

// SuperSeed says when a seed reveals to each peer only the pieces that it is to get, and further
// ones once other peers have those (BEP 16). Every piece then leaves the seed once before any
// leaves it twice.
type SuperSeed string

// The choices.
const (
	SuperSeedAuto   SuperSeed = ""       // while it is the only seed, and a copy takes longer than a minute
	SuperSeedAlways SuperSeed = "always" // until two peers have everything
	SuperSeedNever  SuperSeed = "never"
)

var superSeeds = map[SuperSeed]swarm.SuperSeed{
	SuperSeedAuto: swarm.SuperSeedAuto, SuperSeedAlways: swarm.SuperSeedOn, SuperSeedNever: swarm.SuperSeedOff,
}

// SeedChoking says which peers a seed serves.
type SeedChoking string

// The choices.
const (
	SeedFastest    SeedChoking = ""            // half of the slots for the fastest takers; the other half rotates
	SeedRoundRobin SeedChoking = "round-robin" // each peer for thirty seconds
	SeedAntiLeech  SeedChoking = "anti-leech"  // peers that have just begun or are nearly done come first
)

var seedChokings = map[SeedChoking]choker.Algorithm{
	SeedFastest: choker.Fastest, SeedRoundRobin: choker.RoundRobin, SeedAntiLeech: choker.AntiLeech,
}

// leastBuffers is the least BufferBytes: a piece of a common length on its way in, and what
// peers read at the same time.
const leastBuffers = 4 << 20

func has[K comparable, V any](m map[K]V, key K) bool {
	_, ok := m[key]
	return ok
}

func (c Config) check() error {
	switch {
	case c.Slots < 0, c.MaxPeers < 0, c.MaxConnections < 0, c.BufferBytes < 0, c.Workers < 0:
		return fmt.Errorf("%w: a negative number", ErrConfig)
	case !has(superSeeds, c.SuperSeed):
		return fmt.Errorf("%w: SuperSeed %q; it is %q, %q or empty", ErrConfig, c.SuperSeed, SuperSeedAlways, SuperSeedNever)
	case !has(seedChokings, c.SeedChoking):
		return fmt.Errorf("%w: SeedChoking %q; it is %q, %q or empty", ErrConfig, c.SeedChoking, SeedRoundRobin, SeedAntiLeech)
	case len(c.ListenAlso) > 0 && !c.Listen.IsValid():
		return fmt.Errorf("%w: ListenAlso without Listen", ErrConfig)
	case c.BufferBytes != 0 && c.BufferBytes < leastBuffers:
		return fmt.Errorf("%w: BufferBytes is %d, at least %d are needed", ErrConfig, c.BufferBytes, leastBuffers)
	case c.LSD != LSDAuto && c.LSD != LSDAlways && c.LSD != LSDNever:
		return fmt.Errorf("%w: LSD %q; it is %q, %q or empty", ErrConfig, c.LSD, LSDAlways, LSDNever)
	case c.MaxMetadata < 0 || c.MaxMetadata > metainfo.MaxSize:
		return fmt.Errorf("%w: MaxMetadata is %d, at most %d bytes are read", ErrConfig, c.MaxMetadata, metainfo.MaxSize)
	case c.Remember && c.StateDir == "":
		return fmt.Errorf("%w: Remember needs a StateDir", ErrConfig)
	}
	if _, err := c.Share.inner(); err != nil {
		return err
	}
	if err := c.Queue.check(); err != nil {
		return err
	}
	return c.Limits.check()
}
