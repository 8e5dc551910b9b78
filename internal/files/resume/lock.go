package resume

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrInUse is returned when another process writes the same torrent in the same folder.
var ErrInUse = errors.New("another shoal is getting this torrent in this folder: stop it, or let it finish")

// Locker is a folder of state that can tell its users apart. A lock ends with the process, however
// that ends.
type Locker interface {
	// Lock locks one number; ErrInUse when another process holds it.
	Lock(number int64) (release func(), err error)
}

// Lock makes this process the only one that writes a torrent in the folder that fsys keeps the
// journals of. Where the system or the folder has no locks, it always succeeds. A reader needs no
// lock.
func Lock(fsys FS, infoHash [20]byte) (release func(), err error) {
	l, ok := fsys.(Locker)
	if !ok {
		return func() {}, nil
	}
	release, err = l.Lock(int64(binary.BigEndian.Uint64(infoHash[:8]) >> 2))
	if err != nil && !errors.Is(err, ErrInUse) {
		return nil, fmt.Errorf("lock the folder of state: %w", err)
	}
	return release, err
}
