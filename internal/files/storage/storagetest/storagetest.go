// Package storagetest has the faulty twins of storages that tests of the layers above use. The
// conformance suite is public: shoal/storage/storagetest.
package storagetest

import (
	"testing"

	"shoal/storage"
	"shoal/storage/storagetest"
)

// Factory is that of the suite.
type Factory = storagetest.Factory

// Run is that of the suite.
func Run(t *testing.T, make Factory) { storagetest.Run(t, make) }

// Layout is that of the suite.
func Layout() []storage.Entry { return storagetest.Layout() }

// Lay is that of the suite.
func Lay(entries ...storage.Entry) []storage.Entry { return storagetest.Lay(entries...) }

// Expect is that of the suite.
func Expect(entries []storage.Entry, data []byte) []byte { return storagetest.Expect(entries, data) }

// Random is that of the suite.
func Random(seed uint64, n int64) []byte { return storagetest.Random(seed, n) }
