package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"shoal/internal/resume"
	"shoal/internal/storage"
)

// stateFor gives the folder of journals of the torrents in a download folder; nil
// when nothing is kept.
func (e *Engine) stateFor(dir string) (resume.FS, error) {
	if e.cfg.StateDir == "" {
		return nil, nil
	}
	e.stateMu.Lock()
	defer e.stateMu.Unlock()
	if f := e.journals[dir]; f != nil {
		return f, nil
	}
	if s := e.cfg.seams; s != nil {
		return s.state(dir)
	}
	path := journalDir(e.cfg.StateDir, dir)
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of state: %w", err)
	}
	f, err := resume.OpenFolder(path)
	if err != nil {
		return nil, err
	}
	if e.journals == nil {
		e.journals = make(map[string]resume.FS)
	}
	e.journals[dir] = f
	return f, nil
}

// journalDir is the folder of journals of the torrents in a download folder.
func journalDir(stateDir, dir string) string {
	sum := sha256.Sum256([]byte(dir))
	return filepath.Join(stateDir, "journals", hex.EncodeToString(sum[:8]))
}

// stateRoot is the folder that holds the folders of journals.
func (e *Engine) stateRoot() string { return filepath.Join(e.cfg.StateDir, "journals") }

// stateName is the name of the folder of journals of a download folder.
func (e *Engine) stateName(dir string) string {
	if e.cfg.seams != nil {
		return filepath.Base(dir)
	}
	return filepath.Base(journalDir(e.cfg.StateDir, dir))
}

// stateFolders returns the names of the folders of journals.
func (e *Engine) stateFolders() (names []string) {
	if s := e.cfg.seams; s != nil {
		return s.states
	}
	entries, err := os.ReadDir(e.stateRoot())
	if err != nil {
		return nil // there are none yet
	}
	for _, entry := range entries {
		if entry.IsDir() {
			names = append(names, entry.Name())
		}
	}
	return names
}

// stateNames lists one of these folders.
func (e *Engine) stateNames(folder string) (names []string) {
	if s := e.cfg.seams; s != nil {
		if state, err := s.state(folder); err == nil {
			names, _ = state.List()
		}
		return names
	}
	entries, err := os.ReadDir(filepath.Join(e.stateRoot(), folder))
	if err != nil {
		return nil // somebody removed it just now
	}
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// openState opens one of these folders by its name. The caller closes it.
func (e *Engine) openState(folder string) (resume.FS, error) {
	if s := e.cfg.seams; s != nil {
		return s.state(folder)
	}
	return resume.OpenFolder(filepath.Join(e.stateRoot(), folder))
}

// closeState gives the folders of state up. No torrent is left.
func (e *Engine) closeState() error {
	e.stateMu.Lock()
	defer e.stateMu.Unlock()
	var err error
	for _, f := range e.journals {
		err = errors.Join(err, f.Close())
	}
	e.journals = nil
	return err
}

// seams are where tests put a twin of the file system.
type seams struct {
	folder func(dir string) (storage.FS, error)
	state  func(dir string) (resume.FS, error) // of the journals of a folder
	states []string                            // the folders that have journals, as state takes them
	boot   resume.Boot
}

// seam puts it there.
func (e *Engine) seam() {
	if s := e.cfg.seams; s != nil {
		e.files.OpenFoldersWith(s.folder)
		e.boot = s.boot
	}
}
