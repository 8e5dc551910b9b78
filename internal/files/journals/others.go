package journals

import (
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
	"weak"

	"shoal/internal/files/resume"
	"shoal/internal/value/infohash"
)

const (
	// mostFolders bounds the folders of journals that we list, and mostJournals the journals in all
	// of them: ten times what a large seed has.
	mostFolders  = 4096
	mostJournals = 1 << 17
	// mostOthers bounds the journals of one torrent that a caller reads: it reads each whole and
	// compares it with the files. The latest used come first.
	mostOthers = 8
	// listWorth is how long we use a list, in multiples of the time that making it took: while
	// thousands of torrents are added, a twentieth of the time goes into lists.
	listWorth = 20
)

// list is the list of all journals, by torrent. A weak pointer keeps it only until the next garbage
// collection, for other torrents that are added meanwhile.
type list struct {
	mu    sync.Mutex
	made  weak.Pointer[map[infohash.Hash][]string] // names of folders of journals
	until time.Time
}

// Others returns the names of the folders that have a journal of a torrent, except the one of a
// given download folder: the eight used last, the latest first.
func (s *Store) Others(dir string, h infohash.Hash) []string {
	own := s.name(dir)
	folders := slices.DeleteFunc(slices.Clone(s.with(h)), func(name string) bool { return name == own })
	if len(folders) <= mostOthers || s.twin != nil {
		return folders
	}
	used := make(map[string]time.Time)
	lay := resume.Layout{InfoHash: h}
	for _, name := range folders {
		if info, err := os.Stat(filepath.Join(s.root, name, lay.FileName())); err == nil {
			used[name] = info.ModTime()
		}
	}
	slices.SortStableFunc(folders, func(a, b string) int { return used[b].Compare(used[a]) })
	return folders[:mostOthers]
}

// OpenOther opens one of these folders. The caller calls done when it no longer needs the folder.
func (s *Store) OpenOther(name string) (f resume.FS, done func(), err error) {
	if s.twin != nil {
		f, err = s.twin.Open(name)
		return f, func() {}, err
	}
	folder, err := resume.OpenFolder(filepath.Join(s.root, name))
	if err != nil {
		return nil, nil, err
	}
	return folder, func() { folder.Close() }, nil
}

// with returns the names of the folders that have a journal of a torrent.
func (s *Store) with(h infohash.Hash) []string {
	l := &s.known
	l.mu.Lock()
	defer l.mu.Unlock()
	began := time.Now()
	all := l.made.Value()
	if all == nil || !began.Before(l.until) {
		all = new(s.listAll())
		l.made = weak.Make(all)
		now := time.Now()
		l.until = now.Add(listWorth * now.Sub(began))
	}
	return (*all)[h]
}

func (s *Store) listAll() map[infohash.Hash][]string {
	all := make(map[infohash.Hash][]string)
	folders, n := s.folders(), 0
	for _, folder := range folders[:min(len(folders), mostFolders)] {
		for _, h := range resume.InfoHashes(s.namesIn(folder)) {
			if n++; n > mostJournals {
				return all
			}
			all[h] = append(all[h], folder)
		}
	}
	return all
}

// folders returns the names of the folders of journals.
func (s *Store) folders() (names []string) {
	if s.twin != nil {
		return s.twin.Folders
	}
	entries, err := os.ReadDir(s.root)
	if err != nil {
		return nil // none exist yet
	}
	for _, entry := range entries {
		if entry.IsDir() {
			names = append(names, entry.Name())
		}
	}
	return names
}

// namesIn lists one of these folders.
func (s *Store) namesIn(folder string) (names []string) {
	if s.twin != nil {
		if f, err := s.twin.Open(folder); err == nil {
			names, _ = f.List()
		}
		return names
	}
	entries, err := os.ReadDir(filepath.Join(s.root, folder))
	if err != nil {
		return nil // another process has removed it just now
	}
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}
