package shoal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	pathpkg "path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"unicode/utf8"

	"shoal/internal/files/storage"
	"shoal/internal/value/printable"
	"shoal/metainfo"
)

// ProblemsError is returned by Create when files or folders can't be in a torrent as they are. It
// lists all of them, so that one call is enough to know what to do.
type ProblemsError struct {
	Problems []string // each names a file or folder and says what to do; printable
	More     int      // number of problems beyond the first MaxProblems
}

// MaxProblems is the most problems in the list of a ProblemsError.
const MaxProblems = 1000

func (e *ProblemsError) Error() string {
	if len(e.Problems) == 1 {
		return e.Problems[0]
	}
	return fmt.Sprintf("%d files or folders can't be in a torrent as they are; the first: %s", len(e.Problems)+e.More, e.Problems[0])
}

// maxVisited bounds what is looked at in a folder. Links to folders can make a few files
// look like any number of them.
const maxVisited = 4 * metainfo.MaxFiles

// finder lists the files of a folder for a torrent.
type finder struct {
	ctx  context.Context
	opt  *CreateOptions
	root string // absolute, with the link that the user may have named
	out  fs.FileInfo

	files   []metainfo.NewFile
	at      []string // path of each file in the operating system
	times   []int64  // time of change of each file as it was found, in nanoseconds since 1970
	visited int

	problems ProblemsError
	excluded left
	junk     left // files that a system makes for itself
	own      left // files that shoal makes beside others
	output   left // the torrent that is being written
	links    left
	dangling left
	loops    left
	special  left
	empty    left // folders
	partial  left // in the torrent, but perhaps not complete
}

// left is a list of paths of which only the first few are kept.
type left struct {
	count int
	first []string
}

const shownLeft = 3

func (l *left) add(rel string) {
	if l.count++; l.count <= shownLeft {
		l.first = append(l.first, printable.Of(rel))
	}
}

// String names the paths as far as a line holds them.
func (l *left) String() string {
	s := strings.Join(l.first, ", ")
	if more := l.count - len(l.first); more > 0 {
		s += fmt.Sprintf(" and %d more", more)
	}
	return s
}

// find lists the files at path. For a single file the list has one entry without a path.
func find(ctx context.Context, path string, opt *CreateOptions) (*finder, error) {
	f := &finder{ctx: ctx, opt: opt, root: path}
	st, err := os.Stat(path)
	if err != nil {
		return nil, linkTrouble(path, err)
	}
	if !st.IsDir() {
		if !st.Mode().IsRegular() {
			return nil, errors.New("not a plain file or a folder")
		}
		if err := readable(path, st); err != nil {
			return nil, err
		}
		f.add(nil, path, st)
		return f, nil
	}
	if opt.Output != "" {
		f.out, _ = os.Stat(opt.Output) // one that is not there yet is in no list
	}
	if err := f.folder(path, nil, []fs.FileInfo{st}); err != nil {
		return nil, err
	}
	if len(f.problems.Problems) > 0 {
		return nil, &f.problems
	}
	if len(f.files) > 0 {
		return f, nil
	}
	if w := f.warnings(); len(w) > 0 {
		return nil, fmt.Errorf("no file is left in it: %s", strings.Join(w, "; "))
	}
	return nil, errors.New("there is no file in it")
}

// linkTrouble says what is wrong with a path that the user named, when it is a link.
func linkTrouble(path string, err error) error {
	to, lerr := os.Readlink(path)
	switch {
	case lerr != nil:
		return err
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("it is a symbolic link to %s, which is not there", printable.Of(to))
	case errors.Is(err, syscall.ELOOP):
		return fmt.Errorf("it is a symbolic link to %s, which leads back to it", printable.Of(to))
	}
	return err
}

// problem notes what the torrent can't have.
func (f *finder) problem(rel, format string, a ...any) {
	if len(f.problems.Problems) == MaxProblems {
		f.problems.More++
		return
	}
	f.problems.Problems = append(f.problems.Problems, printable.Of(rel)+": "+fmt.Sprintf(format, a...))
}

// unreadable notes a file or folder that can't be read.
func (f *finder) unreadable(rel string, err error) {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		err = pe.Err // the path stands before it
	}
	hint := "leave it out with --exclude"
	if errors.Is(err, fs.ErrPermission) {
		hint = "allow this user to read it, or " + hint
	}
	f.problem(cmp.Or(rel, "the folder"), "%v: %s", err, hint)
}

// folder lists what is in a folder. above are the folders that it lies in, and itself. The
// error ends everything; what is wrong with a file or folder is noted.
func (f *finder) folder(at string, rel []string, above []fs.FileInfo) error {
	if err := f.ctx.Err(); err != nil {
		return err
	}
	here := strings.Join(rel, "/")
	if len(rel) >= metainfo.MaxPathDepth {
		f.problem(here, "more than %d folders deep: bring it further up, or leave it out with --exclude", metainfo.MaxPathDepth)
		return nil
	}
	entries, err := os.ReadDir(at)
	if err != nil {
		f.unreadable(here, err)
		return nil
	}
	if len(entries) == 0 && len(rel) > 0 {
		f.empty.add(here + "/")
	}
	for _, d := range entries {
		if f.visited++; f.visited > maxVisited {
			return fmt.Errorf("more than %d files and folders", maxVisited)
		}
		if err := f.entry(at, append(slices.Clip(rel), d.Name()), d, above); err != nil {
			return err
		}
	}
	return nil
}

// entry takes what one name in a folder stands for.
func (f *finder) entry(dir string, rel []string, d fs.DirEntry, above []fs.FileInfo) error {
	at, path := filepath.Join(dir, d.Name()), strings.Join(rel, "/")
	if f.without(path, d) {
		return nil
	}
	if !f.opt.RawNames && !utf8.ValidString(d.Name()) {
		f.problem(path, "the name is not UTF-8, as names in torrents must be: rename it, leave it out with --exclude, or keep its bytes as they are with --raw-names")
		return nil
	}
	info, err := d.Info()
	linked := err == nil && info.Mode()&fs.ModeSymlink != 0
	if linked {
		if !f.opt.FollowLinks {
			f.links.add(path)
			return nil
		}
		info, err = os.Stat(at)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			f.dangling.add(path)
			return nil
		case errors.Is(err, syscall.ELOOP):
			f.loops.add(path)
			return nil
		}
	}
	switch {
	case err != nil:
		f.unreadable(path, err)
	case info.IsDir():
		if linked && slices.ContainsFunc(above, func(up fs.FileInfo) bool { return os.SameFile(up, info) }) {
			f.loops.add(path)
			return nil
		}
		return f.folder(at, rel, append(slices.Clip(above), info))
	case f.out != nil && os.SameFile(f.out, info):
		f.output.add(path)
	case !info.Mode().IsRegular():
		f.special.add(path)
	default:
		if err := readable(at, info); err != nil {
			f.unreadable(path, err)
			return nil
		}
		if incomplete(d.Name()) {
			f.partial.add(path)
		}
		f.add(rel, at, info)
	}
	return nil
}

// add adds a file to the list, which the order of the walk sorts as a draft does: by the elements of
// the paths, as bytes.
func (f *finder) add(rel []string, at string, info fs.FileInfo) {
	f.files = append(f.files, metainfo.NewFile{Path: rel, Length: info.Size()})
	f.at = append(f.at, at)
	f.times = append(f.times, info.ModTime().UnixNano())
}

// without reports whether a file or folder is left out by its name.
func (f *finder) without(path string, d fs.DirEntry) bool {
	switch name := d.Name(); {
	case excluded(f.opt.Exclude, path):
		f.excluded.add(path)
	case ownFile(name) && !d.IsDir():
		f.own.add(path)
	case !f.opt.IncludeJunk && isJunk(name):
		f.junk.add(path)
	default:
		return false
	}
	return true
}

// warnings says what is left out and why, a line for each reason.
func (f *finder) warnings() (all []string) {
	add := func(l *left, format string) {
		if l.count > 0 {
			all = append(all, fmt.Sprintf(format, l.String()))
		}
	}
	if n := f.excluded.count; n > 0 {
		all = append(all, fmt.Sprintf("left out as asked: %d", n))
	}
	add(&f.junk, "left out, since a system makes them for itself: %s (--include-junk keeps them)")
	add(&f.own, "left out, since shoal makes them for itself while it downloads: %s")
	add(&f.output, "left out, since the torrent is written to it: %s")
	add(&f.links, "symbolic links are left out: %s (--follow-links takes what they lead to)")
	add(&f.dangling, "symbolic links that lead to nothing are left out: %s")
	add(&f.loops, "symbolic links that lead back to a folder they lie in are left out: %s")
	add(&f.special, "left out, since they are not plain files: %s")
	add(&f.empty, "empty folders are not in a torrent: %s")
	add(&f.partial, "perhaps not complete, by the name: %s (--exclude leaves them out)")
	return all
}

// excluded reports whether one of the patterns fits a path, or its last element.
func excluded(patterns []string, rel string) bool {
	for _, p := range patterns {
		for _, s := range [2]string{rel, pathpkg.Base(rel)} {
			if ok, _ := pathpkg.Match(strings.TrimSuffix(p, "/"), s); ok {
				return true
			}
		}
	}
	return false
}

// readable reports, by an error, that a plain file can't be read: before the others are hashed,
// which can take hours. What everybody may read needs no call for that, except on Windows, where
// another program can keep it to itself.
func readable(path string, info fs.FileInfo) error {
	if runtime.GOOS != "windows" && info.Mode()&0o444 == 0o444 {
		return nil
	}
	return storage.Readable(path)
}
