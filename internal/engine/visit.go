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

// Visit starts one remembered torrent for the sake of its files, to move or rename them:
// it fetches nothing, and the list keeps everything about it but where its files are and
// what they are called; ending it does not stop it there. dir, when not empty, is where they are now. The error is
// ErrUnknown, ErrDuplicate when it runs, ErrNoFolder, or one of Add.
func (e *Engine) Visit(h infohash.Hash, dir string) (*Torrent, error) {
	spec, err := e.rememberedSpec(h, dir)
	if err != nil {
		return nil, err
	}
	spec.restored, spec.visit = true, true
	spec.SeedOnly, spec.Paused, spec.Forced = true, false, true
	spec.Peers, spec.WebSeeds, spec.Trackers, spec.NoTrackers, spec.Limits, spec.Share = nil, nil, nil, nil, Limits{}, nil
	return e.Add(spec)
}

// Note makes durable where the files of a torrent are and what they are called.
func (t *Torrent) Note() error { return t.e.library.memory.changed(t, true) }

// ReadRemembered reads one remembered torrent and its metainfo, also while another
// engine has the list: what that has not written yet is not seen. The error is ErrUnknown
// when there is none.
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

// PeekRemembered reads all remembered torrents, as ReadRemembered does one; those that
// can't be read are left out.
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
