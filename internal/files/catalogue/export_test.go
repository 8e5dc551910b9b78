package catalogue

// SetWriters sets how many files are written at once, and how many bytes wait for it.
func (c *Catalogue) SetWriters(n, maxPending int) { c.writers, c.maxPending = n, maxPending }

// SealEntry makes the file of an entry, with fields as they are given.
func SealEntry(fields, body []byte) []byte {
	return seal(nil, kindEntry, func(b []byte) []byte { return append(b, fields...) }, body)
}

// SealList makes a list, with fields as they are given.
func SealList(fields, body []byte) []byte {
	return seal(nil, kindList, func(b []byte) []byte { return append(b, fields...) }, body)
}
