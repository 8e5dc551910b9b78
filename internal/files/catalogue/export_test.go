package catalogue

import "maps"

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

// Settings returns a copy of the engine's settings.
func (c *Catalogue) Settings() Settings {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.settings)
}

// SetSettings replaces all of the engine's settings.
func (c *Catalogue) SetSettings(s Settings) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return ErrClosed
	}
	if !maps.Equal(c.settings, s) {
		c.settings = maps.Clone(s)
		c.listDirty = true
	}
	return nil
}
