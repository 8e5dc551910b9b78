package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"shoal/internal/files/catalogue"
	"shoal/internal/files/resume"
	"shoal/internal/value/infohash"
)

// Visit starts one remembered torrent only to move or rename its files. The torrent fetches
// nothing; the catalogue takes over the folder and the names of its files and nothing else, so
// that stopping it here does not mark it as stopped. dir, when not empty, is where the files
// are now. The error is ErrUnknown, ErrDuplicate when the torrent runs, ErrNoFolder, or one of Add.
func (e *Engine) Visit(h infohash.Hash, dir string) (*Torrent, error) {
	en, err := e.rememberedEntry(h, dir)
	if err != nil {
		return nil, err
	}
	if en.Pending != nil {
		return nil, fmt.Errorf("start %s: %w", nameOf(&en), ErrNoMetadata)
	}
	spec := specOf(&en)
	spec.restored, spec.visit = true, true
	spec.SeedOnly, spec.Paused, spec.Forced = true, false, true
	spec.Peers, spec.WebSeeds, spec.Trackers, spec.NoTrackers, spec.Limits, spec.ShareLimits = nil, nil, nil, nil, Limits{}, nil
	return e.Add(spec)
}

// Note makes the folder and the names of a torrent's files durable in the catalogue.
func (t *Torrent) Note() error { return t.e.library.librarian.changed(t, true) }

// ReadRemembered reads one remembered torrent and its metainfo. It works while another
// engine has the catalogue open, but misses what that engine has not written yet. The
// error is ErrUnknown when the torrent is not remembered.
func ReadRemembered(stateDir string, h infohash.Hash) (Remembered, []byte, error) {
	dir := CatalogueDir(stateDir)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return Remembered{}, nil, fmt.Errorf("%w: %s", ErrUnknown, h)
	}
	f, err := resume.OpenFolder(dir)
	if err != nil {
		return Remembered{}, nil, err
	}
	defer f.Close()
	en, err := catalogue.ReadEntry(f, h)
	if errors.Is(err, catalogue.ErrUnknown) {
		return Remembered{}, nil, fmt.Errorf("%w: %s", ErrUnknown, h)
	}
	if err != nil {
		return Remembered{}, nil, err
	}
	return RowOf(&en), en.Metainfo, nil
}

// PeekRemembered reads all remembered torrents as ReadRemembered reads one, and leaves out
// those that it can't read.
func PeekRemembered(stateDir string) ([]Remembered, error) {
	dir := CatalogueDir(stateDir)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	f, err := resume.OpenFolder(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	hashes, err := catalogue.Hashes(f)
	var all []Remembered
	for _, h := range hashes {
		if en, err := catalogue.ReadEntry(f, h); err == nil {
			all = append(all, RowOf(&en))
		}
	}
	return all, err
}
