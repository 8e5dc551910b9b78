package shoal

import (
	"context"
	"fmt"

	"shoal/internal/engine"
	"shoal/internal/value/printable"
)

// Visit opens one remembered torrent of an engine with Config.AtRest, to move or rename its files:
// it fetches nothing, and only the folder and names of its files are remembered afterwards. Its
// files are in dir if that is not empty. The error is ErrUnknown, ErrDuplicate when it runs,
// ErrNoMetadata, or why it can't be opened.
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

// SavePaths makes the folder and names of a remembered torrent's files durable. Move and Rename do
// so themselves; SavePaths is for a torrent that was started in another folder than before. Call
// WaitChecked first.
func (t *Torrent) SavePaths(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return publicError(t.t.Note())
}

// ReadRemembered reads one torrent that is remembered in a StateDir, and its .torrent file. While
// an engine runs, it reads what the engine last wrote. The error is ErrUnknown. The .torrent file of
// a magnet without metadata is nil.
func ReadRemembered(stateDir, infoHash string) (Remembered, []byte, error) {
	h, err := parseHash(infoHash)
	if err != nil {
		return Remembered{}, nil, err
	}
	r, raw, err := engine.ReadRemembered(stateDir, h)
	if err != nil {
		return Remembered{}, nil, fmt.Errorf("read the remembered torrent %s: %w", printable.Of(infoHash), publicError(err))
	}
	return remembered(r), raw, nil
}

// PeekRemembered reads the torrents that are remembered in a StateDir, in the order of their
// info-hashes. It is faster than ListRemembered: it reads no journal, and leaves out torrents that
// it can't read.
func PeekRemembered(stateDir string) ([]Remembered, error) {
	rows, err := engine.PeekRemembered(stateDir)
	var all []Remembered
	for _, r := range rows {
		all = append(all, remembered(r))
	}
	return all, publicError(err)
}
