package shoal

import (
	"context"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"shoal/internal/engine"
	"shoal/internal/files/storage"
	"shoal/metainfo"
)

// Priority says how much a file is wanted. The zero value is PriorityNormal.
type Priority string

// The priorities. Among new pieces, those of files with a higher priority come first.
const (
	PrioritySkip   Priority = "skip" // do not fetch it
	PriorityLow    Priority = "low"
	PriorityNormal Priority = "normal"
	PriorityHigh   Priority = "high"
)

var priorities = []Priority{PrioritySkip, PriorityLow, PriorityNormal, PriorityHigh}

// File is one file of a torrent. Pad files (BEP 47) do not count.
type File struct {
	Path     string // slash-separated, below Torrent.Dir; it begins with the torrent's name, unless it was renamed
	Length   int64  // bytes
	Verified int64  // bytes in verified pieces
	Priority Priority
}

// Files returns the files in the order of the torrent; none while the metadata is missing.
func (t *Torrent) Files() []File {
	info := t.meta().Info
	out := make([]File, 0, len(info.Files))
	for i := range info.Files {
		f := &info.Files[i]
		if f.Pad {
			continue
		}
		file := File{Path: t.t.Path(i), Length: f.Length, Priority: priorities[t.t.Priority(i)]}
		eachPart(info, f, func(piece, n int64) {
			if t.t.Has(uint32(piece)) {
				file.Verified += n
			}
		})
		out = append(out, file)
	}
	return out
}

// FileTotals are the files of a torrent in numbers.
type FileTotals struct {
	Files  int   // number of files
	Wanted int   // of these, the ones without PrioritySkip
	Bytes  int64 // of the wanted files
}

// FileTotals counts the files, for less than Files costs; none while the metadata is missing.
func (t *Torrent) FileTotals() (n FileTotals) {
	files := t.meta().Info.Files
	for i := range files {
		if files[i].Pad {
			continue
		}
		n.Files++
		if priorities[t.t.Priority(i)] != PrioritySkip {
			n.Wanted++
			n.Bytes += files[i].Length
		}
	}
	return n
}

// SetPriority sets the priority of a file, or of all files in a folder, by its path as Files
// returns it. The error is fs.ErrNotExist when the torrent has no such file or folder,
// ErrConfig, or ErrNoMetadata while the metadata is missing.
func (t *Torrent) SetPriority(path string, p Priority) error {
	found := false
	err := t.SetPriorities(func(f File) Priority {
		if f.Path != path && !strings.HasPrefix(f.Path, path+"/") {
			return f.Priority
		}
		found = true
		return p
	})
	if err == nil && !found {
		err = notThere("set the priority of", path, t.paths())
	}
	return err
}

// SetPriorities sets the priority of each file to what choose returns for it. A file that is
// skipped from the start is not created: bytes of it that belong to wanted pieces are kept in a
// part file (PartName) until the file is wanted. The error is ErrConfig, or ErrNoMetadata while the
// metadata is missing: AddOptions.Files needs none.
func (t *Torrent) SetPriorities(choose func(File) Priority) error {
	if err := t.needMetadata("choose files"); err != nil {
		return err
	}
	prio, err := choices(t.Files(), t.meta().Info.Files, choose)
	if err != nil {
		return err
	}
	return t.t.SetPriorities(prio)
}

// Rename changes the path of a file, or of a folder with everything in it, while the torrent runs.
// from is a path as Files returns it, or a folder of such paths, such as the torrent's own; to is
// a path below Dir. No existing file is overwritten, and nothing is hashed or fetched for it.
// Peers are disconnected, and dialled again. A stop or crash at any moment leaves each file under
// one of its names, and the next start finds it. The error is ErrPath when to is not a valid
// path, or that of another file of the torrent, and ErrNoMetadata while the metadata is missing.
func (t *Torrent) Rename(ctx context.Context, from, to string) error {
	if err := t.needMetadata("rename files"); err != nil {
		return err
	}
	paths := map[int]string{}
	for i, p := range t.filePaths() {
		paths[i] = p
	}
	names := engine.Names{}
	if err := addRenames(names, paths, from, to); err != nil {
		return err
	}
	return publicError(t.t.Rename(ctx, names))
}

// addRenames adds to names the files that change when one path becomes another.
func addRenames(names engine.Names, paths map[int]string, from, to string) error {
	found := false
	for i, p := range paths {
		switch below, in := strings.CutPrefix(p, from+"/"); {
		case p == from:
			names[i], found = to, true
		case in:
			names[i], found = to+"/"+below, true
		}
	}
	if !found {
		return notThere("rename", from, maps.Values(paths))
	}
	return nil
}

// pathsOf returns the options about paths as the engine takes them.
func (opt *AddOptions) pathsOf(info *metainfo.Info) (*engine.Paths, error) {
	if len(opt.Rename) == 0 && opt.IncompleteSuffix == "" && opt.IncompleteDir == "" {
		return nil, nil
	}
	if opt.IncompleteSuffix != "" {
		if err := storage.CheckSuffix(opt.IncompleteSuffix); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrConfig, err)
		}
	}
	p := &engine.Paths{Suffix: opt.IncompleteSuffix, IncompleteDir: opt.IncompleteDir}
	paths := map[int]string{}
	for i, f := range info.Files {
		if !f.Pad {
			paths[i] = strings.Join(f.Path, "/")
		}
	}
	for from, to := range opt.Rename {
		names := engine.Names{}
		if err := addRenames(names, paths, from, to); err != nil {
			return nil, err
		}
		for i, name := range names {
			if other, ok := p.Rename[i]; ok && other != name {
				return nil, fmt.Errorf("%w: %s is to be called both %s and %s", ErrConfig, paths[i], name, other)
			}
			if p.Rename == nil {
				p.Rename = engine.Names{}
			}
			p.Rename[i] = name
		}
	}
	return p, nil
}

// Path returns where the torrent is on disk: its file, or the folder that has all of its files; Dir
// while the metadata is missing.
func (t *Torrent) Path() string {
	top := ""
	for p := range t.paths() {
		first, _, _ := strings.Cut(p, "/")
		if top == "" {
			top = first
		}
		if first != top {
			return t.Dir()
		}
	}
	return filepath.Join(t.Dir(), path.Clean(top))
}

// filePaths yields the paths of the files, by index in the torrent, without pad files.
func (t *Torrent) filePaths() iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		for i, f := range t.meta().Info.Files {
			if !f.Pad && !yield(i, t.t.Path(i)) {
				return
			}
		}
	}
}

// paths yields the paths of the files without pad files.
func (t *Torrent) paths() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, p := range t.filePaths() {
			if !yield(p) {
				return
			}
		}
	}
}

// notThere returns the error for a path that no file of the torrent has. When one looks the same,
// the error spells the difference.
func notThere(op, name string, paths iter.Seq[string]) error {
	err := fs.ErrNotExist
	for p := range paths {
		for at := p; at != "."; at = path.Dir(at) {
			if metainfo.LookAlike(name, at) {
				typed, has := metainfo.Distinct(name, at)
				return &fs.PathError{Op: op, Path: name, Err: fmt.Errorf("%w: %s is not %s, which looks the same", err, typed, has)}
			}
		}
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}

// choices asks for the priority of every file, and returns them by index in the torrent.
func choices(files []File, all []metainfo.File, choose func(File) Priority) ([]uint8, error) {
	prio := make([]uint8, len(all))
	k := 0
	for i := range all {
		if all[i].Pad {
			continue
		}
		p := choose(files[k])
		if p == "" {
			p = PriorityNormal
		}
		at := slices.Index(priorities, p)
		if at < 0 {
			return nil, fmt.Errorf("%w: the priority of %[3]s is %[2]q: it is skip, low, normal or high", ErrConfig, p, files[k].Path)
		}
		prio[i] = uint8(at)
		k++
	}
	return prio, nil
}
