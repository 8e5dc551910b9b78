package resume

import (
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"shoal/internal/files/storage"
)

// FS is the folder of state; tests replace it with faulty and crashing twins. Journals are written
// at given offsets of new files, and are never truncated.
type FS interface {
	storage.FS
	// Rename renames a file within the folder in one step, and replaces a file that has the new
	// name.
	Rename(from, to string) error
	// Remove removes a file.
	Remove(name string) error
	// List returns the names in the folder, in any order.
	List() ([]string, error)
}

// folder is an FS of the operating system.
type folder struct {
	storage.FS
	root  storage.PatientRoot
	locks locks
}

// OpenFolder opens the folder of state at path, which must exist. All journals in it share the
// result.
func OpenFolder(path string) (FS, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("open the folder of state: %w", err)
	}
	files, err := storage.OpenFolder(path)
	if err != nil {
		root.Close()
		return nil, fmt.Errorf("open the folder of state: %w", err)
	}
	return &folder{FS: files, root: storage.PatientRoot{Root: root}}, nil
}

func (f *folder) Rename(from, to string) error { return f.root.Rename(from, to) }
func (f *folder) Remove(name string) error     { return f.root.Remove(name) }

func (f *folder) List() ([]string, error) {
	entries, err := fs.ReadDir(f.root.FS(), ".")
	if err != nil {
		return nil, fmt.Errorf("list the folder of state: %w", err)
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, nil
}

func (f *folder) Close() error {
	f.locks.close()
	err := f.FS.Close()
	if rootErr := f.root.Close(); err == nil {
		err = rootErr
	}
	return err
}

// InfoHashes returns the torrents that have a journal among names.
func InfoHashes(names []string) [][20]byte {
	var found [][20]byte
	for _, name := range names {
		if hash, ok := parseName(name); ok {
			found = append(found, hash)
		}
	}
	return found
}

func parseName(name string) (hash [20]byte, ok bool) {
	stem, ok := strings.CutSuffix(name, suffix)
	b, err := hex.DecodeString(stem)
	if !ok || err != nil || len(b) != len(hash) || hex.EncodeToString(b) != stem {
		return hash, false
	}
	return [20]byte(b), true
}
