package engine

import (
	"slices"

	"shoal/internal/bitfield"
	"shoal/internal/resume"
)

// before puts what earlier rounds have found into have, and takes what they have hashed out
// of doubt, as far as the files are the same.
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

// judge decides about what was found, by the pieces that fit: a file without one is not the
// torrent's. With one that is not, the error is errSearchAgain.
func (o *opening) judge(seen resume.Seen, have, looked *bitfield.Bitfield) error {
	s := o.search
	if s == nil {
		return nil
	}
	again := false
	for i, c := range s.found {
		if !o.fits(i, have) {
			s.rejected[pairing{i, c.path}], again = true, true
			delete(s.proven, i)
		} else {
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

// doubt notes the files that lie at their own names, have nothing of the torrent, and for which
// others lie there that may be right. It reports whether there are some.
func (o *opening) doubt(seen resume.Seen, have *bitfield.Bitfield) bool {
	s, t := o.search, o.t
	if s.rounds >= mostSearches {
		return false
	}
	known := o.loaded != nil && o.loaded.Found && o.loaded.Damaged == ""
	var files []int
	for i := range t.info.Files {
		_, found := s.found[i]
		if f := &t.info.Files[i]; f.Pad || f.Length == 0 || found || s.wrong[i] || !seen.Files[i].Exists || known && o.loaded.Noted(i) {
			continue
		}
		if !o.fits(i, have) {
			files = append(files, i)
		}
	}
	if len(files) == 0 {
		return false
	}
	folder, err := t.follow(t.at.Load(), o.allNames())
	if err != nil {
		return false
	}
	defer folder.Close()
	if l, ok := folder.(*looking); ok {
		folder = l.FS
	}
	any := false
	for i, list := range findFiles(folder, t.info, t.spec.FileName, files) {
		at := o.lay.Files[i].Path
		if slices.ContainsFunc(list, func(c candidate) bool { return c.path != at && !s.rejected[pairing{i, c.path}] }) {
			s.wrong[i], s.rejected[pairing{i, at}], any = true, true, true
		}
	}
	return any
}

// fits reports whether a file that was found is the torrent's.
func (o *opening) fits(i int, have *bitfield.Bitfield) bool {
	f, size := &o.t.info.Files[i], int64(o.t.geom.PieceLength)
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
