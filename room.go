package shoal

import (
	"errors"

	"shoal/internal/decide/room"
)

// Shortage says why a torrent does not fit on a volume. It is an error, found with errors.As, and
// is ErrNoSpace too.
type Shortage struct {
	Dir    string // folder on the volume
	Need   int64  // bytes that the torrent still has to write there
	Others int64  // bytes that the other running torrents of the engine still have to write there
	Free   int64  // bytes that the volume has left for this user

	// Files is how many files the torrent has to create where the file system takes FreeFiles
	// more. Both are 0 when there is room for the files.
	Files, FreeFiles int64

	text string
}

// Error has both sizes.
func (s *Shortage) Error() string { return s.text }

// shortage returns the public form; nil for nil.
func shortage(s *room.Shortage) *Shortage {
	if s == nil {
		return nil
	}
	return &Shortage{Dir: s.Dir, Need: s.Need, Others: s.Others, Free: s.Free, Files: s.Files, FreeFiles: s.FreeFiles, text: s.Error()}
}

// shortageIn returns the shortage in an error's chain.
func shortageIn(err error) (*Shortage, bool) {
	s, ok := errors.AsType[*room.Shortage](err)
	return shortage(s), ok
}
