package crashfs

import (
	"bytes"
	"math/rand/v2"
	"path"
	"slices"
)

// Mode says what a crash leaves of unsynced changes.
type Mode uint8

// The modes.
const (
	Kill   Mode = iota // everything: only the process ended
	Lost               // nothing
	Newest             // the last write to each file and the last change of each folder, but not those before
	Oldest             // the first half, in order: a slow device that writes in order
	Torn               // random sectors of random writes, and random changes of names
	modes
)

// Modes returns all modes.
func Modes() []Mode {
	all := make([]Mode, modes)
	for i := range all {
		all[i] = Mode(i)
	}
	return all
}

// String returns the mode's name.
func (m Mode) String() string {
	return [...]string{"kill", "power lost", "newest kept", "oldest kept", "torn"}[m]
}

// sector is the unit of a device's writes, in bytes.
const sector = 512

// Crash ends the process, and except for Kill also the system: handles and folders become invalid,
// and unsynced changes are left as the mode says. rng is for Torn. StopAt and FailWhen are reset.
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

// crash reduces a node, and those below it, to what a crash leaves.
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
		if m.fate != nil { // the first of the two folders to be visited decides
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
	slices.Sort(names) // a fixed order, so that the same seed gives the same result
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
	// The new size and time can be on the device without the data, or be older than the data.
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

// Spoil changes a byte of a file on the device and keeps the file's time. It does not count as a
// call.
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
