package resume

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"shoal/internal/files/storage"
)

// Old is a journal that has not been used for a long time.
type Old struct {
	InfoHash [20]byte
	Used     time.Time // time of the last write, or of the last mark as used
	Dir      string    // folder of the files; empty when the journal does not say
}

// Olds returns the journals in a folder of state that nobody has used since the given time.
func Olds(fsys FS, since time.Time) ([]Old, error) {
	names, err := fsys.List()
	if err != nil {
		return nil, err
	}
	var olds []Old
	for _, h := range InfoHashes(names) {
		name := (&Layout{InfoHash: h}).FileName()
		info, err := fsys.Lstat(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // somebody removed it just now
		}
		if err != nil {
			return nil, fmt.Errorf("look up a journal: %w", err)
		}
		if used := info.ModTime(); used.Before(since) {
			olds = append(olds, Old{h, used, dirOf(fsys, name, h)})
		}
	}
	return olds, nil
}

// dirOf reads from a journal where the files of its torrent lie, without knowing the torrent.
func dirOf(fsys FS, name string, infoHash [20]byte) string {
	h, err := fsys.Open(name, storage.Read)
	if err != nil {
		return ""
	}
	defer h.Close()
	info, err := h.Stat()
	if err != nil {
		return ""
	}
	// The snapshot comes first; we read a large one whole to verify its sum.
	b := make([]byte, min(info.Size(), maxDirRead))
	if n, err := h.ReadV([][]byte{b}, 0); err != nil && n < len(b) {
		return ""
	}
	first, err := parseRecord(b, &infoHash)
	if err != nil || first.kind != kindSnapshot {
		return ""
	}
	in := &input{b: first.payload}
	if v := in.byte(); v != version && v != firstVersion {
		return ""
	}
	in.byte()
	if string(in.bytes(len(infoHash))) != string(infoHash[:]) {
		return ""
	}
	in.uint(1<<63 - 1)
	in.uint(1<<32 - 1)
	in.bytes(int(in.uint(maxBootID)))
	dir := string(in.bytes(int(in.uint(maxDir))))
	if in.failed {
		return ""
	}
	return dir
}

// maxDirRead bounds how much of a journal dirOf reads, in bytes. A longer snapshot yields no
// folder.
const maxDirRead = 16 << 20
