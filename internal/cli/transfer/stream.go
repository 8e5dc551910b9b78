package transfer

import (
	"context"
	"io"

	"shoal"
)

// stream writes one file of the torrent to w, from its start to its end, as it comes.
// Only what is verified is written.
func stream(ctx context.Context, t *shoal.Torrent, file int, w io.Writer) error {
	r, err := t.Open(ctx, t.Files()[file].Path)
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(w, r)
	return err
}
