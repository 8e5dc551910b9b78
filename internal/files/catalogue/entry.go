package catalogue

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"

	"shoal/bencode"
	"shoal/internal/value/infohash"
	"shoal/metainfo"
)

// Entry is what the catalogue keeps about a torrent.
type Entry struct {
	InfoHash infohash.Hash
	// Metainfo is the content of the torrent file as it came; nil while the metadata of a magnet is
	// missing: then Choices has Pending.
	Metainfo []byte
	// Torrent is Metainfo parsed, and refers to it. Open sets it; a caller that passes it to Put
	// saves parsing again.
	Torrent *metainfo.Torrent

	Choices
	State
}

// Choices are the user's choices for a torrent. The zero value means that there are none.
type Choices struct {
	Dir           string           // absolute; empty when it is no longer known
	SeedOnly      bool             // never request pieces
	Allocate      bool             // reserve room before the first byte
	Overwrite     bool             // replace the user's files instead of keeping them
	Priorities    []uint8          // by file, pad files included; nil means all normal
	Renamed       []Rename         // files whose paths differ from the torrent's
	Suffix        string           // suffix of incomplete files
	IncompleteDir string           // folder of incomplete files; empty means Dir
	Peers         []netip.AddrPort // peers that the user named
	WebSeeds      []string         // URLs that the user named
	Trackers      []Tracker        // trackers that the user added
	NoTrackers    []string         // announce URLs of the torrent that the user disabled
	Added         time.Time        // in UTC
	Paused        bool             // in the engine without transfer
	Forced        bool             // runs regardless of the queue
	Sequential    bool             // requests pieces in order
	Limits        []int64          // in bytes a second: up, down, and up and down per peer; nil means none
	ShareLimits   *ShareLimits     // share limits; nil means the engine's
	Seeded        time.Duration    // total of all runs, where there is a limit; whole seconds

	// Pending is what waits for the metadata of a magnet; nil once it is applied. The other choices
	// that name files by index are meaningless while it is there.
	Pending *Pending

	unknown []metainfo.Entry // fields of a newer version, sorted by key
}

// ShareLimits has the share limits of a torrent; 0 means no limit.
type ShareLimits struct {
	Thousandths int64         // uploaded, in thousandths of the torrent's size
	SeedTime    time.Duration // whole seconds
	IdleTime    time.Duration // whole seconds
	Then        uint8         // what to do at the limit
}

// Rename is another path for a file of a torrent.
type Rename struct {
	File int    // index in the torrent's files, pad files included
	Path string // below Dir, with slashes
}

// maxTier bounds the tier of a tracker that we read.
const maxTier = 1 << 20

// Tracker is a tracker that the user has added.
type Tracker struct {
	URL  string
	Tier int // counted from 0
}

// State is the part of an entry that changes while a torrent runs. Writing many states costs
// little.
type State struct {
	Stopped    bool  // by the user
	Uploaded   int64 // payload bytes of all runs
	Downloaded int64
}

// Settings are the engine's settings, under names that it chooses. It has none yet, and keeps those
// that a later version has written.
type Settings map[string]string

var errForm = errors.New("the choices are in an unknown form")

// appendFields appends the choices and the state as they were at revision rev.
func (e *Entry) appendFields(b []byte, rev uint64) []byte {
	c := &e.Choices
	pending := c.Pending
	if pending == nil {
		pending = &Pending{}
	}
	w := fieldWriter{Writer: bencode.NewWriter(b), unknown: c.unknown}
	w.BeginDict()
	if !c.Added.IsZero() {
		w.key("added").Int(c.Added.UnixNano())
	}
	w.flag("allocate", c.Allocate)
	w.text("dir", c.Dir)
	w.count("downloaded", e.Downloaded)
	w.flag("forced", c.Forced)
	w.text("incomplete dir", c.IncompleteDir)
	if c.Limits != nil {
		w.key("limits").BeginList()
		for _, n := range c.Limits {
			w.Int(n)
		}
		w.End()
	}
	pending.appendFields(&w)
	if len(c.NoTrackers) > 0 {
		w.key("no trackers").BeginList()
		for _, u := range c.NoTrackers {
			w.String(u)
		}
		w.End()
	}
	w.flag("overwrite", c.Overwrite)
	w.flag("paused", c.Paused)
	if len(c.Peers) > 0 {
		w.key("peers").BeginList()
		for _, p := range c.Peers {
			w.String(p.String())
		}
		w.End()
	}
	if c.Priorities != nil {
		w.key("priorities").Bytes(c.Priorities)
	}
	if len(c.Renamed) > 0 {
		w.key("renamed").BeginList()
		for _, r := range c.Renamed {
			w.BeginList()
			w.Int(int64(r.File))
			w.String(r.Path)
			w.End()
		}
		w.End()
	}
	w.count("rev", int64(rev))
	w.flag("seed only", c.SeedOnly)
	w.count("seeded", int64(c.Seeded/time.Second))
	w.flag("sequential", c.Sequential)
	if s := c.ShareLimits; s != nil {
		w.key("share").BeginList()
		for _, n := range [...]int64{s.Thousandths, int64(s.SeedTime / time.Second), int64(s.IdleTime / time.Second), int64(s.Then)} {
			w.Int(n)
		}
		w.End()
	}
	w.flag("stopped", e.Stopped)
	w.text("suffix", c.Suffix)
	if len(c.Trackers) > 0 {
		w.key("trackers").BeginList()
		for _, t := range c.Trackers {
			w.BeginList()
			w.String(t.URL)
			w.Int(int64(t.Tier))
			w.End()
		}
		w.End()
	}
	w.count("uploaded", e.Uploaded)
	if len(c.WebSeeds) > 0 {
		w.key("web seeds").BeginList()
		for _, u := range c.WebSeeds {
			w.String(u)
		}
		w.End()
	}
	return w.end()
}

// parseFields reads what appendFields wrote, also a newer version's. It keeps no reference to b.
func (e *Entry) parseFields(b []byte) (rev uint64, err error) {
	v, err := bencode.Parse(b)
	if err != nil || v.Kind() != bencode.Dict {
		return 0, errForm
	}
	r := fieldReader{}
	pending := Pending{}
	for key, v := range v.Entries() {
		switch string(key) {
		case "added":
			e.Added = time.Unix(0, r.int(v)).UTC()
		case "allocate":
			e.Allocate = r.int(v) != 0
		case "overwrite":
			e.Overwrite = r.int(v) != 0
		case "dir":
			e.Dir = r.text(v)
		case "downloaded":
			e.Downloaded = r.count(v)
		case "forced":
			e.Forced = r.int(v) != 0
		case "incomplete dir":
			e.IncompleteDir = r.text(v)
		case "limits":
			for v := range r.list(v) {
				e.Limits = append(e.Limits, r.count(v))
			}
		case "magnet":
			pending.Link = r.text(v)
		case "magnet ask":
			pending.Ask = r.int(v) != 0
		case "magnet files":
			for v := range r.list(v) {
				pending.Files = append(pending.Files, FileRule{r.text(v.Index(0)), uint8(min(r.count(v.Index(1)), 255))})
			}
		case "magnet rename":
			for v := range r.list(v) {
				pending.Rename = append(pending.Rename, PathRename{r.text(v.Index(0)), r.text(v.Index(1))})
			}
		case "magnet rest":
			pending.Rest = r.int(v) != 0
		case "paused":
			e.Paused = r.int(v) != 0
		case "peers":
			for v := range r.list(v) {
				p, err := netip.ParseAddrPort(r.text(v))
				r.failed = r.failed || err != nil
				e.Peers = append(e.Peers, p)
			}
		case "priorities":
			e.Priorities = []byte(r.text(v))
		case "renamed":
			for v := range r.list(v) {
				e.Renamed = append(e.Renamed, Rename{int(r.count(v.Index(0))), r.text(v.Index(1))})
			}
		case "rev":
			rev = uint64(r.count(v))
		case "seed only":
			e.SeedOnly = r.int(v) != 0
		case "sequential":
			e.Sequential = r.int(v) != 0
		case "seeded":
			e.Seeded = r.seconds(v)
		case "share":
			e.ShareLimits = &ShareLimits{r.count(v.Index(0)), r.seconds(v.Index(1)), r.seconds(v.Index(2)), uint8(min(r.count(v.Index(3)), 255))}
		case "stopped":
			e.Stopped = r.int(v) != 0
		case "suffix":
			e.Suffix = r.text(v)
		case "no trackers":
			for v := range r.list(v) {
				e.NoTrackers = append(e.NoTrackers, r.text(v))
			}
		case "trackers":
			for v := range r.list(v) {
				e.Trackers = append(e.Trackers, Tracker{r.text(v.Index(0)), int(min(r.count(v.Index(1)), maxTier))})
			}
		case "uploaded":
			e.Uploaded = r.count(v)
		case "web seeds":
			for v := range r.list(v) {
				e.WebSeeds = append(e.WebSeeds, r.text(v))
			}
		default:
			e.unknown = append(e.unknown, metainfo.Entry{Key: string(key), Raw: slices.Clone(v.Raw())})
		}
	}
	if pending.Link != "" {
		e.Pending = &pending
		r.failed = r.failed || !pending.of(e.InfoHash)
	}
	if r.failed {
		return 0, errForm
	}
	return rev, nil
}

// fit drops choices that do not match the torrent's files, and reports whether all matched.
func (e *Entry) fit() bool {
	n, ok := 0, true
	if e.Torrent != nil {
		n = len(e.Torrent.Info.Files)
	}
	if e.Priorities != nil && len(e.Priorities) != n {
		e.Priorities, ok = nil, false
	}
	was := len(e.Renamed)
	e.Renamed = slices.DeleteFunc(e.Renamed, func(r Rename) bool { return r.File >= n })
	return ok && len(e.Renamed) == was
}

// fieldWriter writes a dictionary with the unknown fields at their sorted places. It omits zero
// fields.
type fieldWriter struct {
	bencode.Writer
	unknown []metainfo.Entry
}

func (w *fieldWriter) key(k string) *fieldWriter {
	for len(w.unknown) > 0 && w.unknown[0].Key < k {
		w.Key(w.unknown[0].Key)
		w.Raw(w.unknown[0].Raw)
		w.unknown = w.unknown[1:]
	}
	w.Key(k)
	return w
}

func (w *fieldWriter) flag(k string, on bool) {
	if on {
		w.key(k).Int(1)
	}
}

func (w *fieldWriter) text(k, s string) {
	if s != "" {
		w.key(k).String(s)
	}
}

func (w *fieldWriter) count(k string, n int64) {
	if n > 0 {
		w.key(k).Int(n)
	}
}

func (w *fieldWriter) end() []byte {
	for _, u := range w.unknown {
		w.Key(u.Key)
		w.Raw(u.Raw)
	}
	w.End()
	return w.Finish()
}

// fieldReader reads values, and records when one has the wrong kind.
type fieldReader struct{ failed bool }

func (r *fieldReader) int(v bencode.Value) int64 {
	n, ok := v.Int()
	r.failed = r.failed || !ok
	return n
}

func (r *fieldReader) count(v bencode.Value) int64 {
	n := r.int(v)
	r.failed = r.failed || n < 0 || n > maxCount
	return min(max(n, 0), maxCount)
}

// seconds reads a duration of at most two hundred years.
func (r *fieldReader) seconds(v bencode.Value) time.Duration {
	const most = 200 * 366 * 24 * 3600
	n := r.count(v)
	r.failed = r.failed || n > most
	return time.Duration(min(n, most)) * time.Second
}

// maxCount bounds counters, so that adding to one does not overflow: 4 EiB.
const maxCount = 1 << 62

func (r *fieldReader) text(v bencode.Value) string {
	s, ok := v.Text()
	r.failed = r.failed || !ok
	return s
}

func (r *fieldReader) list(v bencode.Value) func(func(bencode.Value) bool) {
	r.failed = r.failed || v.Kind() != bencode.List
	return v.Items()
}

// fileName is the name of a torrent's entry.
func fileName(h infohash.Hash) string { return h.String() + entrySuffix }

const entrySuffix = ".entry"

// parseName is the inverse of fileName.
func parseName(name string) (infohash.Hash, bool) {
	stem, ok := strings.CutSuffix(name, entrySuffix)
	h, err := infohash.ParseHex(stem)
	return h, ok && err == nil && h.String() == stem
}
