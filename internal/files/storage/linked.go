package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// Linked is a folder that follows the symbolic links that the user made there, for the files of one
// torrent: links to a file or a folder, inside or outside, over any number of further links. We
// look for links once, when the torrent is first opened (KnownLinks). We open their targets then
// and keep them open, so a link that somebody plants or changes later leads nowhere. Beyond a bound
// (partOfLinks) we open the target's folder for each use, and it must be the same. See decision
// 0131.
//
// Names are those of the torrent, as if there were no links. Renaming and removing act on the link,
// never on the file behind it. What lies in a linked folder belongs to the torrent, and is renamed
// there.
type Linked struct {
	FS   // the folder itself
	pool *Pool
	dir  string // its path

	mu     sync.RWMutex
	known  *KnownLinks
	links  map[string]*trail
	broken map[string]error // links that lead to nothing usable, and why
	opened []FS             // folders behind links; Close closes them
}

// trail is a symbolic link that we follow.
type trail struct {
	fs    FS     // folder behind the link, or the folder of the file behind it
	file  string // name of the file in fs; empty when the link leads to a folder
	to    string // path of the target, without links
	moved bool   // another link leads to the target now: this one can be removed
}

// KnownLinks are the links that existed when a torrent's files were first opened in a folder. They
// are kept until the process ends. The zero value is usable.
type KnownLinks struct {
	mu   sync.Mutex
	dirs map[string]*knownIn // by folder
}

// knownIn are the links in one folder.
type knownIn struct {
	says   map[string]string // target text of each link, by name
	sealed bool              // do not follow links that appear from now on
}

// in returns what we know of a folder. The caller holds k.mu.
func (k *KnownLinks) in(dir string) *knownIn {
	if k.dirs == nil {
		k.dirs = make(map[string]*knownIn)
	}
	if k.dirs[dir] == nil {
		k.dirs[dir] = &knownIn{}
	}
	return k.dirs[dir]
}

// Seal ends the time in which we accept new links in a folder. With sealed false it begins again,
// because the user asked for something there.
func (k *KnownLinks) Seal(dir string, sealed bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.in(dir).sealed = sealed
}

// found records a link, and reports whether we may follow it.
func (k *KnownLinks) found(dir, name, says string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	in := k.in(dir)
	if in.sealed {
		was, ok := in.says[name]
		return ok && was == says
	}
	in.add(name, says)
	return true
}

func (in *knownIn) add(name, says string) {
	if in.says == nil {
		in.says = make(map[string]string)
	}
	in.says[name] = says
}

// made records a link that we made ourselves.
func (k *KnownLinks) made(dir, name, says string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.in(dir).add(name, says)
}

// FollowLinks returns the folder at dir as one that follows the links on the way to these names.
// notes tell people which links can't be followed, and why. Closing the result closes the folder. A
// folder that is not of the operating system is returned unchanged.
func FollowLinks(folder FS, pool *Pool, dir string, names []string, known *KnownLinks) (fsys FS, notes []string) {
	if placeOf(folder) == nil {
		return folder, nil
	}
	l := &Linked{FS: folder, pool: pool, dir: dir, known: known}
	f := &following{Linked: l, folders: map[string]bool{".": true}, names: make(map[string]int), linkless: make(map[string]bool)}
	f.count(names)
	f.listFolders()
	last, none := "", false
	for _, name := range names {
		if dir := dirOf(name); dir != last {
			last, none = dir, f.linkless[dir]
		}
		if !none {
			f.look(name)
		}
	}
	return l, f.notes
}

// dirOf is path.Dir for a clean name.
func dirOf(name string) string {
	if at := strings.LastIndexByte(name, '/'); at >= 0 {
		return name[:at]
	}
	return "."
}

// count counts the names in each folder.
func (f *following) count(names []string) {
	last, n := "", 0
	for _, name := range names {
		if dir := dirOf(name); dir != last {
			f.names[last] += n
			last, n = dir, 0
		}
		n++
	}
	f.names[last] += n
}

// A linkLister lists a folder for symbolic links alone, for less than List costs.
type linkLister interface {
	// linkless reports whether a folder has at most most names, none of them a link, and whether
	// no link is on the way to it. Where it can't tell it returns false.
	linkless(name string, most int) bool
}

// listFolders lists the folders with many of the names, on all cores. There is nothing to follow in
// a folder without links that no link leads to, and on the way to it.
func (f *following) listFolders() {
	fsys := f.FS
	if s, ok := fsys.(*sharedFolder); ok {
		fsys = s.FS
	}
	l, ok := fsys.(linkLister)
	if !ok {
		return
	}
	var dirs []string
	for dir, n := range f.names {
		if n >= worthListing {
			dirs = append(dirs, dir)
		}
	}
	none := make([]bool, len(dirs))
	onCores(len(dirs), leastListed, func(from, to int) {
		for i := from; i < to; i++ {
			none[i] = l.linkless(dirs[i], 4*f.names[dirs[i]])
		}
	})
	for i, dir := range dirs {
		if !none[i] {
			continue
		}
		for f.linkless[dir] = true; !f.folders[dir]; dir = dirOf(dir) {
			f.folders[dir] = true
		}
	}
}

// leastListed is the number of folders from which on a second core is worth its goroutine.
const leastListed = 8

// linkPlace is a folder of the operating system, where symbolic links can lie.
type linkPlace interface {
	Readlink(name string) (string, error)
	Symlink(text, name string) error
}

// placeOf returns the linkPlace of a folder; nil when the folder is not of the operating system.
func placeOf(fsys FS) linkPlace {
	if s, ok := fsys.(*sharedFolder); ok {
		fsys = s.FS
	}
	p, _ := fsys.(linkPlace)
	return p
}

// following is one search for links.
type following struct {
	*Linked
	folders map[string]bool // folders that we looked at, and whether each exists
	names   map[string]int  // number of names in each folder
	// linkless says, for each folder that we listed, whether it contains no links.
	linkless map[string]bool
	real     string // path of the folder without links
	trusted  func(fs.FileInfo) bool
	notes    []string
}

// look follows the links on the way to a name, and at its end.
func (f *following) look(name string) {
	for at := 0; ; at++ {
		next := strings.IndexByte(name[at:], '/')
		if next < 0 {
			break
		}
		at += next
		dir := name[:at]
		there, looked := f.folders[dir]
		if !looked {
			there = f.one(dir)
			f.folders[dir] = there
		}
		if !there {
			return
		}
	}
	if !f.hasNoLinks(dirOf(name)) {
		f.one(name)
	}
}

// worthListing is the number of names in one folder from which listing it is cheaper than looking
// at each name, which walks its path from the top.
const worthListing = 8

// hasNoLinks reports whether we listed a folder and found no link in it. It does not list a folder
// with few names that matter, nor one much larger than the torrent.
func (f *following) hasNoLinks(dir string) bool {
	n := f.names[dir]
	if n < worthListing {
		return false
	}
	if none, listed := f.linkless[dir]; listed {
		return none
	}
	none := false
	fsys, at := f.route(dir)
	if l, ok := fsys.(Lister); ok {
		list, more, err := l.List(at, 4*n)
		none = err == nil && !more && !slices.ContainsFunc(list, func(e fs.DirEntry) bool {
			return e.Type()&fs.ModeSymlink != 0
		})
	}
	f.linkless[dir] = none
	return none
}

// one follows the link at this name, if there is one, and reports whether anything exists there.
// The caller has looked at its parents.
func (f *following) one(name string) bool {
	fsys, at := f.place(name)
	info, err := fsys.Lstat(at)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	if info.Mode()&fs.ModeSymlink == 0 {
		return true
	}
	text, err := placeOf(fsys).Readlink(at)
	if err == nil {
		err = f.follow(name, text, info)
	}
	if err != nil {
		if f.broken == nil {
			f.broken = make(map[string]error)
		}
		f.broken[name] = err
		f.notes = append(f.notes, name+" "+err.Error())
	}
	return err == nil
}

// follow opens the target of a link.
func (f *following) follow(name, text string, info fs.FileInfo) error {
	if !f.known.found(f.dir, name, text) {
		return fmt.Errorf("%w but a symbolic link that appeared after the torrent was opened, so it is not followed: start the torrent again to follow it, or remove the link", ErrUnsafe)
	}
	if f.trusted == nil {
		folder, err := os.Stat(f.dir)
		if err == nil {
			f.real, err = filepath.EvalSymlinks(f.dir)
		}
		if err != nil {
			return err
		}
		f.trusted = ownerTrusted(folder)
	}
	says := "is a symbolic link to " + text
	if !f.trusted(info) {
		return fmt.Errorf("%w: it %s that belongs to another user, so it is not followed: make it yours with chown -h, or replace it with the file", ErrUnsafe, says)
	}
	real, behind, err := resolve(filepath.Dir(f.physical(name)), text, f.trusted)
	switch {
	case errors.Is(err, errDangling):
		return &danglingError{fmt.Sprintf("%s, and %s is not there: mount its volume, or remove the link", says, real)}
	case errors.Is(err, errCircle):
		return fmt.Errorf("%w: it %s, which leads in a circle: remove the link", ErrUnsafe, says)
	case err != nil:
		return fmt.Errorf("%w: it %s, which can't be followed: %w", ErrUnsafe, says, err)
	}
	l := &trail{to: real}
	dir := real
	switch {
	case behind.IsDir():
	case behind.Mode().IsRegular():
		dir, l.file = filepath.Split(real)
	default:
		return fmt.Errorf("%w: it %s, a %s", ErrUnsafe, says, noun(behind.Mode()))
	}
	if l.fs, err = f.pool.linkFolder(dir); err != nil {
		return err
	}
	// Compare what we opened with what we resolved: somebody may have swapped it in between.
	same := "."
	if l.file != "" {
		same = l.file
	}
	now, err := l.fs.Lstat(same)
	if err != nil || !sameInfo(now, behind) {
		l.fs.Close()
		return fmt.Errorf("%w: it %s, and its target was replaced while it was opened: start the torrent again", ErrUnsafe, says)
	}
	f.opened = append(f.opened, l.fs)
	if f.links == nil {
		f.links = make(map[string]*trail)
	}
	f.links[name] = l
	return nil
}

// physical returns the path of a name, with the links in its parent folders resolved.
func (f *following) physical(name string) string {
	if at, l := f.over(path.Dir(name)); l != nil {
		rest := strings.TrimPrefix(strings.TrimPrefix(path.Dir(name), at), "/")
		return filepath.Join(l.to, filepath.FromSlash(rest), path.Base(name))
	}
	return filepath.Join(f.real, filepath.FromSlash(name))
}

// danglingError means that a link leads to nothing: we can't read there or create anything.
type danglingError struct{ text string }

func (e *danglingError) Error() string { return e.text }
func (e *danglingError) Is(target error) bool {
	return target == fs.ErrNotExist
}

// over returns the link that a name lies behind and the link's name: the name itself, or the
// innermost linked folder on its way. It returns nil when there is none.
func (l *Linked) over(name string) (at string, found *trail) {
	if len(l.links) == 0 {
		return "", nil
	}
	for at = name; at != "."; at = path.Dir(at) {
		if found = l.links[at]; found != nil {
			return at, found
		}
	}
	return "", nil
}

// route returns the folder that contains what a name stands for, and the name there. The caller
// holds l.mu.
func (l *Linked) route(name string) (FS, string) {
	at, found := l.over(name)
	switch {
	case found == nil:
		return l.FS, name
	case found.file != "" && at == name:
		return found.fs, found.file
	case at == name:
		return found.fs, "."
	}
	return found.fs, name[len(at)+1:]
}

// place returns the folder that a name lies in and the name there, without following the name
// itself. The caller holds l.mu.
func (l *Linked) place(name string) (FS, string) {
	fsys, dir := l.route(path.Dir(name))
	return fsys, path.Join(dir, path.Base(name))
}

// call calls do with the folder and the name there that a name stands for.
func (l *Linked) call(name string, do func(fsys FS, at string) error) error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if len(l.broken) > 0 {
		for at := name; at != "."; at = path.Dir(at) {
			if err := l.broken[at]; err != nil {
				return err
			}
		}
	}
	err := do(l.route(name))
	if errors.Is(err, ErrUnsafe) {
		return l.explain(name, err)
	}
	return err
}

// explain adds to an unsafe-name error that the name passes a link which appeared later.
func (l *Linked) explain(name string, err error) error {
	for at := name; at != "."; at = path.Dir(at) {
		fsys, rest := l.place(at)
		if info, lerr := fsys.Lstat(rest); lerr == nil && info.Mode()&fs.ModeSymlink != 0 && l.links[at] == nil {
			return fmt.Errorf("%w: %s is a symbolic link that appeared after the torrent was opened; start the torrent again to follow it", err, at)
		}
	}
	return err
}

// Open implements FS.
func (l *Linked) Open(name string, mode Mode) (h Handle, err error) {
	err = l.call(name, func(fsys FS, at string) error {
		h, err = fsys.Open(at, mode)
		return err
	})
	if d, ok := errors.AsType[*danglingError](err); ok && mode != Read {
		err = fmt.Errorf("%w: it %s", ErrUnsafe, d.text) // create nothing at its target
	}
	return h, err
}

// Lstat implements FS: it describes the target of a link that we follow.
func (l *Linked) Lstat(name string) (info fs.FileInfo, err error) {
	err = l.call(name, func(fsys FS, at string) error {
		info, err = fsys.Lstat(at)
		return err
	})
	return info, err
}

// Mkdir implements FS.
func (l *Linked) Mkdir(name string) error {
	return l.call(name, func(fsys FS, at string) error {
		if at == "." {
			return fs.ErrExist
		}
		return fsys.Mkdir(at)
	})
}

// SyncDir implements FS.
func (l *Linked) SyncDir(name string) error {
	return l.call(name, func(fsys FS, at string) error { return fsys.SyncDir(at) })
}

// Close implements FS.
func (l *Linked) Close() error {
	l.mu.Lock()
	opened := l.opened
	l.opened = nil
	l.mu.Unlock()
	for _, fsys := range opened {
		fsys.Close()
	}
	return l.FS.Close()
}

// List implements Lister.
func (l *Linked) List(name string, most int) (list []fs.DirEntry, more bool, err error) {
	err = l.call(name, func(fsys FS, at string) error {
		lister, ok := fsys.(Lister)
		if !ok {
			return errors.ErrUnsupported
		}
		list, more, err = lister.List(at, most)
		return err
	})
	return list, more, err
}

// Follow follows the links on the way to another name, and at its end, by the rules of FollowLinks.
// It treats a link that can't be followed as missing.
func (l *Linked) Follow(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := &following{Linked: l, folders: map[string]bool{".": true}}
	f.look(name)
}
