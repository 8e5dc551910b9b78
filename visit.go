package shoal

import (
	"context"
	"fmt"

	"shoal/internal/engine"
	"shoal/internal/value/printable"
)

// Visit starts one remembered torrent of an engine with Config.AtRest, to move or rename
// its files: it fetches nothing, and of what is remembered only where its files are and
// what they are called can change. The files are in dir when that is not empty. The
// error is ErrUnknown, ErrDuplicate when it runs, or says why it can't.
func (e *Engine) Visit(infoHash, dir string) (*Torrent, error) {
	h, err := parseHash(infoHash)
	if err != nil {
		return nil, err
	}
	t, err := e.e.Visit(h, dir)
	if err != nil {
		return nil, publicError(err)
	}
	return handle(t), nil
}

// SavePaths makes durable where the files of a remembered torrent are, and what they are
// called. Move and Rename do it themselves; SavePaths is for a torrent that was started in
// another folder than it had. It must be checked first: see Checked.
func (t *Torrent) SavePaths(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return publicError(t.t.Note())
}

// ReadRemembered reads one torrent that is remembered in a folder of state, and its
// .torrent file, also while an engine has the list: what that has not written yet is not
// seen. The error is ErrUnknown when there is none.
func ReadRemembered(stateDir, infoHash string) (Remembered, []byte, error) {
	h, err := parseHash(infoHash)
	if err != nil {
		return Remembered{}, nil, err
	}
	r, raw, err := engine.ReadRemembered(stateDir, h)
	if err != nil {
		return Remembered{}, nil, fmt.Errorf("read what is remembered of %s: %w", printable.Of(infoHash), publicError(err))
	}
	return remembered(r), raw, nil
}

// PeekRemembered reads the torrents that are remembered in a folder of state, also while
// an engine has the list: in the order of their info-hashes, without what is not written
// yet or can't be read.
func PeekRemembered(stateDir string) ([]Remembered, error) {
	rows, err := engine.PeekRemembered(stateDir)
	var all []Remembered
	for _, r := range rows {
		all = append(all, remembered(r))
	}
	return all, publicError(err)
}
