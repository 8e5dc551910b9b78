package storage

import (
	"context"
	"errors"
	"slices"
)

// A torrent of thousands of small files would need a sync of each: a journal commit and a flush of
// the device, thousands of times. An FS that can sync everything on its volume at once does so for
// many files (decision 0211).
const (
	groupFiles = 64 // a torrent with fewer files syncs them one by one
	groupLeast = 16 // as does a Sync of fewer files and folders
)

// Grouper is an FS that can make many files durable at once.
type Grouper interface {
	// Group returns a Group for writes that begin from now on; errors.ErrUnsupported where the
	// volume has none.
	Group() (Group, error)
}

// Group makes everything on one volume durable at once.
type Group interface {
	// Sync makes durable what was written to files of the volume, and new names. It fails when the
	// system could not write something that was written since the Group began, whether or not the
	// file is still open, and whosever file it is.
	Sync() error
	// Holds reports whether a file or folder that was looked at is on the volume.
	Holds(at Look) bool
	Close() error
}

// group returns the Group that covers a write that begins now; nil for none.
func (f *Files) group() Group {
	if len(f.entries) < f.groupFrom {
		return nil
	}
	f.pool.mu.Lock()
	g, none := f.grouped, f.ungrouped
	f.pool.mu.Unlock()
	if g != nil || none {
		return g
	}
	g, err := groupOf(f.fs)
	f.pool.mu.Lock()
	defer f.pool.mu.Unlock()
	switch {
	case g == nil || err != nil:
		f.ungrouped = true
		return nil
	case f.grouped != nil || f.closed: // somebody else began one first
		f.pool.unlocked(func() { g.Close() })
		return f.grouped
	}
	f.grouped = g
	return g
}

// leaveGroup closes the Group when nothing waits for its Sync. The caller holds pool.mu.
func (f *Files) leaveGroup() {
	if g := f.grouped; g != nil {
		f.grouped = nil
		f.pool.unlocked(func() { g.Close() })
	}
}

// covers reports whether a Sync of the Group makes the writes to an entry durable. The caller holds
// pool.mu.
func (f *Files) covers(s *slot) bool { return f.grouped != nil && s.group == f.grouped }

// syncGroup makes durable at once what can be: of many files, and of files that are closed. It
// returns the files and folders that have to be synced one by one.
func (f *Files) syncGroup(ctx context.Context, files []int, folders []string) (rest []int, others []string, err error) {
	f.pool.mu.Lock()
	g := f.grouped
	upTo := make(map[int]uint64)
	var covered []int // the keys of upTo, in order
	closed, flushes := false, false
	for _, i := range files {
		if s := f.slots[i]; f.covers(s) && s.failed == nil && s.dirty() {
			// One that is open is synced on its own afterwards: XFS does not flush the cache of the
			// device for all when its log has nothing new.
			if !flushes && s.open != nil && s.open.writable {
				flushes = true
				continue
			}
			upTo[i] = s.written
			covered = append(covered, i)
			closed = closed || s.open == nil
		}
	}
	f.pool.mu.Unlock()
	if g == nil || !closed && len(upTo)+len(folders) < f.groupLeast {
		return files, folders, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	// A folder below this one can be on another volume, and a link lead to one.
	LookAll(f.fs, len(folders), func(i int) string { return folders[i] }, func(i int, at Look, err error) {
		if err != nil || !at.Folder || !g.Holds(at) {
			others = append(others, folders[i])
		}
	})
	f.pool.mu.Lock()
	for _, d := range folders { // before the sync: a name that appears now is listed again
		if !slices.Contains(others, d) {
			delete(f.names, d)
		}
	}
	f.pool.mu.Unlock()
	f.pool.counters.syncs.Add(1)
	err = fail("sync", ".", g.Sync())
	if err == nil && !flushes {
		err = f.syncOne(covered)
	}
	f.pool.mu.Lock()
	defer f.pool.mu.Unlock()
	for i, n := range upTo {
		if s := f.slots[i]; err != nil {
			s.failed = err // the system may forget the data, and report success next time
		} else {
			s.synced = max(s.synced, n)
		}
	}
	if err != nil {
		for _, d := range folders {
			if !slices.Contains(others, d) {
				f.name(d)
			}
		}
		return nil, nil, err
	}
	rest = slices.DeleteFunc(slices.Clone(files), func(i int) bool { _, done := upTo[i]; return done })
	return rest, others, nil
}

// syncOne syncs the last of the files that is still there, none of which is open: that flushes the
// cache of the device for all of them.
func (f *Files) syncOne(files []int) error {
	for _, i := range slices.Backward(files) {
		o, err := f.pool.acquire(f, i, Write)
		if err == nil {
			err = f.syncFile(o)
			f.pool.release(o)
		}
		if KindOf(err) != Missing { // a file that is gone has nothing to claim
			return err
		}
	}
	return nil
}

// groupOf is Group of a folder that another one wraps.
func groupOf(fsys FS) (Group, error) {
	if g, ok := fsys.(Grouper); ok {
		return g.Group()
	}
	return nil, errors.ErrUnsupported
}

// Group implements Grouper.
func (f *sharedFolder) Group() (Group, error) { return groupOf(f.FS) }

// Group implements Grouper. Files behind links are in it when they are on the same volume.
func (l *Linked) Group() (Group, error) { return groupOf(l.FS) }

// Group implements Grouper.
func (u *Unfinished) Group() (Group, error) { return groupOf(u.FS) }
