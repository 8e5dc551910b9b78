// Package room decides whether what torrents still have to write fits on their volumes. It is
// pure: the caller passes what the file system reports.
package room

import (
	"fmt"

	"shoal/internal/value/plural"
)

// File is one file of a torrent, as it lies on the disk.
type File struct {
	Length  int64 // bytes, by the metainfo
	Missing int64 // of these, bytes in pieces that we must fetch
	There   bool  // a file has its name
	Taken   int64 // bytes that it takes on the device; less than its size if it has holes
	// Copied says that the torrent will continue with a copy, because the file has other
	// names (hard links). Replaced says that the torrent will get a new file, because this
	// one is the user's. In both cases the old file stays on the disk.
	Copied, Replaced bool
	// Skipped says that the file is not wanted: of its missing bytes, we fetch only those
	// that share a piece with a wanted file.
	Skipped bool
}

// Needs returns how many more bytes the file takes on the device, and how many new files it
// needs. Verified bytes take room already, or are a hole that reads as zeros, so we write no
// more than what is missing; nor more than the file does not take yet.
func (f File) Needs() (bytes, files int64) {
	switch {
	case f.Skipped && (!f.There || f.Replaced):
		return f.Missing, 0 // they go to the part file, which all skipped files share
	case f.Missing == 0:
		return 0, 0
	case f.Copied:
		return max(f.Length, f.Taken), 1 // both exist for a moment
	case !f.There, f.Replaced:
		return f.Length, 1 // bytes of the part file are copied into it
	}
	return min(f.Missing, max(f.Length-f.Taken, 0)), 0
}

// Volume is what the file system reports of a volume.
type Volume struct {
	Free             int64 // bytes
	Files, FreeFiles int64 // possible files and folders, and how many more; Files is 0 for no bound
}

// Shortage is why a torrent does not fit.
type Shortage struct {
	Dir       string // folder without enough room, for display
	Need      int64  // bytes that the torrent still has to write there
	Others    int64  // bytes that other running torrents still have to write on the volume
	Free      int64  // bytes
	Files     int64  // files that it still has to create; 0 when there is room for all of them
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
		return nil // a torrent that writes nothing more always fits
	}
	return &s
}

// Error returns what is needed and what is free.
func (s *Shortage) Error() string {
	text := fmt.Sprintf("%s: not enough room: ", s.Dir)
	if s.Files > 0 {
		return text + fmt.Sprintf("%s new files and folders are needed, and the file system takes only %s more, whatever its free bytes (inodes: df -i)", plural.Group(s.Files), plural.Group(s.FreeFiles))
	}
	text += fmt.Sprintf("%s are needed", bytesText(s.Need))
	if s.Others > 0 {
		text += fmt.Sprintf(", and %s by other running torrents", bytesText(s.Others))
	}
	return text + fmt.Sprintf(", and %s are free", bytesText(s.Free))
}

// bytesText returns a size for display.
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
