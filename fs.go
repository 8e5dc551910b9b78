package shoal

import (
	"context"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"shoal/internal/engine"
	"shoal/metainfo"
)

// FS returns the torrent's files as a read-only file system, complete or not. A read makes the
// torrent fetch the bytes that it needs first, and waits for them, as Reader does. With
// http.FileServerFS it serves ranges, too. The end of ctx ends its reads. Files have their current
// names; an open file stays open when it is renamed. There are none while the metadata is missing.
func (t *Torrent) FS(ctx context.Context) fs.FS { return &torrentFS{t: t, ctx: ctx} }

type torrentFS struct {
	t   *Torrent
	ctx context.Context

	mu    sync.Mutex
	nodes map[string]*node // by path; nil before the first use
	named *engine.Names    // names that nodes has
	meta  *metainfo.Torrent
}

// tree returns the files and folders by their paths.
func (f *torrentFS) tree() map[string]*node {
	f.mu.Lock()
	defer f.mu.Unlock()
	if named := f.t.t.Named(); f.nodes == nil || named != f.named || f.t.meta() != f.meta {
		f.named, f.meta = named, f.t.meta()
		f.nodes = f.t.tree()
	}
	return f.nodes
}

func (t *Torrent) tree() map[string]*node {
	meta := t.meta()
	when := meta.CreationDate
	nodes := map[string]*node{".": {name: ".", folder: true, when: when}}
	for i, file := range meta.Info.Files {
		if file.Pad {
			continue
		}
		p := t.t.Path(i)
		nodes[p] = &node{name: path.Base(p), path: p, file: i, size: file.Length, when: when}
		for at := p; at != "."; at = path.Dir(at) {
			dir := path.Dir(at)
			parent := nodes[dir]
			known := parent != nil
			if !known {
				parent = &node{name: path.Base(dir), path: dir, folder: true, when: when}
				nodes[dir] = parent
			}
			parent.list = append(parent.list, nodes[at])
			if known {
				break
			}
		}
	}
	for _, n := range nodes {
		slices.SortFunc(n.list, func(a, b *node) int { return strings.Compare(a.name, b.name) })
	}
	return nodes
}

// node is a file or folder; it is its own fs.FileInfo and fs.DirEntry.
type node struct {
	name, path string
	folder     bool
	file       int // its number in the torrent
	size       int64
	when       time.Time
	list       []*node
}

func (n *node) Name() string               { return n.name }
func (n *node) Size() int64                { return n.size }
func (n *node) ModTime() time.Time         { return n.when }
func (n *node) IsDir() bool                { return n.folder }
func (n *node) Sys() any                   { return nil }
func (n *node) Type() fs.FileMode          { return n.Mode().Type() }
func (n *node) Info() (fs.FileInfo, error) { return n, nil }
func (n *node) String() string             { return fs.FormatDirEntry(n) }

func (n *node) Mode() fs.FileMode {
	if n.folder {
		return fs.ModeDir | 0o555
	}
	return 0o444
}

// Open implements fs.FS.
func (f *torrentFS) Open(name string) (fs.File, error) {
	n, err := f.find("open", name)
	if err != nil {
		return nil, err
	}
	if n.folder {
		return &openFolder{node: n}, nil
	}
	return &openFile{f.t.openFile(f.ctx, n.file), n}, nil
}

// Stat implements fs.StatFS.
func (f *torrentFS) Stat(name string) (fs.FileInfo, error) {
	n, err := f.find("stat", name)
	if err != nil {
		return nil, err
	}
	return n, nil
}

func (f *torrentFS) find(op, name string) (*node, error) {
	n := f.tree()[name] // which may have names that are not UTF-8, unlike fs.ValidPath
	if n == nil && !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	if n == nil {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
	}
	return n, nil
}

// openFile is an open file of an FS.
type openFile struct {
	*Reader
	node *node
}

func (f *openFile) Stat() (fs.FileInfo, error) { return f.node, nil }

// openFolder is an open folder of an FS.
type openFolder struct {
	node *node
	at   int
}

func (f *openFolder) Stat() (fs.FileInfo, error) { return f.node, nil }
func (f *openFolder) Close() error               { return nil }
func (f *openFolder) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: f.node.path, Err: fs.ErrInvalid}
}

// ReadDir implements fs.ReadDirFile.
func (f *openFolder) ReadDir(n int) ([]fs.DirEntry, error) {
	rest := f.node.list[f.at:]
	if n > 0 && len(rest) == 0 {
		return nil, io.EOF
	}
	if n > 0 && len(rest) > n {
		rest = rest[:n]
	}
	f.at += len(rest)
	out := make([]fs.DirEntry, len(rest))
	for i, e := range rest {
		out[i] = e
	}
	return out, nil
}
