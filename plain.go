package shoal

import (
	"os"

	"shoal/internal/decide/quota"
	"shoal/internal/files/storage"
	"shoal/metainfo"
)

// ErrNotPlain is returned by OpenPlain for what is not a plain file.
var ErrNotPlain = storage.ErrUnsafe

// OpenPlain opens a plain file for reading, wherever links lead to, and refuses a folder, a
// device, a socket and a pipe. It never waits, as os.Open does at a pipe that nobody writes to:
// a program that takes .torrent files from a folder must not stop there.
func OpenPlain(name string) (*os.File, error) { return storage.OpenPlain(name) }

// PartName returns the name of the file, beside a torrent's own, that holds the parts of files
// that were left out: pieces at the edges reach into them.
func PartName(info *metainfo.Info) string { return storage.PartName(info) }

// NoFilesLeft reports whether err says that a file system takes no more files, even if it has
// room for bytes.
func NoFilesLeft(err error) bool { return storage.KindOf(err) == storage.NoFiles }

// CheckPlan returns an error for a text that is not a plan, as SetAltLimits takes it.
func CheckPlan(plan string) error {
	_, err := quota.ParsePlan(plan)
	return err
}
