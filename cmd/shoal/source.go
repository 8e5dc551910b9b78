package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"shoal/bencode"
	"shoal/magnet"
	"shoal/metainfo"
)

// A source is a torrent named on the command line, read and understood.
type source struct {
	path string // as it was named
	raw  []byte
	meta *metainfo.Torrent
	link *magnet.Link // nil, or all that is known: then there is no raw and no meta
}

// name is the torrent's name, safe to show.
func (s source) name() string {
	switch {
	case s.meta != nil:
		return printable(s.meta.Info.Name)
	case s.link.Name != "":
		return printable(s.link.Name)
	}
	return s.link.V1.String()
}

// readSource reads the .torrent file that was named.
func readSource(name string) (source, error) {
	if err := onlyFiles(name); err != nil {
		return source{}, err
	}
	raw, err := readTorrent(name)
	if err != nil {
		return source{}, err
	}
	return understood(name, raw)
}

// understood reads the content of a .torrent file.
func understood(name string, raw []byte) (source, error) {
	m, err := metainfo.Parse(raw)
	if err != nil {
		return source{}, sourceErr(refusedHint(err), "read %s: %w", printable(name), err)
	}
	return source{path: name, raw: raw, meta: m}, nil
}

// refusedHint says what to do about a torrent that is refused.
func refusedHint(err error) string {
	switch {
	case errors.Is(err, bencode.ErrSyntax):
		return "this is no .torrent file, or a damaged one; get it again from where it came from"
	case errors.Is(err, metainfo.ErrV2Only):
		return "ask for a v1 or a hybrid torrent of the same files"
	}
	return "the torrent itself is at fault; ask whoever made it for another one"
}

func readTorrent(name string) ([]byte, error) {
	const hint = "name the path of a .torrent file; relative names start at the current folder"
	f, err := os.Open(name)
	if err != nil {
		return nil, sourceErr(hint, "%w", err)
	}
	defer f.Close()
	if st, err := f.Stat(); err == nil && st.IsDir() {
		return nil, sourceErr("name a .torrent file in it; seed and run take a folder of them",
			"read %s: is a folder", printable(name))
	}
	raw, err := io.ReadAll(io.LimitReader(f, metainfo.MaxSize+1))
	switch {
	case err != nil:
		return nil, sourceErr(hint, "read %s: %w", printable(name), err)
	case len(raw) > metainfo.MaxSize:
		return nil, sourceErr(hint, "read %s: over %s, which no torrent file is", printable(name), size(metainfo.MaxSize))
	}
	return slices.Concat(raw), nil // no larger than it is: it is kept
}

// onlyFiles says no to sources of other kinds.
func onlyFiles(name string) error {
	what := [...]string{"", "a magnet link", "a URL", "a bare info-hash"}[kindOf(name)]
	if what == "" {
		return nil
	}
	return usageErr("write its .torrent file with: shoal get --metadata-only -o FILE SOURCE",
		"%s is %s, which this command does not take; it takes .torrent files", printable(name), what)
}

// isHash reports whether s, in lower case, has the form of an info-hash: 40 or 64
// hexadecimal digits, or 32 of base 32.
func isHash(s string) bool {
	all := func(digits string) bool { return strings.Trim(s, digits) == "" }
	switch len(s) {
	case 40, 64:
		return all("0123456789abcdef")
	case 32:
		return all("abcdefghijklmnopqrstuvwxyz234567")
	}
	return false
}

// readSources reads files and folders of .torrent files. What cannot be used in a
// folder is told and passed over; what was named itself must be right.
func readSources(out *output, names []string, read func(name string) (source, error)) ([]source, error) {
	var all []source
	for _, name := range names {
		st, err := os.Stat(name)
		if err != nil || !st.IsDir() {
			s, err := read(name)
			if err != nil {
				return nil, err
			}
			all = append(all, s)
			continue
		}
		found, err := readFolder(out, name)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

func readFolder(out *output, dir string) ([]source, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, sourceErr("check the folder's name and permissions", "%w", err)
	}
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool {
		return e.IsDir() || !strings.EqualFold(filepath.Ext(e.Name()), ".torrent")
	})
	var found []source
	for _, e := range entries {
		s, err := readSource(filepath.Join(dir, e.Name()))
		if err != nil {
			out.warn("passed over: %s", printable(err.Error()))
			continue
		}
		found = append(found, s)
	}
	if len(found) == 0 {
		err := errors.New("no .torrent file in it")
		if len(entries) > 0 {
			err = fmt.Errorf("none of its %s can be used", count(len(entries), ".torrent file"))
		}
		return nil, sourceErr("name a folder of .torrent files, or the files", "read folder %s: %w", printable(dir), err)
	}
	return found, nil
}
