package storage

import (
	"context"
	"maps"
	"slices"
)

// Sync implements Storage. One Sync runs at a time; each covers the writes that returned before it
// began.
func (f *Files) Sync(ctx context.Context) error {
	f.pool.mu.Lock()
	if f.syncing == nil {
		f.syncing = make(chan struct{}, 1)
	}
	syncing := f.syncing
	f.pool.mu.Unlock()
	select {
	case syncing <- struct{}{}:
		defer func() { <-syncing }()
	case <-ctx.Done():
		return ctx.Err()
	}
	f.pool.mu.Lock()
	files, folders := slices.Clone(f.unsync), slices.Sorted(maps.Keys(f.names))
	f.pool.mu.Unlock()

	files, folders, err := f.syncGroup(ctx, files, folders)
	if err == nil {
		err = f.syncFiles(ctx, files)
	}
	f.settle()
	if err != nil {
		return err
	}
	return f.syncNames(ctx, folders)
}

// syncFiles syncs all of the files, as far as it can, and returns the first error.
func (f *Files) syncFiles(ctx context.Context, files []int) (first error) {
	for _, i := range files {
		if err := ctx.Err(); err != nil {
			return err
		}
		o, err := f.pool.acquire(f, i, Write)
		if err == nil {
			err = f.syncFile(o)
			f.pool.release(o)
		}
		if first == nil {
			first = err
		}
	}
	return first
}

// syncFile makes the writes to a file durable, unless they are. A failure stays with the file: the
// system may forget the data, and report success next time.
func (f *Files) syncFile(o *openFile) error {
	s := o.slot
	f.pool.mu.Lock()
	upTo, err, clean := s.written, s.failed, !s.dirty()
	f.pool.mu.Unlock()
	if clean || err != nil {
		return err
	}
	f.pool.counters.syncs.Add(1)
	err = fail("sync", f.entry(s.entry).Path, o.Sync())
	f.pool.mu.Lock()
	defer f.pool.mu.Unlock()
	if err != nil {
		s.failed = err
		return err
	}
	s.synced = max(s.synced, upTo)
	return nil
}

// forget drops the slot of a file when it says nothing: it is closed, and clean. The caller holds
// pool.mu.
func (f *Files) forget(i int) {
	if s := f.slotIfAny(i); s != nil && s.open == nil && !s.dirty() && !s.listed && s.failed == nil {
		f.slots[i] = nil
	}
}

// settle drops the files that have become clean from the list.
func (f *Files) settle() {
	f.pool.mu.Lock()
	defer f.pool.mu.Unlock()
	f.unsync = slices.DeleteFunc(f.unsync, func(i int) bool {
		s := f.slots[i]
		if s.listed = s.dirty(); !s.listed {
			f.forget(i)
		}
		return !s.listed
	})
	if len(f.unsync) == 0 && len(f.names) == 0 {
		f.leaveGroup()
	}
}

// syncNames makes new names durable, folder by folder.
func (f *Files) syncNames(ctx context.Context, folders []string) error {
	for _, dir := range folders {
		if err := ctx.Err(); err != nil {
			return err
		}
		// Remove it from the list first: a name that appears now is synced below, or listed again.
		f.pool.mu.Lock()
		delete(f.names, dir)
		f.pool.mu.Unlock()
		f.pool.counters.syncs.Add(1)
		if err := f.fs.SyncDir(dir); err != nil {
			f.named(dir)
			return fail("sync", dir, err)
		}
	}
	return nil
}
