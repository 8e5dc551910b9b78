package engine

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"shoal/internal/files/catalogue"
	"shoal/internal/value/infohash"
)

// Relocate changes where the files of a remembered torrent are, in a folder of state that no
// engine has open: the next engine looks for them in dir. With whole, all that is there of
// it is in dir: nothing of it is where its unfinished files were. The error is ErrUnknown
// when it is not remembered.
func Relocate(ctx context.Context, stateDir string, h infohash.Hash, dir string, whole bool) error {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("find the folder %s: %w", dir, err)
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
