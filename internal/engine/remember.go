package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"shoal/internal/files/catalogue"
	"shoal/internal/files/resume"
	"shoal/internal/mailbox"
	"shoal/internal/value/infohash"
)

// ErrUnknown is returned when no torrent with that info-hash is remembered.
var ErrUnknown = errors.New("no such torrent")

// ErrNoFolder is returned when the folder of a torrent's files is unknown.
var ErrNoFolder = errors.New("the folder of its files is unknown: name the folder")

// Remembered is a torrent in the catalogue, which the next start restores.
type Remembered struct {
	InfoHash infohash.Hash
	Name     string
	Dir      string // folder of the files; empty when unknown
	Size     int64  // bytes of all files
	Added    time.Time

	Stopped    bool  // stopped by the user: not started with the others
	Paused     bool  // paused by the user
	Uploaded   int64 // payload bytes of all runs
	Downloaded int64

	Torrent *Torrent // nil while it does not run

	HasMetadata bool // false for a magnet whose metadata has not come yet
}

// librarian keeps an engine's torrents between runs: it owns the catalogue and the goroutine that
// writes it. A nil librarian forgets everything.
//
// Additions, stops and choices are written soon, many in one write; totals once per totalsAge;
// everything by Save, and when the engine closes (decision 0063).
type librarian struct {
	e        *Engine
	cat      *catalogue.Catalogue
	problems []catalogue.Problem
	soon     chan struct{} // wakes run to write; capacity 1

	// Held from a change of the engine's list to that of the catalogue, so that both agree.
	// Locked before the mutex of Engine.list.
	mu   sync.Mutex
	away map[infohash.Hash]Remembered // torrents that do not run; the catalogue has their state and totals
}

const (
	// writeSoon is how long a change waits for more changes to be written with it.
	writeSoon = 200 * time.Millisecond
	// Bounds of totalsAge: how much of the totals a crash can lose.
	totalsSoonest = 2 * time.Second
	totalsLatest  = time.Minute
	totalsEach    = 6 * time.Millisecond
	// writeAgain is the interval between retries of a failed write.
	writeAgain = 5 * time.Second
)

// CatalogueDir returns the folder of the catalogue in a state folder.
func CatalogueDir(stateDir string) string { return filepath.Join(stateDir, "torrents") }

// OpenCatalogue opens the catalogue of a state folder, and creates it when it is missing.
// close closes the catalogue and its folder.
func OpenCatalogue(stateDir string) (c *catalogue.Catalogue, lo *catalogue.Loaded, close func(context.Context) error, err error) {
	dir := CatalogueDir(stateDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, nil, fmt.Errorf("create the state folder: %w", err)
	}
	f, err := resume.OpenFolder(dir)
	if err != nil {
		return nil, nil, nil, err
	}
	if c, lo, err = catalogue.Open(f); err != nil {
		f.Close()
		return nil, nil, nil, fmt.Errorf("open the torrents in %s: %w", stateDir, err)
	}
	return c, lo, func(ctx context.Context) error { return errors.Join(c.Close(ctx), f.Close()) }, nil
}

// PeekCatalogue reads the catalogue of a state folder that another engine has open, without
// changing anything.
func PeekCatalogue(stateDir string) (*catalogue.Loaded, error) {
	f, err := resume.OpenFolder(CatalogueDir(stateDir))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lo, err := catalogue.Peek(f)
	if err != nil {
		return nil, fmt.Errorf("read the torrents in %s: %w", stateDir, err)
	}
	return lo, nil
}

// openLibrary opens the catalogue. The caller restores its torrents later.
func (e *Engine) openLibrary() (*catalogue.Loaded, error) {
	cat, lo, close, err := OpenCatalogue(e.cfg.StateDir)
	if err != nil {
		return nil, err
	}
	e.library.opened(&librarian{
		e: e, cat: cat, problems: lo.Problems,
		soon: make(chan struct{}, 1), away: make(map[infohash.Hash]Remembered),
	}, close)
	return lo, nil
}

// restore starts the torrents of earlier runs in their order, without those that are
// stopped. A torrent that can't be started becomes a problem and stays remembered.
func (m *librarian) restore(entries []catalogue.Entry) {
	for i := range entries {
		en := &entries[i]
		if en.Stopped || m.e.cfg.AtRest {
			m.rest(en)
			continue
		}
		if _, err := m.e.addAgain(en, true); err != nil {
			m.rest(en)
			m.problems = append(m.problems, catalogue.Problem{
				Loss: catalogue.Withheld, File: en.InfoHash.String(), InfoHash: en.InfoHash,
				Text: "the torrent " + nameOf(en) + " can't be started", Err: err,
			})
		}
	}
}

// rest notes a remembered torrent that does not run.
func (m *librarian) rest(en *catalogue.Entry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.away[en.InfoHash] = RowOf(en)
}

// specOf returns the Spec of a remembered torrent. It is the reverse of keep.
func specOf(en *catalogue.Entry) Spec {
	return Spec{
		Paths: pathsOf(&en.Choices),
		Meta:  en.Torrent, Dir: en.Dir, Peers: en.Peers, WebSeeds: en.WebSeeds, Trackers: en.Trackers, NoTrackers: en.NoTrackers, SeedOnly: en.SeedOnly,
		Priorities: en.Priorities, Allocate: en.Allocate, Overwrite: en.Overwrite, added: en.Added,
		Paused: en.Paused, Forced: en.Forced, InOrder: en.Sequential, Limits: limitsOf(en.Limits), ShareLimits: shareOf(en.ShareLimits), seeded: en.Seeded,
	}
}

// addAgain starts a remembered torrent. restored means that the catalogue needs no change.
func (e *Engine) addAgain(en *catalogue.Entry, restored bool) (*Torrent, error) {
	spec := specOf(en)
	spec.restored = restored
	if en.Pending == nil {
		return e.Add(spec)
	}
	m, err := magnetOf(en)
	if err != nil {
		return nil, err
	}
	m.Spec = spec
	return e.AddMagnet(m)
}

// keep stores the user's choices for a torrent in c, from which specOf restores them. The mutex
// of librarian is held.
func (t *Torrent) keep(c *catalogue.Choices) {
	if t.magnet.waits() {
		t.magnet.keep(t, c)
	} else {
		t.keepPaths(c)
		if t.spec.visit {
			return
		}
		o := t.content.Options()
		c.SeedOnly, c.Allocate, c.Overwrite = o.SeedOnly, o.Allocate, o.Overwrite
		c.Priorities, c.Pending = t.content.Priorities(), nil
	}
	c.Peers = t.spec.Peers
	t.spec.chosen.keep(c)
	c.Added = t.spec.added
	c.Paused, c.Forced, c.Sequential = t.run.paused.Load(), t.run.force.Load(), t.run.inOrder.Load()
	c.Limits, c.ShareLimits, c.Seeded = t.keptLimits(), t.keptShare(), t.Seeded().Truncate(time.Second)
}

// RowOf returns the description of a remembered torrent that does not run.
func RowOf(en *catalogue.Entry) Remembered {
	r := Remembered{
		Stopped: en.Stopped, Paused: en.Paused, Uploaded: en.Uploaded, Downloaded: en.Downloaded,
		InfoHash: en.InfoHash, Name: nameOf(en), Dir: en.Dir, Added: en.Added, HasMetadata: en.Torrent != nil,
	}
	if en.Torrent != nil {
		r.Size = en.Torrent.Info.Saved()
	}
	return r
}

// row returns the description of a running torrent.
func (t *Torrent) row() Remembered {
	return Remembered{
		InfoHash: t.infoHash, Name: t.Info().Name, Dir: t.content.Abs(),
		Size: t.Info().Saved(), Added: t.spec.added, Paused: t.Paused(), HasMetadata: t.HasMetadata(),
	}
}

// remembers reports whether the catalogue has a torrent. It never has one with a storage of the
// caller, or one of which only the metadata is wanted: an entry with the same hash is of an
// earlier run.
func (m *librarian) remembers(t *Torrent) bool {
	return m != nil && t.content.InFolder() && !t.magnet.only()
}

// add adds a torrent to the list of the engine, and remembers it.
func (m *librarian) add(t *Torrent, raw []byte) error {
	if !m.remembers(t) {
		return t.e.enlist(t)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	h := t.infoHash
	before, known := m.cat.State(h)
	t.totals.restored(Totals{before.Uploaded, before.Downloaded})
	if was, ok := m.away[h]; ok {
		t.spec.added = was.Added
	}
	if t.spec.added.IsZero() {
		t.spec.added = time.Now().UTC()
	}
	if !t.spec.restored && m.e.vacant(t) {
		if err := m.put(t, raw, known); err != nil {
			return fmt.Errorf("write %s to the catalogue: %w", t.Info().Name, err)
		}
	}
	if err := m.e.enlist(t); err != nil {
		if !known {
			_ = m.cat.Remove(h) // added just now
		}
		return err
	}
	delete(m.away, h)
	return nil
}

// learned stores the metadata of a magnet, whose choices are applied now.
func (m *librarian) learned(t *Torrent) error {
	if !m.remembers(t) {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	t.magnet.applied()
	s, ok := m.cat.State(t.infoHash)
	if !ok {
		return nil // it was removed meanwhile
	}
	defer m.write()
	en := catalogue.Entry{InfoHash: t.infoHash, Torrent: t.Meta(), State: s}
	var err error
	if en.Metainfo, err = t.Meta().Encode(); err == nil {
		t.keep(&en.Choices)
		err = m.cat.Put(en)
	}
	if err != nil {
		return fmt.Errorf("write %s to the catalogue: %w", t.Info().Name, err)
	}
	return nil
}

// put adds a torrent to the catalogue. raw is its metainfo; nil means that put encodes it,
// unless the catalogue has it. m.mu is held.
func (m *librarian) put(t *Torrent, raw []byte, known bool) error {
	defer m.write()
	h := t.infoHash
	if raw == nil && known && (t.magnet.waits() || m.cat.HasMetainfo(h)) {
		return m.cat.Update(h, func(c *catalogue.Choices, s *catalogue.State) {
			t.keep(c)
			s.Stopped = false
		})
	}
	en := catalogue.Entry{InfoHash: h, Metainfo: raw, Torrent: t.Meta()}
	if t.magnet.waits() {
		en.Torrent = t.magnet.spec.Meta // nil until peers send it
	}
	if en.Metainfo == nil && en.Torrent != nil {
		var err error
		if en.Metainfo, err = en.Torrent.Encode(); err != nil {
			return err
		}
	}
	t.keep(&en.Choices)
	en.State = catalogue.State{Uploaded: t.totals.earlier.Uploaded, Downloaded: t.totals.earlier.Downloaded}
	return m.cat.Put(en)
}

// changed stores the user's current choices for a torrent. With durably they are on disk when
// changed returns, else soon.
func (m *librarian) changed(t *Torrent, durably bool) error {
	if !m.remembers(t) {
		return nil
	}
	m.mu.Lock()
	err := m.cat.Update(t.infoHash, func(c *catalogue.Choices, _ *catalogue.State) { t.keep(c) })
	m.mu.Unlock()
	if errors.Is(err, catalogue.ErrUnknown) || errors.Is(err, catalogue.ErrClosed) {
		return nil // the torrent was removed meanwhile
	}
	if err == nil && durably {
		err = m.cat.Flush(&t.life.ctx)
	}
	m.write()
	if err != nil {
		return fmt.Errorf("save the settings of %s: %w", t.Info().Name, err)
	}
	return nil
}

// stopped remembers that a user stops a torrent.
func (m *librarian) stopped(t *Torrent) {
	if !m.remembers(t) || t.spec.visit {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	h := t.infoHash
	if other := m.e.lookup(h); other != nil && other != t {
		return // another torrent with this hash was started since
	}
	if s, ok := m.cat.State(h); ok && !s.Stopped {
		s.Stopped = true
		_ = m.cat.SetState(h, s)
		m.write()
	}
}

// ended stores the totals of a torrent that sends and receives nothing any more.
func (m *librarian) ended(t *Torrent) {
	if !m.remembers(t) {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.cat.State(t.infoHash); !ok {
		return // it is forgotten
	}
	if t.swarm != nil {
		w := t.swarm.Stats(t.e.now())
		m.note(t, Totals{w.Uploaded, w.Downloaded})
	}
	if t.sharing.machine.Limits().SeedTime > 0 && !t.spec.visit {
		_ = m.cat.Update(t.infoHash, func(c *catalogue.Choices, _ *catalogue.State) { t.keep(c) })
	}
	m.away[t.infoHash] = t.row()
}

// note stores the totals of a torrent's run. m.mu is held.
func (m *librarian) note(t *Torrent, run Totals) {
	if !t.totals.news(run) {
		return
	}
	h := t.infoHash
	if s, ok := m.cat.State(h); ok {
		s.Uploaded, s.Downloaded = t.totals.earlier.Uploaded+run.Uploaded, t.totals.earlier.Downloaded+run.Downloaded
		_ = m.cat.SetState(h, s)
	}
}

// noteAll stores the totals of all running torrents.
func (m *librarian) noteAll() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range m.e.Torrents() {
		if s := t.pub.latest.Load(); m.remembers(t) && s.State != Stopped && s.State != Failed {
			m.note(t, Totals{s.Swarm.Uploaded, s.Swarm.Downloaded})
		}
	}
}

// write makes run write the changes soon.
func (m *librarian) write() {
	select {
	case m.soon <- struct{}{}:
	default:
	}
}

// totalsAge returns how old totals on disk may become while we receive payload. A flush writes
// the whole list, so the age grows with the number of torrents: 2 s below 333 of them, a
// minute from 10,000 on. While we only send payload, totalsLatest holds: a seed must not
// keep a disk busy.
func (m *librarian) totalsAge() time.Duration {
	return min(max(time.Duration(m.cat.Len())*totalsEach, totalsSoonest), totalsLatest)
}

// receiving reports whether we have received payload since the totals were last stored.
func (m *librarian) receiving() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range m.e.Torrents() {
		if m.remembers(t) && t.pub.latest.Load().Swarm.Downloaded != t.totals.noted.Downloaded {
			return true
		}
	}
	return false
}

// run writes the catalogue until ctx ends.
func (m *librarian) run(ctx context.Context) {
	due := mailbox.NewAlarm(m.totalsAge())
	defer due.Stop()
	failing := false
	taken := m.e.now() // time when the totals were last stored
	soon := false
	for {
		select {
		case <-m.soon:
			soon = true
			due.Within(writeSoon)
			continue
		case <-due.C():
		case <-ctx.Done():
			return
		}
		now := m.e.now()
		if !soon && !failing && now.Sub(taken) < totalsLatest && !m.receiving() {
			due.Set(m.totalsAge())
			continue
		}
		soon, taken = false, now
		m.noteAll()
		err := m.cat.Flush(ctx)
		switch {
		case err == nil:
			due.Set(m.totalsAge())
		case ctx.Err() == nil:
			if !failing { // log the first failure only
				m.e.log.Warn("cannot write the catalogue of torrents; will try again", "every", writeAgain, "err", err)
			}
			due.Set(writeAgain)
		}
		failing = err != nil
	}
}

// Save makes the current catalogue durable. Before that it waits until the pieces that seeds
// have found so far are claimed in their journals.
func (e *Engine) Save(ctx context.Context) error {
	if err := e.disks.Idle(ctx); err != nil {
		return err
	}
	if e.library.librarian == nil {
		return nil
	}
	e.library.librarian.noteAll()
	err := e.library.librarian.cat.Flush(ctx)
	if errors.Is(err, catalogue.ErrClosed) {
		err = ErrClosed
	}
	return err
}

// Problems returns what was wrong with the catalogue at the start.
func (e *Engine) Problems() []catalogue.Problem {
	if e.library.librarian == nil {
		return nil
	}
	return e.library.librarian.problems
}

// Remembered returns the remembered torrents in their order.
func (e *Engine) Remembered() []Remembered {
	m := e.library.librarian
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []Remembered
	for _, h := range m.cat.Order() {
		s, ok := m.cat.State(h)
		r, away := m.away[h]
		t := e.lookup(h)
		switch {
		case !ok:
			continue
		case t != nil:
			r = t.row()
			r.Torrent = t
			run := t.Totals()
			s.Uploaded, s.Downloaded = run.Uploaded, run.Downloaded
		case !away:
			continue
		}
		r.Stopped, r.Uploaded, r.Downloaded = s.Stopped, s.Uploaded, s.Downloaded
		all = append(all, r)
	}
	return all
}

// Start starts a remembered torrent that does not run. Its files are where they were, or
// in dir when that is not empty. The error is ErrUnknown, ErrDuplicate when the torrent
// runs, ErrNoFolder, or one of Add.
func (e *Engine) Start(h infohash.Hash, dir string) (*Torrent, error) {
	en, err := e.rememberedEntry(h, dir)
	if err != nil {
		return nil, err
	}
	return e.addAgain(&en, false)
}

// rememberedEntry returns what the catalogue has of a torrent, with the folder to start it in.
func (e *Engine) rememberedEntry(h infohash.Hash, dir string) (en catalogue.Entry, err error) {
	if e.library.librarian == nil {
		return en, ErrUnknown
	}
	en, err = e.library.librarian.cat.Get(h)
	switch {
	case errors.Is(err, catalogue.ErrUnknown):
		return en, fmt.Errorf("%w: %s", ErrUnknown, h)
	case errors.Is(err, catalogue.ErrClosed):
		return en, ErrClosed
	case err != nil:
		return en, err
	}
	if en.Dir = cmp.Or(dir, en.Dir); en.Dir == "" {
		return en, fmt.Errorf("start %s: %w", nameOf(&en), ErrNoFolder)
	}
	return en, nil
}

// Remove stops a torrent and removes it durably from the catalogue, with its journal. The
// files stay. The error is ErrUnknown, or why the removal could not be made durable.
func (e *Engine) Remove(ctx context.Context, h infohash.Hash) error {
	t, m := e.lookup(h), e.library.librarian
	if !m.knows(h) {
		if t == nil {
			return fmt.Errorf("%w: %s", ErrUnknown, h)
		}
		t.halt(ctx)
		return nil
	}
	m.mu.Lock()
	dir := m.away[h].Dir
	if t = e.lookup(h); t != nil {
		dir = t.content.Home()
	}
	err := m.cat.Remove(h)
	delete(m.away, h)
	m.mu.Unlock()
	if t != nil {
		t.halt(ctx)
	}
	if err == nil {
		err = m.cat.Flush(ctx)
	}
	if err != nil && !errors.Is(err, catalogue.ErrUnknown) { // unknown: another call removed it
		m.write()
		return fmt.Errorf("remove the torrent %s from the catalogue: %w", h, err)
	}
	if dir != "" {
		if err := e.disks.Journals().Remove(dir, h); err != nil {
			e.log.Warn("cannot remove the journal of a removed torrent; it is removed later when it is old enough", "torrent", h, "err", err)
		}
	}
	return nil
}

// hasMetainfo reports whether the catalogue has the metainfo of a torrent.
func (m *librarian) hasMetainfo(h infohash.Hash) bool { return m != nil && m.cat.HasMetainfo(h) }

func (m *librarian) knows(h infohash.Hash) bool {
	if m == nil {
		return false
	}
	_, ok := m.cat.State(h)
	return ok
}

// Totals counts payload bytes.
type Totals struct{ Uploaded, Downloaded int64 }

// Before returns the totals of the runs before this one.
func (t *Torrent) Before() Totals { return t.totals.earlier }

// Totals returns the totals of all remembered runs, this one included.
func (t *Torrent) Totals() Totals {
	w := &t.pub.latest.Load().Swarm
	return Totals{t.totals.earlier.Uploaded + w.Uploaded, t.totals.earlier.Downloaded + w.Downloaded}
}
