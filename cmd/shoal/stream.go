package main

import (
	"context"
	"io"

	"shoal"
)

// stream writes one file of the torrent to w, from its start to its end, as it comes.
// Only what is verified is written.
func stream(ctx context.Context, t *shoal.Torrent, pattern string, w io.Writer) error {
	name, err := pickOne(t, pattern)
	if err != nil {
		return err
	}
	r, err := t.Open(ctx, name)
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(w, r)
	return err
}
