package resume

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"shoal/internal/files/storage"
)

// begin notes that a write begins. Until it has returned nil the write must not.
// Claims of pieces that will be written to are withdrawn first, durably. It tells
// whether it has waited for the device.
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
		// That may have taken a while, and the time tells our write from others'.
		j.st.open.at = j.cfg.Now().UnixNano()
		if err != nil {
			return false, err
		}
		return true, j.append(kindBegin, j.st.open.append)
	}
	if err := j.append(kindBegin, w.append); err != nil {
		return false, err
	}
	if !wasClean {
		return false, nil
	}
	// From here on a loss of power may leave files that differ from what is noted;
	// that it is not foul play has to be durable.
	if j.fs != nil {
		if err := j.handle.Sync(); err != nil {
			j.file.renew = true
			return false, err
		}
	}
	j.file.synced = j.file.end
	j.st.open.at = j.cfg.Now().UnixNano()
	return true, j.append(kindBegin, j.st.open.append)
}

// noted is a file, and what it looks like.
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
	j.st.open, j.st.clean = write{}, false
	return j.append(kindEnd, func(b []byte) []byte { return appendChanged(b, files, j.st.files) })
}

// left gives a file's identity as we left it; adopted tells whether that is known.
func (j *Journal) left(i int) (id Identity, adopted bool) {
	j.idMu.RLock()
	defer j.idMu.RUnlock()
	return j.st.files[i], j.adopted
}

// noted gives a file's identity as last noted.
func (j *Journal) notedOf(i int) Identity {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.st.files[i]
}

// note has the next commit tell the identity of file i. j.mu is held.
func (j *Journal) note(i int) {
	if !slices.Contains(j.changed, i) {
		j.changed = append(j.changed, i)
	}
}

// append writes a record behind the others. After a failure what the file holds
// there is unknown, so a new version has to come before the next one. j.mu is
// held.
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

// writeVersion writes all that is known to a new file and puts it in the place of
// the old one, durably. j.mu is held.
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
	j.file.renew = j.st.boot != j.cfg.Boot.ID // what is noted from here on is of this run
	return nil
}

// writeNew writes a new file, durably but for its name.
func writeNew(fsys FS, name string, b []byte) error {
	h, err := fsys.Open(name, storage.Create)
	if errors.Is(err, fs.ErrExist) { // left by a stop
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

// letGo closes the file, unless a commit is using it. j.mu is held.
func (j *Journal) letGo() {
	if j.handle != nil && j.handle != j.syncing {
		j.handle.Close()
	}
	j.handle = nil
}
