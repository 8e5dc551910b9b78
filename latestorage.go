package shoal

import (
	"fmt"

	files "shoal/internal/files/storage"
	"shoal/internal/value/printable"
	"shoal/metainfo"
	"shoal/storage"
)

// lateStorage is the storage of a magnet: the caller opens it once the metadata says which files
// there are. The engine uses it only after that; it can close it before.
type lateStorage struct{ storage.Storage }

// Close closes the caller's storage, if there is one.
func (s *lateStorage) Close() error {
	if s.Storage == nil {
		return nil
	}
	return s.Storage.Close()
}

// openStorage opens the caller's storage for a torrent.
func (opt *AddOptions) openStorage(info *metainfo.Info) (storage.Storage, error) {
	s, err := opt.Storage(files.Entries(info))
	if err != nil {
		return nil, fmt.Errorf("open the storage of %s: %w", printable.Of(info.Name), err)
	}
	return s, nil
}
