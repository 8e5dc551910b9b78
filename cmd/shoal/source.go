package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"shoal"
	"shoal/bencode"
	"shoal/internal/files/storage"
	"shoal/magnet"
	"shoal/metainfo"
)

// A source is a torrent named on the command line, read and understood.
type source struct {
	path string // as it was named
	raw  []byte
	meta *metainfo.Torrent
	link *magnet.Link // nil, or all that is known: then there is no raw and no meta

	within bool // the user named a folder that it is in
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

// fileName returns the name of the .torrent file, as it was called where it came from; empty
// where there is none.
func (s source) fileName() string {
	switch kindOf(s.path) {
	case aFile:
		return filepath.Base(s.path)
	case aFileURL:
		if p, ok := filePath(s.path); ok {
			return filepath.Base(p)
		}
	case aURL:
		if u, err := url.Parse(strings.Trim(s.path, quotes)); err == nil {
			return path.Base(u.Path)
		}
	}
	return ""
}

// readSource reads the .torrent file that was named.
func readSource(name string) (source, error) {
	if err := onlyFiles(name); err != nil {
		return source{}, err
	}
	if path, ok := filePath(name); ok && kindOf(name) == aFileURL {
		name = path
	}
	src, err := readFile(name)
	if err == nil && src.link != nil {
		return source{}, usageErr(toTorrent, "%s holds a magnet link, which this command does not take; it takes .torrent files", printable(name))
	}
	return src, err
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

// readFile reads what was named: a .torrent file, or a text with a magnet link.
func readFile(name string) (source, error) {
	const hint = "name the path of a .torrent file; relative names start at the current folder"
	f, err := os.Open(name)
	if err != nil {
		if meant := strings.Trim(name, quotes); meant != name && errors.Is(err, fs.ErrNotExist) {
			if _, err := os.Lstat(meant); err == nil { // pasted with what stood around it
				return readFile(meant)
			}
		}
		if at := webAddress(name); at != "" && errors.Is(err, fs.ErrNotExist) {
			return source{}, sourceErr("if it is on the web, write its whole address: "+at, "%w", err)
		}
		return source{}, sourceErr(hint, "%w", err)
	}
	return readOpen(name, f, hint)
}

// readPlain is readFile of a file that lay in a folder. A pipe there would have us wait for
// its other end, and a device never ends.
func readPlain(name string) (source, error) {
	const hint = "put a plain file there"
	f, err := storage.OpenPlain(name)
	if err != nil {
		return source{}, sourceErr(hint, "%w", err)
	}
	src, err := readOpen(name, f, hint)
	if err == nil && src.link != nil {
		return source{}, usageErr("name the file .magnet", "%s holds a magnet link", printable(name))
	}
	return src, err
}

// readOpen reads and closes a file.
func readOpen(name string, f *os.File, hint string) (source, error) {
	defer f.Close()
	if st, err := f.Stat(); err == nil && st.IsDir() {
		return source{}, sourceErr("name a .torrent file in it; seed and run take a folder of them",
			"read %s: is a folder", printable(name))
	}
	raw, err := readBounded(f)
	if err != nil {
		return source{}, sourceErr(hint, "read %s: %w", printable(name), err)
	}
	return fromBytes(name, raw)
}

// webAddress returns the URL that was probably meant by the name of a file that is not there:
// people leave out what stands before the host. It is empty where the name is not like one.
func webAddress(name string) string {
	host, path, ok := strings.Cut(strings.Trim(name, quotes), "/")
	if !ok || path == "" || !isHostName(host) || strings.HasPrefix(host, ".") {
		return ""
	}
	if last := host[strings.LastIndexByte(host, '.')+1:]; len(last) == len(host) || len(last) < 2 || strings.Trim(strings.ToLower(last), "abcdefghijklmnopqrstuvwxyz") != "" {
		return ""
	}
	return printable("https://" + host + "/" + path)
}

// readBounded reads no more than a torrent file may have.
func readBounded(r io.Reader) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(r, metainfo.MaxSize+1))
	if err == nil && len(raw) > metainfo.MaxSize {
		err = fmt.Errorf("over %s, which no torrent file is", size(metainfo.MaxSize))
	}
	return raw, err
}

// fromBytes takes what a file, or standard input, or a data URL holds.
func fromBytes(name string, raw []byte) (source, error) {
	found, err := shoal.Unwrap(raw)
	if err != nil {
		return source{}, sourceErr(contentHint(err), "read %s: %w", printable(name), err)
	}
	return fromContent(name, found)
}

func fromContent(name string, found shoal.Content) (source, error) {
	switch {
	case found.Metainfo != nil:
		return understood(name, slices.Clone(found.Metainfo)) // no larger than it is: it is kept
	case len(found.Links) > 1:
		return source{}, usageErr("name them one at a time", "%s holds %s", printable(name), count(len(found.Links), "magnet link"))
	}
	return fromLink(name, found.Links[0])
}

// contentHint says what to do about a file that is no torrent.
func contentHint(err error) string {
	var what *shoal.ContentError
	if errors.As(err, &what) && what.Hint != "" {
		return what.Hint
	}
	return "get the .torrent file again from where it came from"
}

// toTorrent is how a command that takes files only gets one.
const toTorrent = "write its .torrent file with: shoal get --metadata-only -o FILE SOURCE"

// onlyFiles says no to sources of other kinds.
func onlyFiles(name string) error {
	k := kindOf(name)
	if k == aFile || k == aFileURL {
		return nil
	}
	return usageErr(toTorrent, "%s is %s, which this command does not take; it takes .torrent files", printable(name), k)
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
		at := filepath.Join(dir, e.Name())
		s, err := readPlain(at)
		if errors.Is(err, storage.ErrUnsafe) {
			out.warn("passed over: %s is not a plain file", printable(at))
			continue
		}
		if err != nil {
			out.warn("passed over: %s", printable(err.Error()))
			continue
		}
		s.within = true
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

// hashOf returns the info-hash of a source.
func hashOf(src source) string {
	if src.meta != nil {
		return src.meta.InfoHash.String()
	}
	return src.link.V1.String()
}
