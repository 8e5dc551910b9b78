package source

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"shoal"
	"shoal/internal/cli/cmdline"
	"shoal/internal/cli/session"
	"shoal/internal/cli/ui"
)

// A torrent that the folder of state knows can be named by its info-hash, by the first digits
// of that, by a magnet link or by its name: the list of shoal run has it, or its metadata was
// received before.

// Known is a source whose metadata is there, and what the list of shoal run says of it.
type Known struct {
	Source
	Listed *shoal.Remembered // nil when it is not on the list
}

// FindKnown takes a source of any kind for a command that needs the files of a torrent, and
// asks no peer for it (decision 0150).
func FindKnown(ctx context.Context, name string, n session.Flags) (Known, error) {
	state, _ := n.StateDir()
	name, err := ByName(name, state)
	if err != nil {
		return Known{}, err
	}
	if cmdline.KindOf(name) == cmdline.KindURL {
		return Known{}, onlyFiles(name) // these commands work without a network
	}
	src, err := findSource(ctx, name, n)
	if err != nil {
		return Known{}, err
	}
	if src.Link != nil {
		if src, err = ReceivedBefore(src, state); err != nil {
			return Known{}, err
		}
	}
	k := Known{Source: src}
	if state != "" {
		r, _, err := shoal.ReadRemembered(state, src.Meta.InfoHash.String())
		switch {
		case err == nil:
			k.Listed = &r
		case !errors.Is(err, shoal.ErrUnknown) && !session.Unusable(err):
			return Known{}, ui.Fail("read the list of torrents", err)
		}
	}
	return k, nil
}

// ReceivedBefore returns the torrent of a link, from the folder of state.
func ReceivedBefore(src Source, state string) (Source, error) {
	if state != "" {
		raw, err := shoal.KeptMetainfo(state, src.Link.V1.String())
		if err == nil {
			return Parse(src.Path, raw)
		}
		if !errors.Is(err, shoal.ErrUnknown) && !session.Unusable(err) {
			return Source{}, ui.Fail("find the torrent "+src.Name(), err)
		}
	}
	return Source{}, ui.SourceError("name its .torrent file, or get that first with: shoal get --metadata-only SOURCE",
		"%s: its metadata was not received yet", ui.Printable(src.Path))
}

// ByName turns the name of a torrent that is on the list, or the first digits of its
// info-hash, into its info-hash. Whatever else it may be counts before: a file, a link, a URL.
func ByName(name, state string) (string, error) {
	if state == "" || cmdline.KindOf(name) != cmdline.KindFile {
		return name, nil
	}
	if _, err := os.Lstat(name); err == nil || !errors.Is(err, fs.ErrNotExist) || strings.ContainsRune(name, filepath.Separator) {
		return name, nil
	}
	all, err := shoal.PeekRemembered(state)
	if err != nil {
		return name, nil // reading it says that there is no such file
	}
	found := Likely(all, name)
	switch len(found) {
	case 0:
		return name, nil
	case 1:
		return found[0].InfoHash, nil
	}
	return "", ui.UsageError("write more digits of its info-hash: shoal list shows them", "%s: that is %s", ui.Printable(name), ui.Count(len(found), "torrent"))
}

// Likely returns the torrents that a person may mean by a name or the first digits of an
// info-hash.
func Likely(all []shoal.Remembered, name string) (found []shoal.Remembered) {
	prefix := strings.ToLower(name)
	for _, r := range all {
		if r.Name == name || len(prefix) >= shortestPrefix && strings.HasPrefix(r.InfoHash, prefix) {
			found = append(found, r)
		}
	}
	return found
}

// Any is findSource that takes the names of torrents on the list, too.
func Any(ctx context.Context, name string, n session.Flags) (Source, error) {
	state, _ := n.StateDir()
	name, err := ByName(name, state)
	if err != nil {
		return Source{}, err
	}
	return findSource(ctx, name, n)
}

// KeepReceived keeps the metadata of a torrent that was fetched by a URL or read from a
// file, so that its info-hash is enough from now on. A failure harms nothing.
func KeepReceived(src Source, n session.Flags) {
	if state, err := n.StateDir(); err == nil && state != "" && src.Raw != nil {
		_ = shoal.KeepMetainfo(state, src.Raw)
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

// Place returns the folder that a command means, and whether the list's torrent is the one
// that lies there: without --dir that is where the list has it.
func (k Known) Place(dir string, named bool) (string, bool) {
	switch {
	case k.Listed == nil || k.Listed.Dir == "":
		return dir, false
	case !named:
		return k.Listed.Dir, true
	}
	return dir, sameFolder(dir, k.Listed.Dir)
}

// shortestPrefix of an info-hash names a torrent: shorter ones are typing mistakes.
const shortestPrefix = 6
