package resume

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// Aside says where the incomplete files of a torrent lie. It is stored beside the journals of the
// torrent's own folder, so that a later run finds these files with that folder alone. The zero
// value means that there are none elsewhere.
type Aside struct {
	Suffix string // suffixes of incomplete files, with "/" between them
	Dir    string // absolute path of the folder that holds all of them until the last is complete
}

// Suffixes returns the suffixes in Suffix: shoal's, and those of other clients that began the
// files.
func (a Aside) Suffixes() []string {
	if a.Suffix == "" {
		return nil
	}
	return strings.Split(a.Suffix, "/")
}

// asideNames are the names of the two copies, so that one damaged file loses nothing: this is
// stored nowhere else.
func asideNames(infoHash [20]byte) [2]string {
	name := hex.EncodeToString(infoHash[:]) + ".aside"
	return [2]string{name, name + "-2"}
}

// ReadAside returns what was written last. It ignores a damaged copy, and everything when the first
// copy is missing. Without a folder of state it returns the zero value.
func ReadAside(fsys FS, infoHash [20]byte) (Aside, error) {
	if fsys == nil {
		return Aside{}, nil
	}
	for k, name := range asideNames(infoHash) {
		b, _, err := readFile(fsys, name, 2*maxDir)
		switch {
		case errors.Is(err, fs.ErrNotExist) && k == 0:
			return Aside{}, nil
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, errLarge):
			continue
		case err != nil:
			return Aside{}, fmt.Errorf("read where incomplete files are: %w", err)
		}
		if a, ok := parseAside(b, infoHash); ok {
			return a, nil
		}
	}
	return Aside{}, nil
}

func parseAside(b []byte, infoHash [20]byte) (a Aside, ok bool) {
	r, err := parseRecord(b, &infoHash)
	if err != nil || r.kind != kindAside || r.size != len(b) {
		return Aside{}, false
	}
	in := &input{b: r.payload}
	if in.byte() != asideVersion {
		return Aside{}, false
	}
	a.Suffix = string(in.bytes(int(in.uint(maxDir))))
	a.Dir = string(in.bytes(int(in.uint(maxDir))))
	return a, in.done()
}

const asideVersion = 1

// WriteAside stores a durably, or removes the copies when a is zero. It writes nothing when they
// say so already.
func WriteAside(fsys FS, infoHash [20]byte, a Aside) error {
	if fsys == nil {
		return nil
	}
	if old, err := ReadAside(fsys, infoHash); err != nil || old == a {
		return err
	}
	if err := writeAside(fsys, infoHash, a); err != nil {
		return fmt.Errorf("note where incomplete files are: %w", err)
	}
	return nil
}

// writeAside writes the first copy last, because that one counts.
func writeAside(fsys FS, infoHash [20]byte, a Aside) error {
	names := asideNames(infoHash)
	if (a == Aside{}) {
		for _, name := range names {
			if err := fsys.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		return fsys.SyncDir(".")
	}
	b := appendRecord(nil, &infoHash, kindAside, 0, 0, func(b []byte) []byte {
		return appendString(appendString(append(b, asideVersion), a.Suffix), a.Dir)
	})
	for _, name := range []string{names[1], names[0]} {
		if err := writeNew(fsys, name+newSuffix, b); err != nil {
			return err
		}
		if err := fsys.Rename(name+newSuffix, name); err != nil {
			return err
		}
		if err := fsys.SyncDir("."); err != nil {
			return err
		}
	}
	return nil
}

// Ours reports whether a file is the one noted as entry i, whatever its content, and whether all of
// its pieces are claimed.
func (lo *Loaded) Ours(i int, info fs.FileInfo) (ours, complete bool) {
	was, is := lo.st.files[i], identityFrom(info)
	if !is.Exists || !was.Exists || is.Inode != was.Inode && !is.same(was) {
		return false, false
	}
	return true, lo.st.whole(lo.lay, i)
}

// whole reports whether all pieces of a file are claimed.
func (s *state) whole(l *Layout, i int) bool {
	first, last := l.pieces(l.Files[i].Offset, l.Files[i].Length)
	for p := first; p < last; p++ {
		if !s.have.Has(p) {
			return false
		}
	}
	return true
}

// Whole reports whether all pieces of a file are claimed: it is complete, and durable.
func (j *Journal) Whole(i int) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.st.whole(&j.lay, i)
}
