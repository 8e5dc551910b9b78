package engine

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"shoal/internal/files/catalogue"
	"shoal/internal/value/infohash"
)

// Relocate changes the folder of a remembered torrent to dir, in a state folder that no engine
// has open. whole means that dir has all files of the torrent, and that the folder for its
// incomplete files is not used any more. The error is ErrUnknown when the torrent is not
// remembered.
func Relocate(ctx context.Context, stateDir string, h infohash.Hash, dir string, whole bool) error {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("find the absolute path of %s: %w", dir, err)
	}
	c, _, done, err := OpenCatalogue(stateDir)
	if err != nil {
		return err
	}
	err = c.Update(h, func(ch *catalogue.Choices, _ *catalogue.State) {
		ch.Dir = abs
		if whole {
			ch.IncompleteDir = ""
		}
	})
	if errors.Is(err, catalogue.ErrUnknown) {
		err = ErrUnknown
	}
	return errors.Join(err, done(ctx))
}
