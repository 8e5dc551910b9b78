package storage

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// mostStops bounds the folders below the torrents' folders that we keep open for the next use. It
// is enough for two files at a time at the depth of most torrents, and small beside the handles
// that a process has (engine.shares reserves some for short uses). Folders that all cores use at
// once can exceed it; those are closed after use.
const mostStops = 12

// holdsFolders reports whether an open folder is harmless: Windows can't rename or remove a folder
// that is open.
const holdsFolders = runtime.GOOS != "windows" && runtime.GOOS != "plan9" && runtime.GOOS != "js"

// An openPath keeps open the folders on the way to the file used last. An os.Root opens each of
// them for each call, and the next file mostly lies in the same folder. An openPath is as strict as
// the walk of an os.Root, and stricter with links. Before each use it looks up every folder by its
// name in the one above, without following a link, and requires that it is still the open one. An
// openPath has one user at a time (decision 0167).
type openPath struct {
	root  *os.Root
	stops []stop // from the top
	dir   string // folder that it led to last
	gone  bool   // the root is closed; guarded by openPaths.mu
	all   *openPaths
}

// A stop is one open folder of an openPath.
type stop struct {
	name   string // in the folder above
	folder *os.Root
	info   fs.FileInfo
}

// openPaths are all of them. A process has one table of handles, so it has one openPaths.
type openPaths struct {
	mu      sync.Mutex
	idle    []*openPath // ordered by last use, the latest at the end
	used    []*openPath // in use now
	held    int         // number of open folders in idle
	entered int         // number of folders opened so far, for tests
}

var paths openPaths

// errStray means that an openPath can't lead to a folder: the walk of the os.Root then finds out
// why.
var errStray = errors.New("no plain folder")

// take returns a path in a root for one caller: the one that led to dir last, else the one used
// last.
func (t *openPaths) take(root *os.Root, dir string) *openPath {
	t.mu.Lock()
	defer t.mu.Unlock()
	best := -1
	for i, r := range slices.Backward(t.idle) {
		if r.root == root && (best < 0 || r.dir == dir) {
			best = i
			if r.dir == dir {
				break
			}
		}
	}
	r := &openPath{root: root, all: t}
	if best >= 0 {
		r = t.idle[best]
		t.idle = slices.Delete(t.idle, best, best+1)
		t.held -= len(r.stops)
	}
	r.dir = dir
	t.used = append(t.used, r)
	return r
}

// put returns a path to the idle ones, and closes those above the bound.
func (t *openPaths) put(r *openPath) {
	t.mu.Lock()
	t.used = slices.DeleteFunc(t.used, func(u *openPath) bool { return u == r })
	var over []*openPath
	switch {
	case r.gone:
		over = append(over, r)
	case len(r.stops) > 0:
		t.idle = append(t.idle, r)
		t.held += len(r.stops)
	}
	for t.held > mostStops {
		over = append(over, t.idle[0])
		t.held -= len(t.idle[0].stops)
		t.idle = slices.Delete(t.idle, 0, 1)
	}
	t.mu.Unlock()
	for _, r := range over {
		r.cut(0)
	}
}

// leave closes the idle paths in a root that is being closed; nil closes all idle paths.
func (t *openPaths) leave(root *os.Root) {
	var over []*openPath
	t.mu.Lock()
	t.idle = slices.DeleteFunc(t.idle, func(r *openPath) bool {
		if root != nil && r.root != root {
			return false
		}
		over = append(over, r)
		t.held -= len(r.stops)
		return true
	})
	for _, r := range t.used {
		r.gone = r.gone || r.root == root
	}
	t.mu.Unlock()
	for _, r := range over {
		r.cut(0)
	}
}

// cut closes the folders of an openPath from index from on.
func (r *openPath) cut(from int) {
	for _, s := range r.stops[from:] {
		s.folder.Close()
	}
	clear(r.stops[from:])
	r.stops = r.stops[:from]
}

// lead returns the open folder that dir leads to right now.
func (r *openPath) lead(dir string) (*os.Root, error) {
	at, n := r.root, 0
	for name := range strings.SplitSeq(dir, "/") {
		seen, err := at.Lstat(name)
		if err != nil || !seen.IsDir() || name == ".." {
			r.cut(min(n, len(r.stops)))
			return nil, errStray
		}
		if n < len(r.stops) && (r.stops[n].name != name || !os.SameFile(r.stops[n].info, seen)) {
			r.cut(n)
		}
		if n == len(r.stops) {
			if err := r.enter(at, name, seen); err != nil {
				return nil, err
			}
		}
		at = r.stops[n].folder
		n++
	}
	return at, nil
}

// enter opens the next folder, which the caller has just looked up.
func (r *openPath) enter(at *os.Root, name string, seen fs.FileInfo) error {
	folder, err := at.OpenRoot(name)
	if err != nil {
		return err
	}
	opened, err := folder.Lstat(".")
	if err == nil && !os.SameFile(seen, opened) {
		err = errStray
	}
	if err != nil {
		folder.Close()
		return err
	}
	r.stops = append(r.stops, stop{name, folder, opened})
	r.all.mu.Lock()
	r.all.entered++
	r.all.mu.Unlock()
	return nil
}

// near calls do with the folder that contains a name, and the rest of the name. It uses an openPath
// if one leads there, else the root, which walks. Errors carry the full name.
func near[T any](root PatientRoot, name string, do func(in PatientRoot, name string) (T, error)) (T, error) {
	dir, base := path.Split(name)
	if dir == "" || !holdsFolders || !ValidPath(name) || strings.Count(dir, "/") > mostStops {
		return do(root, name)
	}
	r := paths.take(root.Root, dir)
	defer paths.put(r)
	in, err := r.lead(dir[:len(dir)-1])
	if err != nil {
		r.cut(0) // perhaps no handle is left
		return do(root, name)
	}
	v, err := do(PatientRoot{in}, base)
	if pe, ok := err.(*fs.PathError); ok && pe.Path == base {
		pe.Path = name
	}
	return v, err
}
