package erase

import (
	"bytes"
	"context"
	"crypto/sha1"
	"io"

	"shoal/internal/files/resume"
	"shoal/internal/files/storage"
	"shoal/metainfo"
)

// evidence tells whose the files in one folder are.
type evidence struct {
	info   *metainfo.Info
	lay    resume.Layout
	dir    string
	folder storage.FS
	loaded *resume.Loaded // nil: no journal that can be believed

	same  []bool         // files that are as the journal notes them
	names []string       // by file: the name that is looked at
	files *storage.Files // reads pieces; nil before the first
	match map[uint32]bool
}

// judge says of each candidate that may go so far whether it is the torrent's.
func (j *evidence) judge(ctx context.Context, all []candidate) error {
	j.match = map[uint32]bool{}
	for k := range all {
		c := &all[k]
		if c.left != nil {
			continue
		}
		if c.file >= len(j.info.Files) || j.info.Files[c.file].Length == 0 && c.size == 0 {
			continue // no other program makes a part file; an empty file has nothing to lose
		}
		why, err := j.foreign(ctx, c)
		if err != nil {
			return err
		}
		if why != "" {
			c.left = &Left{Why: why}
		}
	}
	if j.files != nil {
		return j.files.Close()
	}
	return nil
}

// foreign says why a file is not the torrent's as far as its bytes show; empty when it is.
func (j *evidence) foreign(ctx context.Context, c *candidate) (why string, err error) {
	if err := j.use(c); err != nil {
		return "", err
	}
	f := &j.info.Files[c.file]
	size := j.info.PieceLength
	first, last := uint32(f.Offset/size), uint32((f.Offset+f.Length-1)/size)
	if j.same[c.file] {
		for p := first; p <= last; p++ {
			if j.loaded.Have.Has(p) {
				return "", nil
			}
		}
	}
	matches, other := 0, false
	for p := first; p <= last; p++ {
		ok, err := j.matches(ctx, p)
		if err != nil {
			return "", err
		}
		if ok {
			matches++
			continue
		}
		from, to := max(int64(p)*size, f.Offset), min(int64(p+1)*size, f.Offset+f.Length)
		zeros, err := j.zeros(ctx, c.name, from-f.Offset, min(to-f.Offset, c.size))
		if err != nil {
			return "", err
		}
		other = other || !zeros
	}
	switch {
	case j.same[c.file] && (matches > 0 || !other):
		return "", nil
	case matches > 0 && !other:
		return "", nil
	case matches > 0:
		return "it was changed: a part of it is not the torrent's", nil
	}
	return "no piece of the torrent was found in it", nil
}

// use makes a candidate the one that is looked at in place of its file.
func (j *evidence) use(c *candidate) error {
	if j.names == nil {
		j.same = make([]bool, len(j.lay.Files))
		for i := range j.lay.Files {
			j.names = append(j.names, j.lay.Files[i].Path)
		}
	}
	if j.names[c.file] != c.name {
		j.names[c.file] = c.name
		clear(j.match)
		if j.files != nil {
			j.files.Close()
			j.files = nil
		}
	}
	if j.loaded == nil {
		return nil
	}
	one := j.lay.Files[c.file]
	one.Path = c.name
	files := make([]storage.Entry, len(j.lay.Files))
	for i := range files {
		files[i].Pad = true // it is not looked at
	}
	files[c.file] = one
	seen, err := resume.Look(j.folder, files)
	if err != nil {
		return err
	}
	seen.Volume = resume.VolumeAt(j.dir)
	j.same[c.file] = j.loaded.Same(c.file, seen)
	return nil
}

// matches reports whether a piece matches its hash, with the files as they are.
func (j *evidence) matches(ctx context.Context, piece uint32) (bool, error) {
	if ok, known := j.match[piece]; known {
		return ok, nil
	}
	if err := ctx.Err(); err != nil {
		return false, err
	}
	if j.files == nil {
		entries := storage.Entries(j.info)
		for i := range entries {
			entries[i].Path = j.names[i]
		}
		var err error
		if j.files, err = storage.New(entries, storage.Config{FS: j.folder, Pool: storage.NewPool(0)}); err != nil {
			return false, err
		}
		j.files.UsePart(storage.PartName(j.info), j.info.PieceLength)
	}
	ok, err := j.hash(piece)
	j.match[piece] = ok
	return ok, err
}

// hash reads a piece in parts. What can't be read does not match.
func (j *evidence) hash(piece uint32) (bool, error) {
	g := j.info.Geometry()
	sum, buf := sha1.New(), make([]byte, min(readAtOnce, int64(g.PieceSize(piece))))
	off, end := g.Offset(piece, 0), g.Offset(piece, 0)+int64(g.PieceSize(piece))
	for off < end {
		b := buf[:min(int64(len(buf)), end-off)]
		if err := j.files.ReadV([][]byte{b}, off); err != nil {
			return false, nil
		}
		sum.Write(b)
		off += int64(len(b))
	}
	want := j.info.PieceHash(piece)
	return bytes.Equal(sum.Sum(nil), want[:]), nil
}

// readAtOnce bounds the memory for a piece, which may have 512 MiB.
const readAtOnce = 1 << 20

// zeros reports whether a range of a file holds nothing but zeros.
func (j *evidence) zeros(ctx context.Context, name string, from, to int64) (bool, error) {
	if from >= to {
		return true, nil
	}
	h, err := j.folder.Open(name, storage.Read)
	if err != nil {
		return false, nil // what can't be read is not known to be the torrent's
	}
	defer h.Close()
	buf := make([]byte, min(readAtOnce, to-from))
	for from < to {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		b := buf[:min(int64(len(buf)), to-from)]
		n, err := h.ReadV([][]byte{b}, from)
		if bytes.ContainsFunc(b[:n], func(r rune) bool { return r != 0 }) {
			return false, nil
		}
		if from += int64(n); err == io.EOF {
			return true, nil
		}
		if err != nil {
			return false, nil
		}
	}
	return true, nil
}
