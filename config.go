package shoal

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"time"

	"shoal/internal/decide/swarm"
	"shoal/internal/decide/swarm/choker"
	"shoal/metainfo"
	"shoal/storage"
)

// Config is what an Engine is made with. The zero value is usable: every field
// has a default. It is checked once, by New.
type Config struct {
	// Listen is the address for TCP and UDP alike. Port 0 picks a free port,
	// the same for both. The default is OwnPort of StateDir on all addresses, of IPv4 and
	// IPv6 as far as the machine has them, or a free port when that one is taken.
	//
	// A particular address is also the source of every connection made to its family; the
	// other family is then left alone, unless ListenAlso has it. A loopback address keeps
	// the whole engine on the loopback: nothing else is dialled, sent to or resolved.
	Listen netip.AddrPort
	// ListenAlso are further addresses to listen on, for instance one of the other family:
	// the engine is then in both DHTs (BEP 32). Where their port is 0 it is that which was
	// picked for Listen. The engine keeps to the loopback when all addresses are there.
	ListenAlso []netip.AddrPort

	// DHT says how the engine takes part in the DHT (BEP 5).
	DHT DHTConfig
	// LSD says whether peers are looked for on the local network (BEP 14), which tells
	// everybody in it what is shared. Private torrents never are.
	LSD LSD

	// RootCAs are the authorities whose certificates are trusted, of trackers and web seeds
	// over https; nil means those of the system. One of your own goes into a copy of
	// x509.SystemCertPool.
	RootCAs *x509.CertPool
	// LANTrackers are hosts by name, addresses and networks (192.168.1.0/24) of this machine
	// or the local network that trackers are asked at, whatever their URL. Elsewhere there a
	// tracker is asked only at a path that begins with /announce or /scrape: torrents are
	// written by strangers, and local services trust whoever reaches them.
	LANTrackers []string

	// Slots is how many peers of a torrent are unchoked at once, the
	// optimistic one included. Default 8; 4 to 8 where a limit of the upload is below
	// 4 MiB/s, one for each 512 KiB/s.
	Slots int
	// SuperSeed says when a seed shows each peer only what is dealt to it (BEP 16).
	SuperSeed SuperSeed
	// SeedChoking says whom a seed serves when more want something than there are slots.
	SeedChoking SeedChoking
	// MaxPeers bounds the connections of one torrent. Default 80.
	MaxPeers int
	// MaxConnections bounds those of all torrents together. Where there are as many, a torrent
	// that has less than an equal part gets one from the torrent that has most. Default 400.
	MaxConnections int
	// MaxMetadata bounds the metadata that AddMagnet fetches from peers, in bytes: what
	// strangers send is held in memory until its hash is known. Default 30 MiB, at most 64.
	MaxMetadata int64
	// BufferBytes bounds the memory for blocks on their way to and from disk, for the whole
	// engine. The devices that torrents are on have equal parts of it: see Engine.Memory.
	// Default 8 MiB, at least 4 MiB.
	BufferBytes int64
	// Workers is how many pieces are hashed and written at the same time. Default: the
	// number of processors.
	Workers int

	// KeepCached leaves everything that was fetched in the system's cache of files. Without
	// it the system may use that memory for something else once a piece is durable,
	// unless a peer lacks it or a reader is open (Torrent.Open, Torrent.FS): a large
	// download pushes nothing of other programs out, and costs less.
	KeepCached bool
	// Queue bounds how many torrents run at the same time. Default: all do.
	Queue Queue
	// Share says when a torrent has been shared enough. Default: never.
	Share ShareLimits
	// Limits bound how fast the engine moves bytes. Default: as fast as it can.
	Limits Limits
	// LocalUnlimited has no limit hold for peers of this machine and of its own network:
	// loopback, private and link-local addresses.
	LocalUnlimited bool

	// StateDir is a folder where the engine keeps what must survive a restart: for each
	// torrent a journal of the pieces that are verified and durable. It is made when it
	// is missing. With it a start checks only what is in doubt; without it, everything.
	StateDir string

	// Remember has the engine remember its torrents in StateDir: what is added, and what is
	// chosen for it, comes back with the next engine that has the same StateDir, but for
	// torrents that were stopped, which wait for Engine.StartTorrent. See Engine.Remembered. One
	// engine at a time can; New fails with ErrInUse otherwise.
	Remember bool
	// AtRest, with Remember, starts none of the remembered torrents: Engine.StartTorrent does, and
	// Engine.Visit for the sake of their files.
	AtRest bool

	// NoWebSeeds has no web seed asked, whoever names it.
	NoWebSeeds bool

	// Trace, when set, receives every message sent and received and every act,
	// with its reason, as JSON lines. It is written to by one goroutine.
	Trace io.Writer
	// Log receives what an operator may want to know. Default: nothing.
	Log *slog.Logger
}

// DHTConfig says how an engine takes part in the DHT.
type DHTConfig struct {
	// Off keeps the engine out of the DHT: no UDP socket is opened.
	Off bool
	// Nodes are ways into the DHT, "host:port". A torrent's own nodes are used
	// besides.
	Nodes []string
	// PublicNodes says whether the well-known public nodes are asked when
	// neither Nodes nor a torrent nor the saved table names a way in.
	PublicNodes bool
	// StateFile keeps the routing tables between runs. Empty: they are not kept.
	StateFile string
	// ReadOnly asks others and answers nobody (BEP 43): for machines that cannot be
	// reached, or whose traffic is dear.
	ReadOnly bool
}

// LSD says whether peers are looked for on the local network.
type LSD string

// The choices.
const (
	LSDAuto   LSD = ""       // yes, unless the engine keeps to the loopback
	LSDAlways LSD = "always" // also on the loopback
	LSDNever  LSD = "never"
)

// SuperSeed says when a seed shows each peer only what is dealt to it, and more when that
// has been seen at another one (BEP 16): everything leaves it once before anything leaves
// it twice.
type SuperSeed string

// The choices.
const (
	SuperSeedAuto   SuperSeed = ""       // where it is the first seed, and a copy takes longer than a minute
	SuperSeedAlways SuperSeed = "always" // until everything is at two peers
	SuperSeedNever  SuperSeed = "never"
)

var superSeeds = map[SuperSeed]swarm.SuperSeed{
	SuperSeedAuto: swarm.SuperSeedAuto, SuperSeedAlways: swarm.SuperSeedOn, SuperSeedNever: swarm.SuperSeedOff,
}

// SeedChoking says whom a seed serves.
type SeedChoking string

// The choices.
const (
	SeedFastest    SeedChoking = ""            // half of the slots those that take fastest, half go round
	SeedRoundRobin SeedChoking = "round-robin" // everybody for thirty seconds
	SeedAntiLeech  SeedChoking = "anti-leech"  // those first that have just begun or are nearly done
)

var seedChokings = map[SeedChoking]choker.Algorithm{
	SeedFastest: choker.Fastest, SeedRoundRobin: choker.RoundRobin, SeedAntiLeech: choker.AntiLeech,
}

// AddOptions says which torrent is added, and how.
type AddOptions struct {
	// Metainfo is the content of a .torrent file. AddMagnet needs none.
	Metainfo []byte
	// OnMetadata, with AddMagnet, is called once the metadata has come, with what AddMagnet was
	// given: it may change Priority, Rename and what is about incomplete files, now that
	// the files are known. An error ends the torrent. It must not wait.
	OnMetadata func(meta *metainfo.Torrent, opt *AddOptions) error
	// MetadataOnly has AddMagnet fetch the metadata and nothing else.
	MetadataOnly bool
	// Dir is the folder that holds the torrent's file or folder; default ".".
	Dir string
	// Storage, when set, keeps the torrent's bytes instead of files in Dir: Add calls it with the
	// files, and closes what it returns with the torrent. All of it is checked at each start. Such
	// a torrent is not remembered, its files can't be moved or renamed, and AddMagnet takes
	// none. Package storage has the interface, and an implementation in memory.
	Storage func(files []storage.Entry) (storage.Storage, error)
	// FileName is the name of the .torrent file, where there is one: some clients call the
	// folder of a torrent after it, and data is looked for there, too. It is no path, and
	// nothing is made by this name.
	FileName string
	// Peers are addresses to dial besides those found by other means.
	Peers []netip.AddrPort
	// WebSeeds are URLs of servers that have the torrent's files (BEP 19), besides those
	// that the torrent names: that of the folder with its file or folder, ending in a
	// slash, or that of the file. Since it is the user who names them they may lie in
	// the local network. A private torrent takes none.
	WebSeeds []string
	// SeedOnly never asks peers for pieces: what is missing stays missing.
	SeedOnly bool
	// Sequential fetches pieces in order, for files that are read from their beginning while
	// they come; one piece in four is the rarest all the same, so that the swarm stays whole.
	// For reading at once there is Torrent.Open, which needs no such thing. It is not
	// remembered.
	Sequential bool
	// Priority, when set, is asked for the priority of every file: what it answers with
	// PrioritySkip is not fetched. See Torrent.SetPriorities.
	Priority func(File) Priority
	// Allocate reserves room for every wanted file before the first byte. Without it files
	// are sparse: they take what has come.
	Allocate bool
	// Limits are those of the torrent alone. Those of the engine hold besides.
	Limits Limits
	// Paused has the torrent checked and nothing else, until Torrent.Resume.
	Paused bool
	// Share says when it has been shared enough; nil: as Config.Share does.
	Share *ShareLimits
	// Forced has it run whatever Config.Queue says. See Torrent.Force.
	Forced bool
	// Rename gives files, or folders with all that is in them, other paths than the
	// torrent's: from path to path, as Torrent.Rename takes them. What lies there under
	// the old ones gets the new ones.
	Rename map[string]string
	// IncompleteSuffix, such as ".part", is behind the name of each file that comes to be
	// until it is complete and durable. An existing file of that name is not written over.
	IncompleteSuffix string
	// IncompleteDir is a folder, which must exist, that holds the files until all that are
	// wanted are complete and durable; then they are moved to Dir, also on another
	// volume. A torrent that has files in Dir already stays there. The next start finds
	// the files wherever they are, also without the option.
	IncompleteDir string
	// Overwrite has files written over that were there before and are not the torrent's. Without
	// it a file with the name of one of the torrent's that has no piece of it is kept under
	// another name beside it, and a file with several names (hard links) is copied before it is
	// written to, so that the others keep their bytes. See EventKept.
	Overwrite bool
	// NeedRoom has nothing fetched while a volume has less free space than the torrent, together
	// with the others that run, still has to write: it is StateStalled, and Stats.Err is a *Shortage.
	// Without it a shortage is only told, by EventSpace and Stats.Short, since there may be room
	// when it is needed. It is not remembered.
	NeedRoom bool
	// Redownload fetches files again that were here and are not. Without it a torrent
	// whose files are gone altogether is StateMissing, and waits for them: the volume
	// they are on may not be mounted.
	Redownload bool
}

// Errors that callers choose by. They are found with errors.Is in what the
// functions of this package return.
var (
	// ErrNotTorrent: the bytes are not a torrent that can be honoured.
	ErrNotTorrent = errors.New("not a usable torrent")
	// ErrDuplicate: the engine already has this torrent.
	ErrDuplicate = errors.New("torrent already added")
	// ErrNoSpace: the file system is full, or too small for what is to be written (a *Shortage).
	ErrNoSpace = errors.New("no space left")
	// ErrNotKept: the file system does not keep a file, and waiting does not help: no right to
	// write, a name or a length that it does not take, something else in its place.
	ErrNotKept = errors.New("not kept")
	// ErrStopped: the torrent or the engine was stopped before it was done.
	ErrStopped = errors.New("stopped")
	// ErrInUse: another engine, perhaps of another process, remembers its torrents in
	// this StateDir.
	ErrInUse = errors.New("in use")
	// ErrUnknown: no such torrent is remembered.
	ErrUnknown = errors.New("no such torrent")
	// ErrPath: a path that is not one on every file system, or that another file has.
	ErrPath = errors.New("not a path that a torrent's file can have")
	// ErrConfig is returned for a configuration that contradicts itself or is out of range.
	ErrConfig = errors.New("bad configuration")
	// ErrV2 is returned for a magnet link that names a torrent of BitTorrent v2 alone.
	ErrV2 = errors.New("a torrent of BitTorrent v2 alone, which is not supported yet")
)

// leastBuffers is the least that BufferBytes can be: a piece of a common length on its way
// in, and what peers read at the same time.
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

// State is what a torrent is doing.
type State string

// The states, in the order a download passes them.
const (
	StateMetadata    State = "metadata"    // only the info-hash is known: see Engine.AddMagnet
	StateChecking    State = "checking"    // reading what is already on disk
	StateDownloading State = "downloading" // pieces are missing
	StateSeeding     State = "seeding"     // complete, serving others
	StateIncomplete  State = "incomplete"  // pieces are missing and SeedOnly is set
	StateStalled     State = "held"        // the files take nothing, or can't be read in part: Stats.Err says why; what is had is served, and it goes on by itself
	StateMissing     State = "missing"     // the files were here and are not; it goes on when they are back
	StateQueued      State = "queued"      // it waits for its turn: as many run as Config.Queue lets
	StatePaused      State = "paused"      // until Torrent.Resume
	StateStopped     State = "stopped"
	StateFailed      State = "failed" // Stats.Err says why
)

// Event is something a user of the engine may want to know at once.
type Event struct {
	At    time.Time
	Kind  EventKind
	Piece int            // with PieceVerified and PieceFailed, else -1
	Peer  netip.AddrPort // with the peer events and Banned
	Text  string         // what happened, for people; printable
	Err   error          // with EventError, EventStalled and EventSpace
	More  int            // events of the kind that it stands for besides: a listener fell behind, or came late
	Kept  []KeptFile     // with EventKept
}

// KeptFile is a file that was there before and that a torrent would have written over.
type KeptFile struct {
	Path string // of the torrent's file, below the folder
	As   string // where the user's file is now, below the folder; empty: under its other names (hard links)
}

// EventKind names what happened.
type EventKind string

// The kinds.
const (
	EventChecked       EventKind = "checked"        // what lay on disk has been read
	EventPeerJoined    EventKind = "peer-joined"    // connected, handshake done
	EventPeerLeft      EventKind = "peer-left"      // disconnected; Text says why
	EventPieceVerified EventKind = "piece-verified" // and written
	EventPieceFailed   EventKind = "piece-failed"   // did not match its hash
	EventBanned        EventKind = "banned"         // a peer proven to have sent bad data
	EventWebSeed       EventKind = "web-seed"       // Text: why a web seed is not asked any more
	EventFiles         EventKind = "files"          // Text: what somebody else did to the files, or what is wrong with them
	EventKept          EventKind = "kept"           // Text, Kept: files of the user that the torrent would have written over
	EventSpace         EventKind = "space"          // Text, Err: a volume has less room than the torrent has to write; Err is a *Shortage
	EventStalled       EventKind = "held"           // the files take nothing, or are not there: Err says why; it is tried again
	EventResumed       EventKind = "goes-on"        // what held it up is over, or a pause is, or it is its turn
	EventComplete      EventKind = "complete"       // every file complete, verified and durable
	EventError         EventKind = "error"
	EventStopped       EventKind = "stopped"
	EventPaused        EventKind = "paused" // and has no peers any more
	EventShared        EventKind = "shared" // Text: why it was shared enough; it is paused, or goes
	EventQueued        EventKind = "queued" // others come first; it has no peers any more
)
