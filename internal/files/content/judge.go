package content

import (
	"slices"

	"shoal/internal/files/resume"
	"shoal/internal/value/bitfield"
)

// before adds to have what earlier rounds have found, and removes what they have hashed from the doubt,
// as far as the files are the same.
func (s *search) before(l *resume.Layout, seen resume.Seen, have, doubt *bitfield.Bitfield) {
	if s == nil || s.looked == nil {
		return
	}
	size := int64(l.Geometry.PieceLength)
	other := bitfield.New(have.Len())
	for i := range l.Files {
		e := &l.Files[i]
		if e.Length == 0 || i < len(s.seen.Files) && seen.Files[i] == s.seen.Files[i] {
			continue
		}
		for p := e.Offset / size; p*size < e.Offset+e.Length && p < int64(have.Len()); p++ {
			other.Set(uint32(p))
		}
	}
	for p := range s.looked.Pieces() {
		if other.Has(p) {
			continue
		}
		if doubt.Clear(p); s.good.Has(p) {
			have.Set(p)
		}
	}
}

// judge decides about the found files by the pieces that fit: a file without one is not the torrent's.
// If there is such a file, the error is errSearchAgain.
func (o *session) judge(seen resume.Seen, have, looked *bitfield.Bitfield) error {
	s := o.search
	if s == nil {
		return nil
	}
	again := false
	for i, c := range s.found {
		best, other := s.best[i]
		other = other && best.path != c.path
		good, _ := o.inside(i, have)
		switch {
		case !o.fits(i, have) || other && good <= best.good:
			s.rejected[pairing{i, c.path}], again = true, true
			delete(s.proven, i)
			if other && best.path != "" { // otherwise best is the file at its own name
				s.proven[i] = best.candidate
			}
		default:
			s.proven[i] = c
		}
	}
	if o.doubt(seen, have) {
		again = true
	}
	if !again {
		return nil
	}
	s.seen, s.good, s.looked = seen, have.Clone(), looked
	return errSearchAgain
}

// doubt notes the files for which there are others that may be better: files at their own names that
// hold nothing of the torrent, and files that hold a part of it while another one has the full length.
// It reports whether there are any.
func (o *session) doubt(seen resume.Seen, have *bitfield.Bitfield) bool {
	s, c := o.search, o.c
	if s.rounds >= mostSearches {
		return false
	}
	known := o.loaded != nil && o.loaded.Found && o.loaded.Damaged == ""
	var files []int
	for i := range c.info.Files {
		f := &c.info.Files[i]
		if f.Pad || f.Length == 0 || s.wrong[i] || !seen.Files[i].Exists || known && o.loaded.Noted(i) {
			continue
		}
		_, found := s.found[i]
		_, asked := s.best[i]
		if good, all := o.inside(i, have); o.fits(i, have) && good < all && !asked || !o.fits(i, have) && !found {
			files = append(files, i)
		}
	}
	if len(files) == 0 {
		return false
	}
	folder, err := c.follow(c.at.Load(), o.allNames())
	if err != nil {
		return false
	}
	defer folder.Close()
	if l, ok := folder.(*looking); ok {
		folder = l.FS
	}
	any := false
	for i, list := range findFiles(folder, c.info, c.opt.FileName, files) {
		now, found := s.found[i]
		at := o.lay.Files[i].Path
		if found {
			at = now.path
		}
		least := int64(0)
		if o.fits(i, have) {
			least = c.info.Files[i].Length
		}
		if !slices.ContainsFunc(list, func(other candidate) bool {
			return other.path != at && other.size >= least && !s.rejected[pairing{i, other.path}]
		}) {
			continue
		}
		any = true
		s.rejected[pairing{i, at}] = true
		if good, _ := o.inside(i, have); good > 0 {
			s.best[i] = rated{now, good}
		}
		if delete(s.proven, i); !found {
			s.wrong[i] = true
		}
	}
	return any
}

// inside returns how many of the pieces that a file contains completely are in a set, and how many
// there are.
func (o *session) inside(i int, have *bitfield.Bitfield) (good, all int) {
	f, size := &o.c.info.Files[i], int64(o.c.geom.PieceLength)
	for p := (f.Offset + size - 1) / size; (p+1)*size <= f.Offset+f.Length; p++ {
		if all++; have.Has(uint32(p)) {
			good++
		}
	}
	return good, all
}

// fits reports whether a file that was found is the torrent's.
func (o *session) fits(i int, have *bitfield.Bitfield) bool {
	f, size := &o.c.info.Files[i], int64(o.c.geom.PieceLength)
	for p := f.Offset / size; p*size < f.Offset+f.Length; p++ {
		if have.Has(uint32(p)) {
			return true
		}
	}
	if o.loaded == nil || !o.loaded.Found {
		return false
	}
	info, err := o.files.Folder().Lstat(o.lay.Files[i].Path)
	if err != nil {
		return false
	}
	ours, _ := o.loaded.Ours(i, info)
	return ours
}
