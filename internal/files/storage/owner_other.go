//go:build !unix

package storage

import "io/fs"

// ownerTrusted trusts all: making a link takes a right of its own here.
func ownerTrusted(fs.FileInfo) func(fs.FileInfo) bool {
	return func(fs.FileInfo) bool { return true }
}
