// Package room decides whether what torrents still have to write fits on their volumes. It is
// pure: what the file system says is given to it.
package room

import (
	"fmt"

	"shoal/internal/value/plural"
)

// File is one file of a torrent, as it lies on the disk.
type File struct {
	Length  int64 // bytes, as the torrent says
	Missing int64 // of these, in pieces that are to be fetched
	There   bool  // a file has its name
	Taken   int64 // bytes of the device that it takes; less than its size where it has holes
	// Copied says that the torrent goes on with a copy, since the file has other names (hard
	// links), and Replaced that the torrent gets a new one, since the file is the user's. In
	// both cases what is there stays on the disk.
	Copied, Replaced bool
	// Skipped says that the file is not wanted: of what is missing, only what shares a piece
	// with a wanted file is fetched.
	Skipped bool
}

// Needs returns how many bytes the device has to give for the file, and how many new files it
// has to make. What is verified takes room already, or is a hole that reads as zeros, so no more
// than what is missing is written; nor is it more than what the file does not take yet.
func (f File) Needs() (bytes, files int64) {
	switch {
	case f.Skipped && (!f.There || f.Replaced):
		return f.Missing, 0 // goes to the part file, which is one for all
	case f.Missing == 0:
		return 0, 0
	case f.Copied:
		return max(f.Length, f.Taken), 1 // there are both for a moment
	case !f.There, f.Replaced:
		return f.Length, 1 // what is in the part file is copied into it
	}
	return min(f.Missing, max(f.Length-f.Taken, 0)), 0
}

// Volume is what the file system says of a volume.
type Volume struct {
	Free             int64 // bytes
	Files, FreeFiles int64 // files and folders that there may be, and how many more; Files is 0 for no bound
}

// Shortage is why a torrent does not fit.
type Shortage struct {
	Dir       string // the folder that does not have enough room, for people
	Need      int64  // bytes that the torrent still has to write there
	Others    int64  // bytes that other running torrents still have to write on the volume
	Free      int64  // bytes
	Files     int64  // files that it still has to make; 0 when there is room for all of them
	FreeFiles int64  // with Files: how many more the file system takes
}

// Judge returns what is short on a volume for a torrent that needs bytes and files there; nil
// when it fits.
func Judge(bytes, files, others int64, v Volume) *Shortage {
	s := Shortage{Need: bytes, Others: max(others, 0), Free: v.Free}
	if v.Files > 0 && files > v.FreeFiles {
		s.Files, s.FreeFiles = files, v.FreeFiles
	}
	if s.Files == 0 && (bytes == 0 || bytes <= v.Free-s.Others) {
		return nil // one that writes nothing more always fits
	}
	return &s
}

// Error says both sizes.
func (s *Shortage) Error() string {
	text := fmt.Sprintf("%s: not enough room: ", s.Dir)
	if s.Files > 0 {
		return text + fmt.Sprintf("files and folders to be made: %s, and the file system takes only %s more, whatever room it has for bytes (inodes: df -i)", plural.Group(s.Files), plural.Group(s.FreeFiles))
	}
	text += fmt.Sprintf("%s are needed", bytesText(s.Need))
	if s.Others > 0 {
		text += fmt.Sprintf(", and %s by other torrents that run", bytesText(s.Others))
	}
	return text + fmt.Sprintf(", and %s are free", bytesText(s.Free))
}

// bytesText is a size for people.
func bytesText(n int64) string {
	units := []string{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	if n < 1024 {
		return plural.Of(n, "byte")
	}
	f, u := float64(n)/1024, 0
	for ; f >= 1023.95 && u < len(units)-1; u++ {
		f /= 1024
	}
	return fmt.Sprintf("%.1f %s", f, units[u])
}
