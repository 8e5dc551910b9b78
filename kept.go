package shoal

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"shoal/internal/value/infohash"
	"shoal/metainfo"
)

// The metadata of torrents that began with a link is kept in the folder of state, one file
// each, so that no peer is asked for it twice: HASH.torrent in the folder metadata.

const (
	// keptFiles and keptBytes bound what is kept; the oldest go first. A thousand
	// torrents of 100 KiB each are what a busy user has in a year or two.
	keptFiles = 1000
	keptBytes = 256 << 20
)

func keptDir(stateDir string) string { return filepath.Join(stateDir, "metadata") }

func keptPath(stateDir string, h infohash.Hash) string {
	return filepath.Join(keptDir(stateDir), h.String()+".torrent")
}

// KeepMetainfo keeps a .torrent file in a StateDir, for KeptMetainfo and AddMagnet. At most a
// thousand files and 256 MiB are kept; the oldest go first.
func KeepMetainfo(stateDir string, raw []byte) error {
	meta, err := parse(raw)
	if err != nil {
		return err
	}
	return keepRaw(stateDir, meta.InfoHash, raw)
}

func keepRaw(stateDir string, h infohash.Hash, raw []byte) error {
	dir := keptDir(stateDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("keep the metadata of %s: %w", h, err)
	}
	to := keptPath(stateDir, h)
	f, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return fmt.Errorf("keep the metadata of %s: %w", h, err)
	}
	_, err = f.Write(raw)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), to)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("keep the metadata of %s: %w", h, err), os.Remove(f.Name()))
	}
	dropOldest(dir, filepath.Base(to))
	return nil
}

// dropOldest keeps the folder within its bounds. What can't be removed stays until the next
// time.
func dropOldest(dir, but string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	var all []fs.FileInfo
	var bytes int64
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			all = append(all, info)
			bytes += info.Size()
		}
	}
	slices.SortFunc(all, func(a, b fs.FileInfo) int {
		return cmp.Or(a.ModTime().Compare(b.ModTime()), strings.Compare(a.Name(), b.Name()))
	})
	n := len(all)
	for _, info := range all {
		if n <= keptFiles && bytes <= keptBytes {
			return
		}
		if info.Name() == but {
			continue
		}
		if os.Remove(filepath.Join(dir, info.Name())) == nil {
			n--
			bytes -= info.Size()
		}
	}
}

// KeptMetainfo returns the .torrent file of a torrent from a StateDir: one that is remembered
// (Config.Remember), that KeepMetainfo kept, or whose metadata peers sent. The error is
// ErrUnknown.
func KeptMetainfo(stateDir, infoHash string) ([]byte, error) {
	h, err := parseHash(infoHash)
	if err != nil {
		return nil, err
	}
	if _, raw, err := ReadRemembered(stateDir, infoHash); err == nil && raw != nil {
		return raw, nil
	}
	t, err := keptTorrent(stateDir, h)
	if err != nil {
		return nil, err
	}
	return t.Encode()
}

// keptTorrent reads what is kept of a torrent. Anything but that torrent counts as nothing:
// the file may be damaged.
func keptTorrent(stateDir string, h infohash.Hash) (*metainfo.Torrent, error) {
	f, err := os.Open(keptPath(stateDir, h))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: the metadata of %s was never received", ErrUnknown, h)
	}
	if err != nil {
		return nil, fmt.Errorf("read the metadata of %s: %w", h, err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, metainfo.MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read the metadata of %s: %w", h, err)
	}
	t, err := metainfo.Parse(raw)
	if err != nil || t.InfoHash != h {
		return nil, fmt.Errorf("%w: what is kept of %s is damaged", ErrUnknown, h)
	}
	return t, nil
}

// keepReceived keeps metadata that peers sent. They can send it again, so a failure does no harm.
func keepReceived(stateDir string, meta *metainfo.Torrent) {
	if raw, err := meta.Encode(); err == nil {
		_ = keepRaw(stateDir, meta.InfoHash, raw)
	}
}
