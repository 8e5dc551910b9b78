// Package erase removes the files of a torrent that nobody runs. What is in the place of one of
// its files may be anybody's, so it removes only what it can tell to be the torrent's, and says
// of all the rest that it stays, and why:
//
//	a plain file, reached through folders only, in the folder of the torrent or in that for its
//	incomplete files, not longer than the torrent has it, that no other torrent has, and
//	    as the journal noted it, with a claimed piece in it or nothing but zeros; or
//	    with a piece in it that matches its hash, and zeros besides
//
// All of that is decided before anything is removed, since a piece may lie in two files. Then
// go the files, the part file, and the folders that are empty. The journal goes last, with the
// caller: a stop half-way leaves it, and what it vouches for is removed the next time
// (decision 0180).
package erase

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"shoal/internal/files/journals"
	"shoal/internal/files/resume"
	"shoal/internal/files/storage"
	"shoal/metainfo"
)

// Spec says whose files are removed, and where they may be.
type Spec struct {
	Meta *metainfo.Torrent
	Dir  string // the torrent's folder
	// IncompleteDir may hold the files until all are complete; empty for none. A journal that
	// knows another one counts besides.
	IncompleteDir string
	Suffix        string       // of incomplete files; empty for none
	Names         resume.Names // paths of renamed files, for when no journal knows them
	StateDir      string       // holds the journals; empty for none
	Others        []Other      // torrents whose files must stay

	open func(dir string) (storage.FS, error) // nil but in tests
}

// Other is another torrent, and where it has its files.
type Other struct {
	Name  string
	Dir   string
	Paths []string // slash-separated, below Dir
}

// Result is what became of a torrent's files.
type Result struct {
	Removed []string // absolute paths of files
	Freed   int64    // bytes that they held
	Left    []Left
}

// Left is a file that stays.
type Left struct {
	Path string // absolute
	Why  string
	Err  error // of the system; nil where it stays by choice
}

// ErrNoFolder is returned where the folder of the torrent is not there. It is fs.ErrNotExist.
var ErrNoFolder = fmt.Errorf("%w: the folder is not there", fs.ErrNotExist)

// Remove removes the files of a torrent. The error says why nothing could be looked at, or that
// ctx ended; what is removed by then is in the Result.
func Remove(ctx context.Context, s Spec) (Result, error) {
	var res Result
	e := &eraser{Spec: s, info: s.Meta.Info, res: &res}
	if err := e.remove(ctx); err != nil {
		return res, fmt.Errorf("remove the files of %s: %w", s.Meta.Info.Name, err)
	}
	return res, nil
}

type eraser struct {
	Spec
	info *metainfo.Info
	res  *Result
}

// remove looks at each folder that may have files, and removes them there.
func (e *eraser) remove(ctx context.Context) error {
	dirs, suffixes, err := e.folders()
	if err != nil {
		return err
	}
	var all []*place
	for _, dir := range dirs {
		p, err := e.look(ctx, dir, suffixes)
		if errors.Is(err, ErrNoFolder) && dir != dirs[0] {
			e.res.Left = append(e.res.Left, Left{Path: dir, Why: "the folder for incomplete files is not there: is a volume not mounted?"})
			continue
		}
		if err != nil {
			return err
		}
		defer p.folder.Close()
		all = append(all, p)
	}
	for _, p := range all {
		if err := p.removeOwn(ctx, e.res); err != nil {
			return err
		}
	}
	return nil
}

// folders returns the folders that may have files of the torrent, its own first, and the suffixes
// that these may have.
func (e *eraser) folders() (dirs, suffixes []string, err error) {
	home, err := filepath.Abs(e.Dir)
	if err != nil {
		return nil, nil, err
	}
	dirs, suffixes = []string{home}, []string{""}
	add := func(dir, suffix string) error {
		if suffix != "" && !slices.Contains(suffixes, suffix) {
			suffixes = append(suffixes, suffix)
		}
		if dir == "" {
			return nil
		}
		abs, err := filepath.Abs(dir)
		if err == nil && !slices.Contains(dirs, abs) {
			dirs = append(dirs, abs)
		}
		return err
	}
	if err := add(e.IncompleteDir, e.Suffix); err != nil {
		return nil, nil, err
	}
	if state := e.state(home); state != nil {
		defer state.Close()
		if a, err := resume.ReadAside(state, e.Meta.InfoHash); err == nil {
			for _, s := range a.Suffixes() {
				if err := add(a.Dir, s); err != nil {
					return nil, nil, err
				}
			}
			if err := add(a.Dir, ""); err != nil {
				return nil, nil, err
			}
		}
	}
	return dirs, suffixes, nil
}

// state opens the folder of journals of a folder; nil when there is none.
func (e *eraser) state(dir string) resume.FS {
	if e.StateDir == "" {
		return nil
	}
	at := journals.Dir(e.StateDir, dir)
	if _, err := os.Stat(at); err != nil {
		return nil
	}
	f, err := resume.OpenFolder(at)
	if err != nil {
		return nil
	}
	return f
}

// place is one folder, with what lies there of the torrent.
type place struct {
	e      *eraser
	abs    string
	folder storage.FS
	mover  storage.Mover
	files  []candidate
	names  []string // of all of the torrent's files, there or not: whose folders are its own
}

// candidate is a name that may be one of the torrent's files.
type candidate struct {
	file int // its number; that of the part file is the number of files
	name string
	size int64
	left *Left // why it stays; nil: it is the torrent's
}

// look finds out what of the torrent is in a folder, and what of it may go.
func (e *eraser) look(ctx context.Context, dir string, suffixes []string) (*place, error) {
	open := storage.OpenFolder
	if e.open != nil {
		open = e.open
	}
	folder, err := open(dir)
	if errors.Is(err, fs.ErrNotExist) || storage.KindOf(err) == storage.Missing {
		return nil, fmt.Errorf("%s: %w (is a volume not mounted?)", dir, ErrNoFolder)
	}
	if err != nil {
		return nil, err
	}
	p := &place{e: e, abs: dir, folder: folder}
	p.mover, _ = folder.(storage.Mover)
	if p.mover == nil {
		folder.Close()
		return nil, errors.ErrUnsupported
	}
	if err := p.find(ctx, suffixes); err != nil {
		folder.Close()
		return nil, err
	}
	return p, nil
}

// find fills in the candidates.
func (p *place) find(ctx context.Context, suffixes []string) error {
	e := p.e
	lay := resume.LayoutOf(e.Meta.InfoHash, e.info)
	for i, name := range e.Names {
		if i < len(e.info.Files) {
			lay.Files[i].Path = name
		}
	}
	j := &evidence{info: e.info, dir: p.abs, folder: p.folder}
	var before resume.Names // a stop came while these were renamed
	if state := e.state(p.abs); state != nil {
		defer state.Close()
		release, err := resume.Lock(state, e.Meta.InfoHash)
		if err != nil {
			return err
		}
		defer release()
		journal, lo, err := resume.Open(state, lay, resume.Config{Dir: p.abs, Boot: resume.ThisBoot()})
		if err == nil && lo.Found && lo.Damaged == "" {
			j.loaded = lo
			for i, name := range lo.Names {
				lay.Files[i].Path = name
			}
			before = journal.Pending()
		}
	}
	j.lay = lay
	shared := p.sharedNames()
	for i := range lay.Files {
		if lay.Files[i].Pad {
			continue
		}
		names := []string{lay.Files[i].Path}
		p.names = append(p.names, names[0])
		if i < len(e.info.Files) {
			p.names = append(p.names, path.Join(e.info.Files[i].Path...))
		}
		if was, ok := before[i]; ok && was != names[0] {
			names = append(names, was)
		}
		for _, suffix := range suffixes {
			if suffix != "" && i >= len(e.info.Files) {
				continue // the part file has none
			}
			for _, name := range names {
				if c, there := p.candidate(i, name+suffix, lay.Files[i].Length, shared); there {
					p.files = append(p.files, c)
				}
			}
		}
	}
	return j.judge(ctx, p.files)
}

// candidate looks at what has the name of a file; there is false when nothing has.
func (p *place) candidate(file int, name string, length int64, shared map[string]string) (c candidate, there bool) {
	c = candidate{file: file, name: name}
	info, why, err := p.plain(name)
	switch {
	case err != nil:
		c.left = &Left{Why: "it can't be looked at", Err: err}
	case why != "":
		c.left = &Left{Why: why}
	case info == nil:
		return c, false
	case shared[metainfo.PathKey(name)] != "":
		c.left = &Left{Why: "the torrent " + shared[metainfo.PathKey(name)] + " has it, too"}
	case file < len(p.e.info.Files) && info.Size() > length:
		c.left = &Left{Why: fmt.Sprintf("it is %d bytes longer than the torrent has it", info.Size()-length)}
	default:
		c.size = info.Size()
	}
	return c, true
}

// plain looks a name up without following a link. why says what is in its place that is not a
// plain file; there is nil when nothing is.
func (p *place) plain(name string) (there fs.FileInfo, why string, err error) {
	for at, rest := "", name; ; {
		first, behind, more := cut(rest)
		at, rest = path.Join(at, first), behind
		info, err := p.folder.Lstat(at)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, "", nil
		case err != nil:
			return nil, "", err
		case info.Mode()&fs.ModeSymlink != 0 && more:
			return nil, "it lies behind a symbolic link: " + at, nil
		case info.Mode()&fs.ModeSymlink != 0:
			return nil, "it is a symbolic link", nil
		case more && !info.IsDir():
			return nil, "", nil
		case more:
			continue
		case info.IsDir():
			return nil, "it is a folder", nil
		case !info.Mode().IsRegular():
			return nil, "it is not a plain file", nil
		}
		return info, "", nil
	}
}

func cut(name string) (first, rest string, more bool) {
	for i := range len(name) {
		if name[i] == '/' {
			return name[:i], name[i+1:], true
		}
	}
	return name, "", false
}

// sharedNames returns the paths in the folder that other torrents have, folded, and whose they are.
func (p *place) sharedNames() map[string]string {
	out := map[string]string{}
	here := real(p.abs)
	for _, o := range p.e.Others {
		there := real(o.Dir)
		for _, name := range o.Paths {
			rel, err := filepath.Rel(here, filepath.Join(there, filepath.FromSlash(name)))
			if err == nil && filepath.IsLocal(rel) {
				out[metainfo.PathKey(filepath.ToSlash(rel))] = o.Name
			}
		}
	}
	return out
}

// real returns a path without links, as far as that is known.
func real(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	if to, err := filepath.EvalSymlinks(dir); err == nil {
		return to
	}
	return dir
}

// removeOwn removes what was found to be the torrent's, and then the folders that are empty.
func (p *place) removeOwn(ctx context.Context, res *Result) error {
	var names []string
	for _, c := range p.files {
		if err := ctx.Err(); err != nil {
			return err
		}
		abs := filepath.Join(p.abs, filepath.FromSlash(c.name))
		if c.left != nil {
			c.left.Path = abs
			res.Left = append(res.Left, *c.left)
			continue
		}
		names = append(names, c.name)
		err := p.mover.Remove(c.name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			res.Left = append(res.Left, Left{Path: abs, Why: "it can't be removed", Err: err})
		default:
			res.Removed, res.Freed = append(res.Removed, abs), res.Freed+c.size
		}
	}
	return p.removeFolders(append(names, p.names...))
}

// removeFolders removes the folders of these files that are empty, deepest first, and makes
// what is gone durable: else files could be back after a loss of power, when nobody knows of
// them any more.
func (p *place) removeFolders(names []string) error {
	var dirs []string
	for _, name := range names {
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			dirs = append(dirs, dir)
		}
	}
	slices.SortFunc(dirs, func(a, b string) int {
		return cmp.Or(cmp.Compare(strings.Count(b, "/"), strings.Count(a, "/")), cmp.Compare(a, b))
	})
	for _, dir := range append(slices.Compact(dirs), ".") {
		if dir != "." && !p.isFolder(dir) {
			continue
		}
		if dir != "." && p.mover.Remove(dir) == nil {
			continue // its parent is synced later
		}
		if err := p.folder.SyncDir(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return storage.Fail("sync", filepath.Join(p.abs, filepath.FromSlash(dir)), err)
		}
	}
	return nil
}

// isFolder reports whether a name is a folder that no link leads to.
func (p *place) isFolder(name string) bool {
	for at := name; at != "."; at = path.Dir(at) {
		if info, err := p.folder.Lstat(at); err != nil || !info.IsDir() {
			return false
		}
	}
	return true
}
