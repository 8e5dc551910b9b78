package crashfs

import (
	"bytes"
	"math/rand/v2"
	"path"
	"slices"
)

// Mode says what a crash leaves of what was not synced.
type Mode uint8

// The modes.
const (
	Kill   Mode = iota // all of it: only the process has ended
	Lost               // none of it
	Newest             // the last write to each file, and the last change of each folder, but not those before
	Oldest             // the first halves, in order: what a device does that writes as it is told, slowly
	Torn               // any sectors of any writes, and any changes of names
	modes
)

// Modes are all of them.
func Modes() []Mode {
	all := make([]Mode, modes)
	for i := range all {
		all[i] = Mode(i)
	}
	return all
}

// String gives the mode's name.
func (m Mode) String() string {
	return [...]string{"kill", "power lost", "newest kept", "oldest kept", "torn"}[m]
}

// sector is what a device writes as a whole.
const sector = 512

// Crash ends the process, and but for Kill the system: handles and folders end,
// and what was not synced is left as the mode says. rng is for Torn. The stop and
// the failures are over.
func (f *FS) Crash(mode Mode, rng *rand.Rand) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.epoch++
	f.calls, f.stop, f.fail, f.locks = 0, 0, nil, map[lock]bool{}
	if mode == Kill {
		return
	}
	f.root.crash(mode, rng, map[*node]bool{})
}

// crash makes a node what is left of it, and those below.
func (n *node) crash(mode Mode, rng *rand.Rand, seen map[*node]bool) {
	if seen[n] {
		return
	}
	seen[n] = true
	if !n.folder {
		n.crashFile(mode, rng)
		return
	}
	for i, m := range n.moves {
		lives := survives(mode, rng, i, len(n.moves))
		if m.fate != nil { // the first of the two folders that is looked at decides
			if !m.fate.decided {
				m.fate.decided, m.fate.durable = true, lives
			}
			lives = m.fate.durable
		}
		if lives {
			m.apply(n.kept)
		}
	}
	n.moves = nil
	n.names = map[string]*node{}
	var names []string
	for name, child := range n.kept {
		n.names[name] = child
		names = append(names, name)
	}
	slices.Sort(names) // so that chance falls alike each time
	for _, name := range names {
		n.kept[name].crash(mode, rng, seen)
	}
}

// survives reports whether the i-th of n changes is on the device.
func survives(mode Mode, rng *rand.Rand, i, n int) bool {
	switch mode {
	case Newest:
		return i == n-1
	case Oldest:
		return i < n/2
	case Torn:
		return rng.IntN(2) == 0
	}
	return false
}

func (n *node) crashFile(mode Mode, rng *rand.Rand) {
	data := bytes.Clone(n.durable)
	any := false
	for i, w := range n.dirty {
		if mode != Torn {
			if survives(mode, rng, i, len(n.dirty)) {
				data, any = overlay(data, w.off, w.data), true
			}
			continue
		}
		for at := 0; at < len(w.data); {
			size := min(sector-int((w.off+int64(at))%sector), len(w.data)-at)
			if rng.IntN(2) == 0 {
				data, any = overlay(data, w.off+int64(at), w.data[at:at+size]), true
			}
			at += size
		}
	}
	// The size and the time may be there with none of the data, or be older than it.
	if mode == Torn && rng.IntN(3) == 0 && len(data) < len(n.data) {
		data = append(data, make([]byte, len(n.data)-len(data))...)
	}
	if mode == Torn && rng.IntN(4) == 0 {
		any = !any
	}
	if !any {
		n.modified = n.wasTime
	}
	n.data, n.durable, n.wasTime, n.dirty = data, bytes.Clone(data), n.modified, nil
}

// Spoil changes a byte of a file on the device, and nobody is told: the file's
// time is what it was. It counts no call.
func (f *FS) Spoil(name string, off int64) {
	d := f.Folder(path.Dir(name))
	f.mu.Lock()
	defer f.mu.Unlock()
	n := d.find(path.Base(name))
	n.data[off] ^= 0xff
	if off < int64(len(n.durable)) {
		n.durable[off] ^= 0xff
	}
}
