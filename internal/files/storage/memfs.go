package storage

import (
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"sync"
	"time"
)

// memFS is an FS in memory, for tests and for torrents that are not kept on disk.
type memFS struct {
	mu    sync.Mutex
	nodes map[string]*memNode // by name; "." is the folder itself
	now   func() time.Time
}

// memNode is a file or a folder.
type memNode struct {
	name   string
	folder bool

	mu       sync.RWMutex
	data     []byte
	modified time.Time
}

// NewMemFS returns an empty folder in memory. A hole in a file takes memory, too.
func NewMemFS() FS {
	return &memFS{nodes: map[string]*memNode{".": {name: ".", folder: true}}, now: time.Now}
}

func (m *memFS) Open(name string, mode Mode) (Handle, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.nodes[name]
	switch {
	case n != nil && mode == Create:
		return nil, fmt.Errorf("create %s: %w", name, fs.ErrExist)
	case n != nil && n.folder:
		return nil, fmt.Errorf("open %s: %w but a folder", name, ErrUnsafe)
	case n != nil:
		return &memHandle{n, m.now}, nil
	case mode != Create:
		return nil, fmt.Errorf("open %s: %w", name, fs.ErrNotExist)
	}
	if err := m.parent(name); err != nil {
		return nil, err
	}
	n = &memNode{name: path.Base(name), modified: m.now()}
	m.nodes[name] = n
	return &memHandle{n, m.now}, nil
}

// parent returns an error unless the folder for a name exists.
func (m *memFS) parent(name string) error {
	switch p := m.nodes[path.Dir(name)]; {
	case p == nil:
		return fmt.Errorf("create %s: %w", name, fs.ErrNotExist)
	case !p.folder:
		return fmt.Errorf("create %s: %w: its parent is a file", name, ErrUnsafe)
	}
	return nil
}

func (m *memFS) Mkdir(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.nodes[name] != nil {
		return fmt.Errorf("create %s: %w", name, fs.ErrExist)
	}
	if err := m.parent(name); err != nil {
		return err
	}
	m.nodes[name] = &memNode{name: path.Base(name), folder: true, modified: m.now()}
	return nil
}

func (m *memFS) Lstat(name string) (fs.FileInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.nodes[name]
	if n == nil {
		return nil, fmt.Errorf("look up %s: %w", name, fs.ErrNotExist)
	}
	return n.info(), nil
}

func (m *memFS) Rename(from, to string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.nodes[from]
	if n == nil {
		return fmt.Errorf("rename %s: %w", from, fs.ErrNotExist)
	}
	if err := m.parent(to); err != nil {
		return err
	}
	n.name = path.Base(to)
	m.nodes[to] = n
	delete(m.nodes, from)
	return nil
}

func (m *memFS) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.nodes[name] == nil {
		return fmt.Errorf("remove %s: %w", name, fs.ErrNotExist)
	}
	for other := range m.nodes {
		if strings.HasPrefix(other, name+"/") {
			return fmt.Errorf("remove %s: the folder is not empty", name)
		}
	}
	delete(m.nodes, name)
	return nil
}

func (m *memFS) SyncDir(string) error { return nil }
func (m *memFS) Close() error         { return nil }

func (n *memNode) info() memInfo {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return memInfo{n.name, int64(len(n.data)), n.modified, n.folder}
}

type memHandle struct {
	node *memNode
	now  func() time.Time
}

func (h *memHandle) ReadV(bufs [][]byte, off int64) (int, error) {
	h.node.mu.RLock()
	defer h.node.mu.RUnlock()
	done := 0
	for _, b := range bufs {
		n := 0
		if at := off + int64(done); at < int64(len(h.node.data)) {
			n = copy(b, h.node.data[at:])
		}
		done += n
		if n < len(b) {
			return done, io.EOF
		}
	}
	return done, nil
}

func (h *memHandle) WriteV(bufs [][]byte, off int64) (int, error) {
	h.node.mu.Lock()
	defer h.node.mu.Unlock()
	end := off
	for _, b := range bufs {
		end += int64(len(b))
	}
	if have := int64(len(h.node.data)); end > have {
		h.node.data = append(h.node.data, make([]byte, end-have)...)
	}
	at := off
	for _, b := range bufs {
		at += int64(copy(h.node.data[at:], b))
	}
	h.node.modified = h.now()
	return int(end - off), nil
}

func (h *memHandle) Stat() (fs.FileInfo, error) { return h.node.info(), nil }
func (h *memHandle) StartWrite(int64, int64)    {}
func (h *memHandle) Uncache(int64, int64)       {}
func (h *memHandle) Sync() error                { return nil }
func (h *memHandle) Close() error               { return nil }

// memInfo is the fs.FileInfo of a memNode.
type memInfo struct {
	name     string
	size     int64
	modified time.Time
	folder   bool
}

func (i memInfo) Name() string       { return i.name }
func (i memInfo) Size() int64        { return i.size }
func (i memInfo) ModTime() time.Time { return i.modified }
func (i memInfo) IsDir() bool        { return i.folder }
func (i memInfo) Sys() any           { return nil }
func (i memInfo) Mode() fs.FileMode {
	if i.folder {
		return fs.ModeDir | 0o777
	}
	return 0o666
}
