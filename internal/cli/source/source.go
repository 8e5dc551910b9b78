package source

import (
	"bytes"
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
	"shoal/internal/cli/cmdline"
	"shoal/internal/cli/ui"
	"shoal/magnet"
	"shoal/metainfo"
)

// A Source is a torrent named on the command line, read and understood.
type Source struct {
	Path string // as it was named
	Raw  []byte
	Meta *metainfo.Torrent
	Link *magnet.Link // nil, or all that is known: then there is no raw and no meta

	within bool // the user named a folder that it is in
}

// Name is the torrent's name, safe to show.
func (s Source) Name() string {
	switch {
	case s.Meta != nil:
		return ui.Printable(s.Meta.Info.Name)
	case s.Link.Name != "":
		return ui.Printable(s.Link.Name)
	}
	return s.Link.V1.String()
}

// FileName returns the name of the .torrent file, as it was called where it came from; empty
// where there is none.
func (s Source) FileName() string {
	switch cmdline.KindOf(s.Path) {
	case cmdline.KindFile:
		return filepath.Base(s.Path)
	case cmdline.KindFileURL:
		if p, ok := cmdline.FilePath(s.Path); ok {
			return filepath.Base(p)
		}
	case cmdline.KindURL:
		if u, err := url.Parse(strings.Trim(s.Path, cmdline.Quotes)); err == nil {
			return path.Base(u.Path)
		}
	}
	return ""
}

// ReadFile reads the .torrent file that was named.
func ReadFile(name string) (Source, error) {
	if err := onlyFiles(name); err != nil {
		return Source{}, err
	}
	if path, ok := cmdline.FilePath(name); ok && cmdline.KindOf(name) == cmdline.KindFileURL {
		name = path
	}
	src, err := readFile(name)
	if err == nil && src.Link != nil {
		return Source{}, ui.UsageError(toTorrent, "%s holds a magnet link, which this command does not take; it takes .torrent files", ui.Printable(name))
	}
	return src, err
}

// Parse reads the content of a .torrent file.
func Parse(name string, raw []byte) (Source, error) {
	m, err := metainfo.Parse(raw)
	if err != nil {
		return Source{}, ui.SourceError(refusedHint(err), "read %s: %w", ui.Printable(name), err)
	}
	return Source{Path: name, Raw: raw, Meta: m}, nil
}

// refusedHint says what to do about a torrent that is refused.
func refusedHint(err error) string {
	switch {
	case errors.Is(err, bencode.ErrSyntax):
		return "this is not a .torrent file, or a damaged one; get it again from where it came from"
	case errors.Is(err, metainfo.ErrV2Only):
		return "ask for a v1 or a hybrid torrent of the same files"
	}
	return "the torrent itself is at fault; ask the person who made it for another one"
}

// readFile reads what was named: a .torrent file, or a text with a magnet link.
func readFile(name string) (Source, error) {
	const hint = "name the path of a .torrent file; relative names start at the current folder"
	f, err := os.Open(name)
	if err != nil {
		if meant := strings.Trim(name, cmdline.Quotes); meant != name && errors.Is(err, fs.ErrNotExist) {
			if _, err := os.Lstat(meant); err == nil { // pasted with what stood around it
				return readFile(meant)
			}
		}
		if at := webAddress(name); at != "" && errors.Is(err, fs.ErrNotExist) {
			return Source{}, ui.SourceError("if it is on the web, write its whole address: "+at, "%w", err)
		}
		return Source{}, ui.SourceError(hint, "%w", err)
	}
	return readOpen(name, f, hint)
}

// ReadPlain is readFile of a file that lay in a folder. A pipe there would have us wait for
// its other end, and a device never ends.
func ReadPlain(name string) (Source, error) {
	const hint = "put a plain file there"
	f, err := shoal.OpenPlain(name)
	if err != nil {
		return Source{}, ui.SourceError(hint, "%w", err)
	}
	src, err := readOpen(name, f, hint)
	if err == nil && src.Link != nil {
		return Source{}, ui.UsageError("name the file .magnet", "%s holds a magnet link", ui.Printable(name))
	}
	return src, err
}

// readOpen reads and closes a file.
func readOpen(name string, f *os.File, hint string) (Source, error) {
	defer f.Close()
	if st, err := f.Stat(); err == nil && st.IsDir() {
		return Source{}, ui.SourceError("name a .torrent file in it; seed and run take a folder of them",
			"read %s: is a folder", ui.Printable(name))
	}
	raw, err := readBounded(f)
	if err != nil {
		return Source{}, ui.SourceError(hint, "read %s: %w", ui.Printable(name), err)
	}
	return fromBytes(name, raw)
}

// webAddress returns the URL that was probably meant by the name of a file that is not there:
// people leave out what stands before the host. It is empty where the name is not like one.
func webAddress(name string) string {
	host, path, ok := strings.Cut(strings.Trim(name, cmdline.Quotes), "/")
	if !ok || path == "" || !cmdline.IsHostName(host) || strings.HasPrefix(host, ".") {
		return ""
	}
	if last := host[strings.LastIndexByte(host, '.')+1:]; len(last) == len(host) || len(last) < 2 || strings.Trim(strings.ToLower(last), "abcdefghijklmnopqrstuvwxyz") != "" {
		return ""
	}
	return ui.Printable("https://" + host + "/" + path)
}

// readBounded reads no more than a torrent file may have.
func readBounded(r io.Reader) ([]byte, error) {
	var b bytes.Buffer
	if f, ok := r.(*os.File); ok {
		if st, err := f.Stat(); err == nil && st.Mode().IsRegular() { // what grows is copied again and again
			b.Grow(int(min(st.Size(), metainfo.MaxSize)) + bytes.MinRead)
		}
	}
	_, err := b.ReadFrom(io.LimitReader(r, metainfo.MaxSize+1))
	raw := b.Bytes()
	if err == nil && len(raw) > metainfo.MaxSize {
		err = fmt.Errorf("over %s, which no torrent file is", ui.Size(metainfo.MaxSize))
	}
	return raw, err
}

// fromBytes takes what a file, or standard input, or a data URL holds.
func fromBytes(name string, raw []byte) (Source, error) {
	found, err := shoal.Unwrap(raw)
	if err != nil {
		return Source{}, ui.SourceError(contentHint(err), "read %s: %w", ui.Printable(name), err)
	}
	return fromContent(name, found)
}

func fromContent(name string, found shoal.Content) (Source, error) {
	switch {
	case found.Metainfo != nil:
		raw := found.Metainfo
		if cap(raw)-len(raw) > len(raw)/8 {
			raw = slices.Clone(raw) // no larger than it is: it is kept
		}
		return Parse(name, raw)
	case len(found.Links) > 1:
		return Source{}, ui.UsageError("name them one at a time", "%s holds %s", ui.Printable(name), ui.Count(len(found.Links), "magnet link"))
	}
	return fromLink(name, found.Links[0])
}

// contentHint says what to do about a file that is not a torrent.
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
	k := cmdline.KindOf(name)
	if k == cmdline.KindFile || k == cmdline.KindFileURL {
		return nil
	}
	return ui.UsageError(toTorrent, "%s is %s, which this command does not take; it takes .torrent files", ui.Printable(name), k)
}

// ReadAll reads files and folders of .torrent files. What cannot be used in a
// folder is passed over with a warning; what was named itself must be right.
func ReadAll(out *ui.Output, names []string, read func(name string) (Source, error)) ([]Source, error) {
	var all []Source
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

func readFolder(out *ui.Output, dir string) ([]Source, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, ui.SourceError("check the folder's name and permissions", "%w", err)
	}
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool {
		return e.IsDir() || !strings.EqualFold(filepath.Ext(e.Name()), ".torrent")
	})
	var found []Source
	for _, e := range entries {
		at := filepath.Join(dir, e.Name())
		s, err := ReadPlain(at)
		if errors.Is(err, shoal.ErrNotPlain) {
			out.Warn("passed over: %s is not a plain file", ui.Printable(at))
			continue
		}
		if err != nil {
			out.Warn("passed over: %s", ui.Printable(err.Error()))
			continue
		}
		s.within = true
		found = append(found, s)
	}
	if len(found) == 0 {
		err := errors.New("no .torrent file in it")
		if len(entries) > 0 {
			err = fmt.Errorf("none of its %s can be used", ui.Count(len(entries), ".torrent file"))
		}
		return nil, ui.SourceError("name a folder of .torrent files, or the files", "read folder %s: %w", ui.Printable(dir), err)
	}
	return found, nil
}

// InfoHash returns the info-hash of a source.
func InfoHash(src Source) string {
	if src.Meta != nil {
		return src.Meta.InfoHash.String()
	}
	return src.Link.V1.String()
}
