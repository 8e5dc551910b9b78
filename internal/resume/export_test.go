package resume

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
