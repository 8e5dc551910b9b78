package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"shoal"
)

// A torrent that the folder of state knows can be named by its info-hash, by the first digits
// of that, by a magnet link or by its name: the list of shoal run has it, or its metadata was
// received before.

// known is a source whose metadata is there, and what the list of shoal run says of it.
type known struct {
	source
	listed *shoal.Remembered // nil when it is not on the list
}

// readKnown takes a source of any kind for a command that needs the files of a torrent, and
// asks no peer for it (decision 0150).
func readKnown(ctx context.Context, name string, n netFlags) (known, error) {
	state, _ := n.stateDir()
	name, err := byName(name, state)
	if err != nil {
		return known{}, err
	}
	if kindOf(name) == aURL {
		return known{}, onlyFiles(name) // these commands work without a network
	}
	src, err := findSource(ctx, name, n)
	if err != nil {
		return known{}, err
	}
	if src.link != nil {
		if src, err = receivedBefore(src, state); err != nil {
			return known{}, err
		}
	}
	k := known{source: src}
	if state != "" {
		r, _, err := shoal.ReadRemembered(state, src.meta.InfoHash.String())
		switch {
		case err == nil:
			k.listed = &r
		case !errors.Is(err, shoal.ErrUnknown) && !unusable(err):
			return known{}, fail("read the list of torrents", err)
		}
	}
	return k, nil
}

// receivedBefore returns the torrent of a link, from the folder of state.
func receivedBefore(src source, state string) (source, error) {
	if state != "" {
		raw, err := shoal.KeptMetainfo(state, src.link.V1.String())
		if err == nil {
			return understood(src.path, raw)
		}
		if !errors.Is(err, shoal.ErrUnknown) && !unusable(err) {
			return source{}, fail("find the torrent "+src.name(), err)
		}
	}
	return source{}, sourceErr("name its .torrent file, or get that first with: shoal get --metadata-only SOURCE",
		"%s: its metadata was not received yet", printable(src.path))
}

// byName turns the name of a torrent that is on the list, or the first digits of its
// info-hash, into its info-hash. Whatever else it may be counts before: a file, a link, a URL.
func byName(name, state string) (string, error) {
	if state == "" || kindOf(name) != aFile {
		return name, nil
	}
	if _, err := os.Lstat(name); err == nil || !errors.Is(err, fs.ErrNotExist) || strings.ContainsRune(name, filepath.Separator) {
		return name, nil
	}
	all, err := shoal.PeekRemembered(state)
	if err != nil {
		return name, nil // the file that is not there is what is told
	}
	found := likely(all, name)
	switch len(found) {
	case 0:
		return name, nil
	case 1:
		return found[0].InfoHash, nil
	}
	return "", usageErr("give more digits of its info-hash: shoal list shows them", "%s: that is %s", printable(name), count(len(found), "torrent"))
}

// likely returns the torrents that a person may mean by a name or the first digits of an
// info-hash.
func likely(all []shoal.Remembered, name string) (found []shoal.Remembered) {
	prefix := strings.ToLower(name)
	for _, r := range all {
		if r.Name == name || len(prefix) >= shortestPrefix && strings.HasPrefix(r.InfoHash, prefix) {
			found = append(found, r)
		}
	}
	return found
}

// anySource is findSource that takes the names of torrents on the list, too.
func anySource(ctx context.Context, name string, n netFlags) (source, error) {
	state, _ := n.stateDir()
	name, err := byName(name, state)
	if err != nil {
		return source{}, err
	}
	return findSource(ctx, name, n)
}

// keepReceived keeps the metadata of a torrent that was fetched by a URL or read from a
// file, so that its info-hash is enough from now on. A failure harms nothing.
func keepReceived(src source, n netFlags) {
	if state, err := n.stateDir(); err == nil && state != "" && src.raw != nil {
		_ = shoal.KeepMetainfo(state, src.raw)
	}
}

// sameFolder reports whether two paths are of the same folder.
func sameFolder(a, b string) bool {
	x, xerr := filepath.Abs(a)
	y, yerr := filepath.Abs(b)
	if xerr != nil || yerr != nil || x == y {
		return xerr == nil && yerr == nil
	}
	s, serr := os.Stat(x)
	t, terr := os.Stat(y)
	return serr == nil && terr == nil && os.SameFile(s, t)
}

// place returns the folder that a command means, and whether the list's torrent is the one
// that lies there: without --dir that is where the list has it.
func (k known) place(dir string, named bool) (string, bool) {
	switch {
	case k.listed == nil || k.listed.Dir == "":
		return dir, false
	case !named:
		return k.listed.Dir, true
	}
	return dir, sameFolder(dir, k.listed.Dir)
}

// shortestPrefix of an info-hash names a torrent: shorter ones are typing mistakes.
const shortestPrefix = 6
