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
	boot   resume.Boot
}

// seam puts it there.
func (e *Engine) seam() {
	if s := e.cfg.seams; s != nil {
		e.files.OpenFoldersWith(s.folder)
		e.boot = s.boot
	}
}
