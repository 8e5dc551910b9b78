package shoal

import (
	"os"

	"shoal/internal/decide/quota"
	"shoal/internal/files/storage"
	"shoal/metainfo"
)

// ErrNotPlain is returned by OpenPlain for what is not a plain file.
var ErrNotPlain = storage.ErrUnsafe

// OpenPlain opens a plain file for reading. It follows links, and returns ErrNotPlain for a
// folder, device, socket or pipe. Unlike os.Open it never blocks, as on a pipe without a writer:
// that would stop a program that reads .torrent files from a folder.
func OpenPlain(name string) (*os.File, error) { return storage.OpenPlain(name) }

// PartName returns the name of a torrent's part file, which is beside its files. It holds the
// bytes of skipped files that belong to wanted pieces.
func PartName(info *metainfo.Info) string { return storage.PartName(info) }

// NoFilesLeft reports whether err says that a file system has no room for another file, though it
// may have room for bytes.
func NoFilesLeft(err error) bool { return storage.KindOf(err) == storage.NoFiles }

// CheckPlan returns an error for a text that is not a plan of Engine.SetAltLimits.
func CheckPlan(plan string) error {
	_, err := quota.ParsePlan(plan)
	return err
}
