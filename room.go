package shoal

import (
	"errors"

	"shoal/internal/decide/room"
)

// Shortage is why a torrent does not fit on a volume. As an error it is ErrNoSpace as well; find
// it with errors.As.
type Shortage struct {
	Dir    string // folder on the volume
	Need   int64  // bytes that the torrent still has to write there
	Others int64  // bytes that the other running torrents of the engine still have to write there
	Free   int64  // bytes that the volume has left for this user

	// Files is how many files it has to make where the file system takes only FreeFiles more,
	// whatever room it has for bytes; 0 and 0 otherwise.
	Files, FreeFiles int64

	text string
}

// Error says both sizes.
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
