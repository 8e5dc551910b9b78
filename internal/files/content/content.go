package content

import (
	"errors"
	"sync"
	"sync/atomic"

	"shoal/internal/files/resume"
	"shoal/internal/files/storage"
	"shoal/internal/mailbox"
	"shoal/metainfo"
)

// ErrStopped is returned when the torrent has stopped.
var ErrStopped = errors.New("stopped")

// Host is what a Content needs from the rest of the engine.
type Host interface {
	// Post hands a report to the loop that owns the content. It may wait, and returns false
	// when the loop has ended.
	Post(Report) bool
	// Say tells the user.
	Say(Event)
	// Rivals returns the contents for which match returns true: those that come before this
	// one in the list of torrents, and those that come after it.
	Rivals(match func(*Content) bool) (before, after []*Content)
	// Remember stores where the files are and what they are called: durably before it returns, or
	// soon.
	Remember(durably bool) error
	// Standing returns how far the torrent is.
	Standing() Standing
}

// Standing is how far a torrent is, according to its latest snapshot.
type Standing struct {
	Left  int64 // bytes of wanted pieces that are missing; -1 while that is not known
	Rests bool  // it writes nothing at the moment
	Over  bool  // it never writes again: it is complete, or has ended
}

// Event is something that a user may want to know.
type Event struct {
	Kind EventKind
	Text string
	Err  error  // with Space, a *room.Shortage
	Kept []Kept // with KeptFiles
}

// EventKind is the subject of an Event.
type EventKind uint8

// Values of EventKind.
const (
	Changed   EventKind = iota // what somebody else did to the files, or what is wrong with them
	KeptFiles                  // files of the user that the torrent would have overwritten
	Space                      // the volumes have less room than the torrent needs
)

// Options say how the files of a torrent are treated.
type Options struct {
	FileName  string // name of the .torrent file: a hint, see findFiles
	SeedOnly  bool   // download nothing
	Allocate  bool   // reserve room for every wanted file before the first byte
	Overwrite bool   // overwrite files of the user that lie at the paths of the torrent's files
	NeedRoom  bool   // wait while the volumes have less room than the torrent needs
	Anew      bool   // download files again that have disappeared
	Restored  bool   // added by an earlier run: wait for a missing folder
	// Paths holds the names of renamed files, and the place of incomplete ones; nil means the
	// torrent's own names.
	Paths *Paths
	// Storage, when set, is used instead of files in a folder. It is closed with the content.
	Storage storage.Storage
	// Device identifies the device of the storage; 0 means the device of the folder.
	Device uint64
	// Open, when set, opens the files instead of storage.OpenIn.
	Open func() (*storage.Files, error)
}

// Config is what New needs.
type Config struct {
	Shared  *Shared
	Host    Host // nil means that there is no loop and no user
	Info    *metainfo.Info
	Options Options
	Life    *mailbox.Life // ends when the torrent stops
	Last    *mailbox.Life // ends when the last claims of a stopping seed are cut short
}

// Content is the files of one torrent.
type Content struct {
	shared *Shared
	host   Host
	life   *mailbox.Life
	last   *mailbox.Life

	// Set before the files are opened for the first time.
	info *metainfo.Info
	geom metainfo.Geometry
	opt  Options

	refused  refusals // files that the file system refuses
	at       atomic.Pointer[place]
	users    userFiles               // files that belong to the user
	named    atomic.Pointer[Names]   // files whose names are not the torrent's; nil means none
	renames  atomic.Pointer[Names]   // names that files get at the next opening; nil means that they keep theirs
	prio     atomic.Pointer[[]uint8] // priorities of the files; nil means normal
	source   source                  // what connections read from
	verified verified                // verified pieces, for readers
	again    atomic.Bool             // download files again that have disappeared
	buffers  Buffers                 // buffers of the device
	progress Progress                // progress of a check
	tasks    sync.WaitGroup          // openings, syncs, moves
	over     mailbox.Gate            // open once nothing is left running

	// Owned by the loop.
	device *Device
	keeper
}

// New returns the content of a torrent. It opens nothing: Enter and Start follow.
func New(cfg Config) *Content {
	c := &Content{
		shared: cfg.Shared, host: cfg.Host, life: cfg.Life, last: cfg.Last,
		info: cfg.Info, geom: cfg.Info.Geometry(), opt: cfg.Options,
	}
	if c.host == nil {
		c.host = nobody{}
	}
	if c.life == nil {
		c.life, c.last = new(mailbox.Life), new(mailbox.Life)
	}
	c.again.Store(cfg.Options.Anew)
	return c
}

// nobody is the host of files that belong to no torrent.
type nobody struct{}

func (nobody) Post(Report) bool                                      { return false }
func (nobody) Say(Event)                                             {}
func (nobody) Rivals(func(*Content) bool) (before, after []*Content) { return nil, nil }
func (nobody) Remember(bool) error                                   { return nil }
func (nobody) Standing() Standing                                    { return Standing{Left: -1} }

// Learn sets what the torrent is, when it began with its info-hash.
func (c *Content) Learn(info *metainfo.Info, paths *Paths, prio []uint8) error {
	c.info, c.geom, c.opt.Paths = info, info.Geometry(), paths
	if err := c.SetPriorities(prio); err != nil {
		return err
	}
	return c.CheckPaths()
}

// Options returns how the files are treated.
func (c *Content) Options() Options { return c.opt }

// InFolder reports whether the files are in a folder, and not in a storage of the caller.
func (c *Content) InFolder() bool { return c.opt.Storage == nil && c.opt.Open == nil }

// say tells the user something about the files. Any goroutine may call it.
func (c *Content) say(text string) { c.host.Say(Event{Kind: Changed, Text: text}) }

// Locate sets the folder in which the files belong, without looking at it.
func (c *Content) Locate(dir string) error {
	at, err := newPlace(dir)
	if err != nil {
		return err
	}
	c.at.Store(at)
	return nil
}

// FirstLook checks that a new torrent has a place for its files, so that its user learns at once what
// is wrong with it. A missing folder can be a volume that is not mounted: if a journal knows the
// torrent there, it waits.
func (c *Content) FirstLook(dir string) error {
	if err := c.Locate(dir); err != nil {
		return err
	}
	at := c.at.Load()
	if c.opt.Storage != nil || c.opt.Restored {
		return nil // the opening reports what is missing, and waits for it
	}
	if c.opt.Open != nil {
		files, err := c.opt.Open()
		if err == nil {
			err = files.Close()
		}
		return err
	}
	folder, err := c.shared.pool.Folder(at.given)
	if err == nil {
		return folder.Close()
	}
	if storage.KindOf(err) != storage.Missing || !c.shared.journals.Kept() {
		return err
	}
	if known, jerr := c.shared.journals.Has(at.abs, c.layout()); jerr != nil || !known {
		return err
	}
	return nil
}

// layout returns what a journal needs to know about the torrent.
func (c *Content) layout() resume.Layout { return resume.LayoutOf(c.info.Hash, c.info) }

// Dir returns the folder that holds the torrent's file or folder now, as the user wrote it. Any
// goroutine may call it.
func (c *Content) Dir() string { return c.at.Load().given }

// Abs returns the same folder as an absolute path.
func (c *Content) Abs() string { return c.at.Load().abs }

// Home returns the folder, as an absolute path, in which the files belong once they are complete.
func (c *Content) Home() string { return c.home().abs }

// Where says where files are and what they are called, as the catalogue remembers it.
type Where struct {
	Dir           string // where the files belong, absolute
	IncompleteDir string // where the files are until all are complete; empty means Dir
	Suffix        string // suffix of incomplete files
	Named         Names  // files whose names are not the torrent's
}

// Where returns where the files are now. Any goroutine may call it.
func (c *Content) Where() Where {
	at, p := c.at.Load(), c.opt.Paths
	w := Where{Dir: c.home().abs, Named: c.names()}
	if at.final != nil {
		w.IncompleteDir = at.abs
	}
	if p != nil {
		w.Suffix = p.Suffix
		if !at.found {
			w.IncompleteDir = p.IncompleteDir
		}
	}
	return w
}
