// Package journals finds the journals of verified pieces in a folder of state. Each download folder
// has one folder of journals there, named by a hash of its path, with one journal per torrent;
// package resume defines their content. A Store opens these folders once, lists them, and removes
// what nobody uses any longer.
//
// A Store has one mutex, held only briefly. Another guards its list of all journals, and is held
// while the list is made.
package journals

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"shoal/internal/files/resume"
	"shoal/internal/value/infohash"
	"shoal/metainfo"
)

// Config is what a Store is made with.
type Config struct {
	StateDir string // empty: keep no journals
	Log      *slog.Logger
	Twin     *Twin // for tests; nil otherwise
}

// Twin stands in for the folders on disk in tests.
type Twin struct {
	Open    func(folder string) (resume.FS, error) // opens a folder of journals, by the last element of the download folder
	Folders []string                               // the existing ones
	Boot    resume.Boot
}

// Store manages the folders of journals in one folder of state.
type Store struct {
	root string // parent of the folders; empty: keep no journals
	log  *slog.Logger
	boot resume.Boot
	twin *Twin

	mu   sync.Mutex
	open map[string]resume.FS // by download folder

	known list
}

// New returns the store of a folder of state.
func New(cfg Config) *Store {
	s := &Store{log: cfg.Log, twin: cfg.Twin}
	if cfg.StateDir != "" {
		s.root = filepath.Join(cfg.StateDir, "journals")
	}
	if s.twin != nil {
		s.boot = s.twin.Boot
	} else {
		s.boot = resume.ThisBoot()
	}
	return s
}

// Kept reports whether the store keeps journals at all.
func (s *Store) Kept() bool { return s.root != "" }

// Boot returns the run of the system for claims made now.
func (s *Store) Boot() resume.Boot { return s.boot }

// name returns the name of the folder of journals of a download folder.
func (s *Store) name(dir string) string {
	if s.twin != nil {
		return filepath.Base(dir)
	}
	return Name(dir)
}

// Name returns the name of the folder of journals of a download folder.
func Name(dir string) string {
	sum := sha256.Sum256([]byte(dir))
	return hex.EncodeToString(sum[:8])
}

// Dir returns the folder of journals of a download folder.
func Dir(stateDir, dir string) string { return filepath.Join(stateDir, "journals", Name(dir)) }

// For returns the folder of journals of a download folder, and creates it if needed; nil when the
// store keeps no journals. The store closes it.
func (s *Store) For(dir string) (resume.FS, error) {
	if !s.Kept() {
		return nil, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.open[dir]; f != nil {
		return f, nil
	}
	if s.twin != nil {
		return s.twin.Open(s.name(dir))
	}
	path := filepath.Join(s.root, Name(dir))
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of state: %w", err)
	}
	f, err := resume.OpenFolder(path)
	if err != nil {
		return nil, err
	}
	if s.open == nil {
		s.open = make(map[string]resume.FS)
	}
	s.open[dir] = f
	return f, nil
}

// Lock makes sure that no other process writes the torrent in the download folder.
func (s *Store) Lock(dir string, h infohash.Hash) (release func(), err error) {
	state, err := s.For(dir)
	if err != nil || state == nil {
		return func() {}, nil
	}
	return resume.Lock(state, h)
}

// Read returns what the journal of a torrent in a download folder says.
func (s *Store) Read(dir string, lay resume.Layout) (*resume.Loaded, error) {
	state, err := s.For(dir)
	if err != nil {
		return nil, err
	}
	_, lo, err := resume.Open(state, lay, resume.Config{Dir: dir, Boot: s.boot})
	return lo, err
}

// Has reports whether a torrent has a journal in a download folder.
func (s *Store) Has(dir string, lay resume.Layout) (bool, error) {
	lo, err := s.Read(dir, lay)
	return err == nil && lo.Found, err
}

// Remove removes the journal of a torrent in a download folder, and the one in the folder of its
// incomplete files, unless another process writes it. A journal that stays costs a few bytes, and
// Sweep removes it later.
func (s *Store) Remove(dir string, h infohash.Hash) error {
	state, err := s.For(dir)
	if err != nil || state == nil {
		return err
	}
	a, _ := resume.ReadAside(state, h)
	err = remove(state, h)
	if a.Dir != "" && a.Dir != dir {
		err = errors.Join(err, s.Remove(a.Dir, h))
	}
	return err
}

// Close closes the folders. The caller has closed all torrents.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	for _, f := range s.open {
		err = errors.Join(err, f.Close())
	}
	s.open = nil
	return err
}

// Remove removes the journal of a torrent in a download folder, from a folder of state that no
// engine has open, unless another process writes it.
func Remove(stateDir, dir string, h infohash.Hash) error {
	path := Dir(stateDir, dir)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	state, err := resume.OpenFolder(path)
	if err != nil {
		return err
	}
	return errors.Join(remove(state, h), state.Close())
}

func remove(state resume.FS, h infohash.Hash) error {
	release, err := resume.Lock(state, h)
	if err != nil {
		return err
	}
	defer release()
	return errors.Join(resume.Remove(state, resume.Layout{InfoHash: h}), resume.WriteAside(state, h, resume.Aside{}))
}

// Peek reads the journal of a torrent in a download folder, or in the folder of its incomplete
// files, from a folder of state that another engine can have open. It returns nil if it finds
// none that is readable.
func Peek(stateDir, dir string, h infohash.Hash, info *metainfo.Info) *resume.Loaded {
	return peek(stateDir, dir, h, info, true)
}

func peek(stateDir, dir string, h infohash.Hash, info *metainfo.Info, follow bool) *resume.Loaded {
	path := Dir(stateDir, dir)
	if _, err := os.Stat(path); err != nil {
		return nil
	}
	state, err := resume.OpenFolder(path)
	if err != nil {
		return nil
	}
	defer state.Close()
	if a, err := resume.ReadAside(state, h); follow && err == nil && a.Dir != "" && a.Dir != dir {
		if lo := peek(stateDir, a.Dir, h, info, false); lo != nil && lo.Found {
			return lo
		}
	}
	for range 2 { // another engine may be in the middle of writing it
		_, lo, err := resume.Open(state, resume.LayoutOf(h, info), resume.Config{Dir: dir, Boot: resume.ThisBoot()})
		if err == nil && lo.Damaged == "" {
			return lo
		}
	}
	return nil
}
