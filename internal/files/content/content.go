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

// ErrStopped says that the torrent has stopped.
var ErrStopped = errors.New("stopped")

// Host is what a content asks of the world.
type Host interface {
	// Post hands a report to the loop that owns the content. It may wait, and returns false
	// when the loop has ended.
	Post(Report) bool
	// Say tells the user.
	Say(Event)
	// Rivals returns the contents for which match returns true: those that come before this
	// one in the list of torrents, and those that come after it.
	Rivals(match func(*Content) bool) (before, after []*Content)
	// Remember writes down where the files are and what they are called; durably before it
	// returns, or soon.
	Remember(durably bool) error
	// Standing says how far the torrent is.
	Standing() Standing
}

// Standing is how far a torrent is, as its latest snapshot has it.
type Standing struct {
	Left  int64 // bytes of wanted pieces that are missing; -1 while that is not known
	Rests bool  // it writes nothing at the moment
	Over  bool  // it writes nothing any more: it is complete, or has ended
}

// Event is something that a user may want to know.
type Event struct {
	Kind EventKind
	Text string
	Err  error  // with Space, a *room.Shortage
	Kept []Kept // with KeptFiles
}

// EventKind says what an Event is about.
type EventKind uint8

// The kinds.
const (
	Changed   EventKind = iota // what somebody else did to the files, or what is wrong with them
	KeptFiles                  // files of the user that the torrent would have written over
	Space                      // the volumes have less room than the torrent has to write
)

// Options say how the files of a torrent are treated.
type Options struct {
	FileName  string // of the .torrent file, a hint: see findFiles
	SeedOnly  bool   // nothing is fetched
	Allocate  bool   // room is reserved for every file that is wanted before the first byte
	Overwrite bool   // files of the user are written over that lie where the torrent's go
	NeedRoom  bool   // the torrent waits while its volumes have less room than it has to write
	Anew      bool   // files that were here and are not are fetched again
	Restored  bool   // an earlier run has added it: it waits for a folder that is not there
	// Paths says how files are called, and where they lie until they are complete; nil
	// for as the torrent says.
	Paths *Paths
	// Storage, when set, is used instead of files in a folder. It is closed with the content.
	Storage storage.Storage
	// Device tells storages apart that are on different devices. Zero: that of the folder.
	Device uint64
	// Open, when set, opens the files instead of storage.OpenTorrent.
	Open func() (*storage.Files, error)
}

// Config is what a Content is made with.
type Config struct {
	Shared  *Shared
	Host    Host // nil: there is no loop and no user
	Info    *metainfo.Info
	Options Options
	Life    *mailbox.Life // ends when the torrent stops
	Last    *mailbox.Life // ends when the claims of a seed that stops are cut short
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

	refused  refusals // files that can't be kept
	at       atomic.Pointer[place]
	users    userFiles               // files that are the user's
	named    atomic.Pointer[Names]   // files that have not the torrent's names; nil for none
	renames  atomic.Pointer[Names]   // what files are to be called at the next opening; nil for as they are
	prio     atomic.Pointer[[]uint8] // of the files; nil for normal
	source   source                  // what connections read from
	verified verified                // pieces, for readers
	again    atomic.Bool             // files that are gone are fetched again
	buffers  Buffers                 // of the device
	progress Progress                // of a check
	tasks    sync.WaitGroup          // openings, syncs, moves
	over     mailbox.Gate            // nothing is left running

	// Owned by the loop.
	device *Device
	keeper
}

// New returns the content of a torrent. Nothing of it is opened yet: Enter and Start follow.
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

// nobody is the host of files that no torrent has.
type nobody struct{}

func (nobody) Post(Report) bool                                      { return false }
func (nobody) Say(Event)                                             {}
func (nobody) Rivals(func(*Content) bool) (before, after []*Content) { return nil, nil }
func (nobody) Remember(bool) error                                   { return nil }
func (nobody) Standing() Standing                                    { return Standing{Left: -1} }

// Learn says what the torrent is, when it began with its info-hash.
func (c *Content) Learn(info *metainfo.Info, paths *Paths, prio []uint8) error {
	c.info, c.geom, c.opt.Paths = info, info.Geometry(), paths
	if err := c.SetPriorities(prio); err != nil {
		return err
	}
	return c.CheckPaths()
}

// Options returns how the files are treated.
func (c *Content) Options() Options { return c.opt }

// InFolder reports whether the files are in a folder, and not of the caller's making.
func (c *Content) InFolder() bool { return c.opt.Storage == nil && c.opt.Open == nil }

// say tells the user something about the files. Any goroutine may call it.
func (c *Content) say(text string) { c.host.Say(Event{Kind: Changed, Text: text}) }

// Locate says in which folder the files belong, without a look at it.
func (c *Content) Locate(dir string) error {
	at, err := newPlace(dir)
	if err != nil {
		return err
	}
	c.at.Store(at)
	return nil
}

// FirstLook makes sure that a new torrent has a place for its files, so that its user learns
// at once what is wrong with it. A folder that is not there may be a volume that is not
// mounted: then a journal that knows it makes the torrent wait.
func (c *Content) FirstLook(dir string) error {
	if err := c.Locate(dir); err != nil {
		return err
	}
	at := c.at.Load()
	if c.opt.Storage != nil || c.opt.Restored {
		return nil // the next look tells, and waits for what is not there
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

// layout returns what a journal has to know of the torrent.
func (c *Content) layout() resume.Layout { return resume.LayoutOf(c.info.Hash, c.info) }

// Dir returns the folder that holds the torrent's file or folder now, as the user names it. Any
// goroutine may call it.
func (c *Content) Dir() string { return c.at.Load().given }

// Abs returns the same folder from the root.
func (c *Content) Abs() string { return c.at.Load().abs }

// Home returns the folder that the files belong in once they are complete, from the root.
func (c *Content) Home() string { return c.home().abs }

// Where says where files are and what they are called, as it is remembered.
type Where struct {
	Dir           string // where they belong, from the root
	IncompleteDir string // where they are until all are complete; empty for Dir
	Suffix        string // of files that are not complete
	Named         Names  // files that have not the torrent's names
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
