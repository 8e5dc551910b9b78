// Package crashfs is a file system in memory that forgets what was not synced, like a machine that
// loses power: the crashing and failing twin of storage.FS and resume.FS. It promises no more than
// POSIX does. The data of a file is durable after a sync of the file, a name after a sync of its
// folder, and a rename is atomic. Everything else can be on the device after a crash, or not,
// sector by sector, name by name, in any order.
//
// It counts its calls. A test stops it at the n-th call, for every n, crashes it, and looks at what
// is left; or it makes the n-th call fail. A write during which the process stops is half done; one
// that fails is half or completely done. A failed sync leaves its data readable, marks the data
// clean, and loses it at the next loss of power, as the page caches of real systems do.
//
// All users share one FS, and it is safe for concurrent use.
package crashfs

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"shoal/internal/files/resume"
	"shoal/internal/files/storage"
)

// ErrStopped is returned by the call at which the process stopped, and by every later one.
var ErrStopped = errors.New("the process has stopped")

// FS is the file system. The zero value is not usable; call New.
type FS struct {
	now func() time.Time

	mu    sync.Mutex
	root  *node
	inode uint64 // of the last node
	epoch int    // number of crashes: handles do not survive one
	calls int
	stop  int              // number of the call at which the process stops; 0 for none
	fail  func(Call) error // nil for none
	locks map[lock]bool    // held by this process
	links bool             // Link works
	odd   bool             // every lookup of a file invents its number

	spaces map[string]storage.Space // results of Space, by folder
}

// Call is one call to the file system.
type Call struct {
	N    int    // counted from 1 after the last crash
	Op   string // open, create, mkdir, lstat, syncdir, rename, link, remove, list, read, write, stat, sync, syncall
	Name string
}

// node is a file or a folder.
type node struct {
	inode  uint64
	folder bool

	// A file: its current content, the content on the device, and the writes in between.
	data     []byte
	modified time.Time
	durable  []byte
	wasTime  time.Time // the time on the device
	dirty    []write   // writes since the last sync, oldest first

	// A folder: its current names, those on the device, and the changes in between.
	names map[string]*node
	kept  map[string]*node
	moves []move
}

// write is one write to a file in the page cache.
type write struct {
	off  int64
	data []byte
}

// move is one change of names: it removes from, and sets to to node. A move to another folder
// changes both folders, and reaches the device for both or neither, as with the journals of real
// file systems.
type move struct {
	from, to string
	node     *node
	other    *node // folder that contains to; nil when it is the one of from
	fate     *fate // shared by the two folders of a move
}

// fate says whether a change of two folders is on the device.
type fate struct{ durable, decided bool }

// New returns an empty file system. now returns the times of files; nil means time.Now.
func New(now func() time.Time) *FS {
	if now == nil {
		now = time.Now
	}
	f := &FS{now: now, locks: map[lock]bool{}}
	f.root = f.node(true)
	return f
}

func (f *FS) node(folder bool) *node {
	f.inode++
	n := &node{inode: f.inode, folder: folder, modified: f.now()}
	n.wasTime = n.modified
	if folder {
		n.names, n.kept = map[string]*node{}, map[string]*node{}
	}
	return n
}

// StopAt makes the process stop at the n-th call from now; 0 for never.
func (f *FS) StopAt(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls, f.stop = 0, n
}

// FailWhen makes a call fail when fail returns an error; nil resets that. fail is called under a
// lock and can keep state.
func (f *FS) FailWhen(fail func(Call) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls, f.fail = 0, fail
}

// Calls returns the number of calls since StopAt, FailWhen or a crash.
func (f *FS) Calls() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls
}

// MakeUpNumbers makes every lookup of a file or folder invent another inode number, as file systems
// in user space do after they forgot the file.
func (f *FS) MakeUpNumbers() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.odd = true
}

// SetSpace sets the free space that Space reports for a folder, as if it were a volume. It does not
// limit writes: use FailWhen. Space fails for other folders.
func (f *FS) SetSpace(folder string, s storage.Space) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.spaces == nil {
		f.spaces = make(map[string]storage.Space)
	}
	f.spaces[folder] = s
}

// Space implements storage.Spacer.
func (d *Folder) Space(name string) (storage.Space, error) {
	d.fs.mu.Lock()
	defer d.fs.mu.Unlock()
	for at := path.Join(d.name, name); at != "."; at = path.Dir(at) {
		if s, ok := d.fs.spaces[at]; ok {
			return s, nil
		}
	}
	return storage.Space{}, nil
}

// Stopped reports whether the process has stopped.
func (f *FS) Stopped() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.stop > 0 && f.calls >= f.stop
}

// call counts a call. The caller holds f.mu.
func (f *FS) call(op, name string, epoch int) error {
	f.calls++
	if f.stop > 0 && f.calls >= f.stop || epoch != f.epoch {
		return &fs.PathError{Op: op, Path: name, Err: ErrStopped}
	}
	if f.fail != nil {
		if err := f.fail(Call{f.calls, op, name}); err != nil {
			return &fs.PathError{Op: op, Path: name, Err: err}
		}
	}
	return nil
}

// Folder returns a folder by its path, and creates it durably if needed. It does not count as a
// call. Like every handle, the result is invalid after a crash.
func (f *FS) Folder(name string) *Folder {
	f.mu.Lock()
	defer f.mu.Unlock()
	at := f.root
	for _, part := range parts(name) {
		next := at.names[part]
		if next == nil {
			next = f.node(true)
			at.names[part], at.kept[part] = next, next
		}
		at = next
	}
	return &Folder{f, at, name, f.epoch}
}

func parts(name string) []string {
	if name = path.Clean(name); name == "." {
		return nil
	}
	return strings.Split(name, "/")
}

// Folder is a folder of the file system: a storage.FS and a resume.FS.
type Folder struct {
	fs    *FS
	node  *node
	name  string
	epoch int
}

// find returns the node of a name below the folder, or nil.
func (d *Folder) find(name string) *node {
	at := d.node
	for _, part := range parts(name) {
		if at == nil || !at.folder {
			return nil
		}
		at = at.names[part]
	}
	return at
}

// parent returns the folder in which to create a name.
func (d *Folder) parent(name string) (*node, error) {
	switch p := d.find(path.Dir(name)); {
	case p == nil:
		return nil, fmt.Errorf("create %s: %w", name, fs.ErrNotExist)
	case !p.folder:
		return nil, fmt.Errorf("create %s: %w: its parent is a file", name, storage.ErrUnsafe)
	default:
		return p, nil
	}
}

func (p *node) move(from, to string, n *node) {
	delete(p.names, from)
	if to != "" {
		p.names[to] = n
	}
	p.moves = append(p.moves, move{from: from, to: to, node: n})
}

// moveNode moves a file to a name in another folder.
func (p *node) moveNode(q *node, from, to string, n *node) {
	f := &fate{}
	delete(p.names, from)
	q.names[to] = n
	p.moves = append(p.moves, move{from: from, node: n, other: q, fate: f})
	q.moves = append(q.moves, move{to: to, node: n, other: p, fate: f})
}

// begin locks, and counts the call; the caller unlocks.
func (d *Folder) begin(op, name string) error {
	d.fs.mu.Lock()
	return d.fs.call(op, path.Join(d.name, name), d.epoch)
}

// Open implements storage.FS.
func (d *Folder) Open(name string, mode storage.Mode) (storage.Handle, error) {
	op := "open"
	if mode == storage.Create {
		op = "create"
	}
	err := d.begin(op, name)
	defer d.fs.mu.Unlock()
	if err != nil {
		return nil, err
	}
	n := d.find(name)
	switch {
	case n != nil && mode == storage.Create:
		return nil, fmt.Errorf("create %s: %w", name, fs.ErrExist)
	case n != nil && n.folder:
		return nil, fmt.Errorf("open %s: %w but a folder", name, storage.ErrUnsafe)
	case n == nil && mode != storage.Create:
		return nil, fmt.Errorf("open %s: %w", name, fs.ErrNotExist)
	case n == nil:
		p, err := d.parent(name)
		if err != nil {
			return nil, err
		}
		n = d.fs.node(false)
		p.move("", path.Base(name), n)
	}
	return &handle{d, n, name}, nil
}

// Mkdir implements storage.FS.
func (d *Folder) Mkdir(name string) error {
	err := d.begin("mkdir", name)
	defer d.fs.mu.Unlock()
	if err != nil {
		return err
	}
	if d.find(name) != nil {
		return fmt.Errorf("create %s: %w", name, fs.ErrExist)
	}
	p, err := d.parent(name)
	if err != nil {
		return err
	}
	p.move("", path.Base(name), d.fs.node(true))
	return nil
}

// Lstat implements storage.FS.
func (d *Folder) Lstat(name string) (fs.FileInfo, error) {
	err := d.begin("lstat", name)
	defer d.fs.mu.Unlock()
	if err != nil {
		return nil, err
	}
	n := d.find(name)
	if n == nil {
		return nil, fmt.Errorf("look up %s: %w", name, fs.ErrNotExist)
	}
	return d.fs.info(n, name), nil
}

// SyncDir implements storage.FS. When it fails, the new names can be durable or not.
func (d *Folder) SyncDir(name string) error {
	err := d.begin("syncdir", name)
	defer d.fs.mu.Unlock()
	if err != nil {
		return err
	}
	n := d.find(name)
	if n == nil || !n.folder {
		return fmt.Errorf("sync %s: %w", name, fs.ErrNotExist)
	}
	n.syncNames()
	return nil
}

// Group implements storage.Grouper.
func (d *Folder) Group() (storage.Group, error) { return group{d}, nil }

// group syncs everything.
type group struct{ d *Folder }

// Sync implements storage.Group. When it fails, all that was not durable is marked clean, and is
// not on the device; new names can be durable or not.
func (g group) Sync() error {
	err := g.d.begin("syncall", ".")
	defer g.d.fs.mu.Unlock()
	if err != nil && g.d.fs.stopped(g.d.epoch) {
		return err
	}
	g.d.fs.root.all(func(n *node) {
		switch {
		case n.folder && err == nil:
			n.syncNames()
		case !n.folder && err == nil:
			n.sync()
		case !n.folder:
			n.dirty = nil
		}
	})
	return err
}

// Holds implements storage.Group: there is one volume.
func (g group) Holds(storage.Look) bool { return true }

// Close implements storage.Group.
func (g group) Close() error { return nil }

// all calls do with a node and those below it, in a fixed order.
func (n *node) all(do func(*node)) {
	do(n)
	for _, name := range slices.Sorted(maps.Keys(n.names)) {
		n.names[name].all(do)
	}
}

// syncNames makes all changes of a folder's names durable, with the other folders that they moved
// files to, and everything before.
func (n *node) syncNames() {
	moves := n.moves
	n.moves = nil
	for _, m := range moves {
		m.apply(n.kept)
		if m.fate != nil && !m.fate.durable {
			m.fate.durable = true
			m.other.syncNames()
		}
	}
}

func (m move) apply(names map[string]*node) {
	delete(names, m.from)
	if m.to != "" {
		names[m.to] = m.node
	}
}

// Rename implements resume.FS.
func (d *Folder) Rename(from, to string) error {
	err := d.begin("rename", from)
	defer d.fs.mu.Unlock()
	if err != nil {
		return err
	}
	n, p, q := d.find(from), d.find(path.Dir(from)), d.find(path.Dir(to))
	if n == nil || q == nil || !q.folder {
		return fmt.Errorf("rename %s: %w", from, fs.ErrNotExist)
	}
	if p != q {
		p.moveNode(q, path.Base(from), path.Base(to), n)
		return nil
	}
	p.move(path.Base(from), path.Base(to), n)
	return nil
}

// Replace implements storage.Replacer.
func (d *Folder) Replace(from, to string) error { return d.Rename(from, to) }

// Link implements storage.Linker.
func (d *Folder) Link(from storage.FS, name string) error {
	err := d.begin("link", name)
	defer d.fs.mu.Unlock()
	if err != nil {
		return err
	}
	other, ok := from.(*Folder)
	if !ok || other.fs != d.fs || !d.fs.links {
		return fmt.Errorf("link %s: %w", name, errors.ErrUnsupported)
	}
	n := other.find(name)
	p, err := d.parent(name)
	switch {
	case err != nil:
		return err
	case n == nil:
		return fmt.Errorf("link %s: %w", name, fs.ErrNotExist)
	case d.find(name) != nil:
		return fmt.Errorf("link %s: %w", name, fs.ErrExist)
	}
	p.move("", path.Base(name), n)
	return nil
}

// Links sets whether the folders are on one volume, so that a file can have a name in each.
func (f *FS) Links(can bool) { f.links = can }

// Remove implements resume.FS.
func (d *Folder) Remove(name string) error {
	err := d.begin("remove", name)
	defer d.fs.mu.Unlock()
	if err != nil {
		return err
	}
	switch n := d.find(name); {
	case n == nil:
		return fmt.Errorf("remove %s: %w", name, fs.ErrNotExist)
	case n.folder && len(n.names) > 0:
		return fmt.Errorf("remove %s: the folder is not empty", name)
	}
	d.find(path.Dir(name)).move(path.Base(name), "", nil)
	return nil
}

// List implements resume.FS.
func (d *Folder) List() ([]string, error) {
	err := d.begin("list", ".")
	defer d.fs.mu.Unlock()
	if err != nil {
		return nil, err
	}
	var names []string
	for name := range d.node.names {
		names = append(names, name)
	}
	return names, nil
}

// lock is a lockable number of a folder.
type lock struct {
	folder *node
	number int64
}

// Lock implements resume.Locker. A crash releases it. It does not count as a call.
func (d *Folder) Lock(number int64) (release func(), err error) {
	d.fs.mu.Lock()
	defer d.fs.mu.Unlock()
	l := lock{d.node, number}
	if d.fs.locks[l] {
		return nil, resume.ErrInUse
	}
	d.fs.locks[l] = true
	epoch := d.epoch
	return sync.OnceFunc(func() {
		d.fs.mu.Lock()
		defer d.fs.mu.Unlock()
		if d.fs.epoch == epoch {
			delete(d.fs.locks, l)
		}
	}), nil
}

// Close implements storage.FS.
func (d *Folder) Close() error { return nil }

// SetTime sets a file's modification time, as the system call utimensat does.
func (d *Folder) SetTime(name string, at time.Time) error {
	err := d.begin("utimes", name)
	defer d.fs.mu.Unlock()
	if err != nil {
		return err
	}
	n := d.find(name)
	if n == nil {
		return fmt.Errorf("set the time of %s: %w", name, fs.ErrNotExist)
	}
	n.modified = at
	return nil
}
