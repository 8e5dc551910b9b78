package resume

import "shoal/internal/value/bitfield"

// SetLogLimit has new versions written sooner.
func (j *Journal) SetLogLimit(n int64) { j.limit = n }

// FirstFormat gives a journal of the first format that says what j does.
func FirstFormat(j *Journal) []byte {
	l := j.lay
	l.Files, l.Part = l.Files[:len(l.Files)-1], false
	return format(j, &l, firstVersion)
}

// FormatOf gives a journal of another format.
func FormatOf(j *Journal, v byte) []byte { return format(j, &j.lay, v) }

func format(j *Journal, l *Layout, v byte) []byte {
	return appendRecord(nil, &l.InfoHash, kindSnapshot, 0, 0, func(b []byte) []byte {
		at := len(b)
		b = j.st.appendSnapshot(b, l)
		b[at] = v
		return b
	})
}

// Pretend returns what lo would be if its journal claimed these pieces and noted the files
// as they were seen.
func (lo *Loaded) Pretend(seen Seen, have *bitfield.Bitfield) *Loaded {
	st := lo.st.clone()
	st.have, st.doubt, st.folder = have, nil, seen.Folder
	st.files, st.safe = seen.Files, seen.Files
	p := *lo
	p.Found, p.Have, p.st = true, have, st
	return &p
}
