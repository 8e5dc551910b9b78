// Package crashfs is a file system in memory that forgets what was not synced, as
// a machine does that loses power: the crashing and faulty twin of storage.FS and
// resume.FS. It promises no more than POSIX does. The data of a file is durable
// when the file was synced; a name is durable when its folder was; a rename happens
// wholly or not at all. Anything else may be on the device after a crash, or not,
// sector by sector, name by name, in any order.
//
// It counts its calls. A test stops it at the n-th call, for every n, crashes it,
// and looks what is left; or has the n-th call fail. A write that the stop falls
// into is half done; one that fails is half done, or all of it. A sync that fails leaves what it should have written
// readable, takes it for written, and loses it at the next loss of power, as the
// page caches of real systems do.
//
// A FS is shared by all that use it, and may be used from several goroutines.
package crashfs

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"sync"
	"time"

	"shoal/internal/files/resume"
	"shoal/internal/files/storage"
)

// ErrStopped is returned by every call from that on at which the process stopped.
var ErrStopped = errors.New("the process has stopped")

// FS is the file system. Its zero value is of no use; New makes one.
type FS struct {
	now func() time.Time

	mu    sync.Mutex
	root  *node
	inode uint64 // of the last node
	epoch int    // counts crashes: handles do not survive one
	calls int
	stop  int              // the call that the process stops at; 0 for none
	fail  func(Call) error // nil for none
	locks map[lock]bool    // of this process
	links bool             // Link works
	odd   bool             // every look at a file invents its number

	spaces map[string]storage.Space // what Space returns, by folder
}

// Call is one call to the file system.
type Call struct {
	N    int    // counts from 1, since the last crash
	Op   string // open, create, mkdir, lstat, syncdir, rename, link, remove, list, read, write, stat, sync
	Name string
}

// node is a file or a folder.
type node struct {
	inode  uint64
	folder bool

	// A file: what is read, what is on the device, and the sectors in between.
	data     []byte
	modified time.Time
	durable  []byte
	wasTime  time.Time // the time that is on the device
	dirty    []write   // since the last sync, oldest first

	// A folder: the names that are seen, those on the device, and the changes.
	names map[string]*node
	kept  map[string]*node
	moves []move
}

// write is one write to a file, as it went to the page cache.
type write struct {
	off  int64
	data []byte
}

// move is one change of names: remove from, and let to be node. One that leads to another
// folder is a change of both, and both have it or none, as with the journals of real ones.
type move struct {
	from, to string
	node     *node
	other    *node // the folder that to is in; nil when it is the one that from is in
	fate     *fate // of a change of two folders
}

// fate is whether a change of two folders is on the device.
type fate struct{ durable, decided bool }

// New makes an empty file system. now gives the times of files; nil means
// time.Now.
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

// StopAt has the process stop at the n-th call from now; 0 for never.
func (f *FS) StopAt(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls, f.stop = 0, n
}

// FailWhen has calls fail for which fail gives an error; nil for none. It is asked under a lock and may keep state.
func (f *FS) FailWhen(fail func(Call) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls, f.fail = 0, fail
}

// Calls gives the number of calls since StopAt, FailWhen or a crash.
func (f *FS) Calls() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls
}

// MakeUpNumbers makes every look at a file or folder invent another number for it, as file
// systems in user space do after they forgot it.
func (f *FS) MakeUpNumbers() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.odd = true
}

// SetSpace says how much room there is in a folder, as if it were a volume. It bounds nothing:
// FailWhen makes writes fail. Of other folders nobody knows.
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

// call counts a call. f.mu is held.
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

// Folder gives a folder of the file system by its path, made durably if it is not
// there. It counts no call. Like every handle it ends with a crash.
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

// find gives the node of a name below the folder, nil when there is none.
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

// parent gives the folder that a name is to be made in.
func (d *Folder) parent(name string) (*node, error) {
	switch p := d.find(path.Dir(name)); {
	case p == nil:
		return nil, fmt.Errorf("create %s: %w", name, fs.ErrNotExist)
	case !p.folder:
		return nil, fmt.Errorf("create %s: %w: a file is in the way", name, storage.ErrUnsafe)
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

// moveTo gives a file a name in another folder.
func (p *node) moveTo(q *node, from, to string, n *node) {
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

// SyncDir implements storage.FS. When it fails, the names may be there or not.
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

// syncNames makes all changes of a folder's names durable, and those of others that were
// one with them, with all that came before.
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
		p.moveTo(q, path.Base(from), path.Base(to), n)
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

// Links says whether folders are on one volume, so that a file can have a name in each.
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
		return fmt.Errorf("remove %s: something is in it", name)
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

// lock is one of the numbers that can be locked in a folder.
type lock struct {
	folder *node
	number int64
}

// Lock implements resume.Locker. A crash ends it. It counts no call.
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

// SetTime sets a file's time of change, as the system call utimensat does.
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
