package resume

import (
	"errors"
	"fmt"
	"io/fs"

	"shoal/internal/files/storage"
	"shoal/internal/value/bitfield"
)

// begin notes the start of a write; do not write before it returns nil. It first withdraws,
// durably, the claims of pieces that the write touches. It reports whether it waited for the
// device.
func (j *Journal) begin(off, n int64) (waited bool, err error) {
	first, last := j.lay.pieces(off, n)
	j.unready(func(p uint32) bool { return first <= p && p < last })
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.adopted {
		return false, ErrNotAdopted
	}
	w := write{off, n, j.cfg.Now().UnixNano()}
	wasClean := j.st.clean
	for p := first; p < last; p++ {
		j.file.renew = j.file.renew || j.st.have.Has(p)
	}
	j.st.begin(w, &j.lay)
	if j.file.renew || j.file.end == 0 {
		j.file.renew = true
		err := j.writeVersion()
		// The sync may have taken a while, and the time tells our write from other programs'.
		j.st.writing.at = j.cfg.Now().UnixNano()
		if err != nil {
			return false, err
		}
		return true, j.append(kindBegin, j.st.writing.append)
	}
	if err := j.append(kindBegin, w.append); err != nil {
		return false, err
	}
	if !wasClean {
		return false, nil
	}
	// From here on a loss of power can leave files that differ from their notes. It must be durable
	// that our own write explains the difference.
	if j.fs != nil {
		if err := j.handle.Sync(); err != nil {
			j.file.renew = true
			return false, err
		}
	}
	j.file.synced = j.file.end
	j.st.writing.at = j.cfg.Now().UnixNano()
	return true, j.append(kindBegin, j.st.writing.append)
}

// noted is a file and its attributes.
type noted struct {
	file int
	id   Identity
}

// end notes what files look like after a write.
func (j *Journal) end(seen []noted) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	var files []int
	j.idMu.Lock()
	j.st.apart()
	for _, n := range seen {
		if kept(&j.lay.Files[n.file]) {
			j.st.files[n.file] = n.id
			j.note(n.file)
			files = append(files, n.file)
		}
	}
	j.idMu.Unlock()
	j.st.writing, j.st.clean = write{}, false
	return j.append(kindEnd, func(b []byte) []byte { return appendChanged(b, files, j.st.files) })
}

// left returns a file's identity as we left it; adopted reports whether that is known.
func (j *Journal) left(i int) (id Identity, adopted bool) {
	j.idMu.RLock()
	defer j.idMu.RUnlock()
	return j.st.files[i], j.adopted
}

// notedOf returns a file's identity as last noted.
func (j *Journal) notedOf(i int) Identity {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.st.files[i]
}

// note makes the next commit record the identity of file i. The caller holds j.mu.
func (j *Journal) note(i int) {
	if j.marked == nil {
		j.marked = bitfield.New(uint32(len(j.lay.Files)))
	}
	if j.marked.Set(uint32(i)) {
		j.changed = append(j.changed, i)
	}
}

// append writes a record after the others. After a failure the content of the file there is
// unknown, so a new version must come before the next record. The caller holds j.mu.
func (j *Journal) append(k kind, fill func([]byte) []byte) (err error) {
	if j.file.renew {
		return j.writeVersion()
	}
	if j.fs == nil {
		return nil
	}
	defer func() { j.file.renew = j.file.renew || err != nil }()
	name := j.lay.FileName()
	if j.handle == nil {
		if j.handle, err = j.fs.Open(name, storage.Write); err != nil {
			j.handle = nil
			return fmt.Errorf("open the journal: %w", storage.Fail("open", name, err))
		}
	}
	j.buf = appendRecord(j.buf[:0], &j.lay.InfoHash, k, j.file.seq, j.file.synced, fill)
	if _, err := j.handle.WriteV([][]byte{j.buf}, j.file.end); err != nil {
		return fmt.Errorf("write to the journal: %w", storage.Fail("write", name, err))
	}
	j.file.end += int64(len(j.buf))
	j.file.seq++
	return nil
}

// writeVersion writes the whole state to a new file, which replaces the old one durably. The caller
// holds j.mu.
func (j *Journal) writeVersion() error {
	if j.fs == nil {
		j.file = file{base: 1, end: 1, synced: 1, seq: 1}
		return nil
	}
	name := j.lay.FileName()
	b := appendRecord(nil, &j.lay.InfoHash, kindSnapshot, 0, 0, func(b []byte) []byte {
		if j.adopted {
			j.st.boot, j.st.dir = j.cfg.Boot.ID, j.cfg.Dir
		}
		return j.st.appendSnapshot(b, &j.lay)
	})
	if err := writeNew(j.fs, name+newSuffix, b); err != nil {
		return fmt.Errorf("write a new version of the journal: %w", storage.Fail("write", name, err))
	}
	j.letGo()
	if err := j.fs.Rename(name+newSuffix, name); err != nil {
		return fmt.Errorf("put the new version of the journal in place: %w", storage.Fail("rename", name, err))
	}
	j.file = file{base: int64(len(b)), end: int64(len(b)), synced: int64(len(b)), seq: 1, renew: true}
	if err := j.fs.SyncDir("."); err != nil {
		return fmt.Errorf("make the new version of the journal durable: %w", storage.Fail("sync", name, err))
	}
	j.file.renew = j.st.boot != j.cfg.Boot.ID // later notes belong to this run
	return nil
}

// writeNew writes a new file durably, except for its name.
func writeNew(fsys FS, name string, b []byte) error {
	h, err := fsys.Open(name, storage.Create)
	if errors.Is(err, fs.ErrExist) { // left by an interrupted run
		if err := fsys.Remove(name); err != nil {
			return err
		}
		h, err = fsys.Open(name, storage.Create)
	}
	if err != nil {
		return err
	}
	if _, err = h.WriteV([][]byte{b}, 0); err == nil {
		err = h.Sync()
	}
	return errors.Join(err, h.Close())
}

// letGo closes the file, unless a commit is using it. The caller holds j.mu.
func (j *Journal) letGo() {
	if j.handle != nil && j.handle != j.syncing {
		j.handle.Close()
	}
	j.handle = nil
}
