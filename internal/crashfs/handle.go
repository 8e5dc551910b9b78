package crashfs

import (
	"bytes"
	"io"
	"io/fs"
	"path"
	"time"
)

// handle is an open file.
type handle struct {
	d    *Folder
	node *node
	name string
}

// ReadV implements storage.Handle.
func (h *handle) ReadV(bufs [][]byte, off int64) (int, error) {
	err := h.d.begin("read", h.name)
	defer h.d.fs.mu.Unlock()
	if err != nil {
		return 0, err
	}
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

// WriteV implements storage.Handle.
func (h *handle) WriteV(bufs [][]byte, off int64) (int, error) {
	err := h.d.begin("write", h.name)
	defer h.d.fs.mu.Unlock()
	f := h.d.fs
	b := bytes.Join(bufs, nil)
	if err != nil {
		// The call at which the process stops is half done; later ones do nothing.
		if f.stop > 0 && f.calls > f.stop || h.d.epoch != f.epoch {
			return 0, err
		}
		b = b[:len(b)/2]
		if !f.stopped(h.d.epoch) && f.calls%2 == 0 { // a failure can come last
			b = bytes.Join(bufs, nil)
		}
	}
	if len(b) > 0 {
		h.node.data = overlay(h.node.data, off, b)
		h.node.dirty = append(h.node.dirty, write{off, b})
		h.node.modified = f.now()
	}
	if err != nil {
		return len(b) / 2, err
	}
	return len(b), nil
}

// overlay returns data with b written at off.
func overlay(data []byte, off int64, b []byte) []byte {
	if end := off + int64(len(b)); end > int64(len(data)) {
		data = append(data, make([]byte, end-int64(len(data)))...)
	}
	copy(data[off:], b)
	return data
}

// Stat implements storage.Handle.
func (h *handle) Stat() (fs.FileInfo, error) {
	err := h.d.begin("stat", h.name)
	defer h.d.fs.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return h.d.fs.info(h.node, h.name), nil
}

// Sync implements storage.Handle.
func (h *handle) Sync() error {
	err := h.d.begin("sync", h.name)
	defer h.d.fs.mu.Unlock()
	n := h.node
	if err != nil {
		if !h.d.fs.stopped(h.d.epoch) {
			n.dirty = nil // marked clean, and not on the device
		}
		return err
	}
	n.sync()
	return nil
}

// sync makes a file's data durable. It does not write what an earlier sync failed to write.
func (n *node) sync() {
	for _, w := range n.dirty {
		n.durable = overlay(n.durable, w.off, w.data)
	}
	if len(n.durable) < len(n.data) {
		n.durable = append(n.durable, make([]byte, len(n.data)-len(n.durable))...)
	}
	n.dirty, n.wasTime = nil, n.modified
}

func (f *FS) stopped(epoch int) bool { return f.stop > 0 && f.calls >= f.stop || epoch != f.epoch }

// StartWrite implements storage.Handle.
func (h *handle) StartWrite(int64, int64) {}

// Uncache implements storage.Handle.
func (h *handle) Uncache(int64, int64) {}

// Close implements storage.Handle.
func (h *handle) Close() error { return nil }

// info is the fs.FileInfo of a node.
type info struct {
	name     string
	inode    uint64
	size     int64
	modified time.Time
	folder   bool
	links    uint64
}

// info returns the properties of a node. The caller holds f.mu.
func (f *FS) info(n *node, name string) info {
	inode := n.inode
	if f.odd {
		f.inode++
		inode = f.inode
	}
	links := uint64(1)
	if f.links {
		links = f.root.count(n)
	}
	return info{path.Base(name), inode, int64(len(n.data)), n.modified, n.folder, links}
}

// count returns how many names a file has below a folder.
func (p *node) count(n *node) (links uint64) {
	for _, other := range p.names {
		switch {
		case other == n:
			links++
		case other.folder:
			links += other.count(n)
		}
	}
	return links
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.size }
func (i info) ModTime() time.Time { return i.modified }
func (i info) IsDir() bool        { return i.folder }
func (i info) Sys() any           { return nil }
func (i info) Mode() fs.FileMode {
	if i.folder {
		return fs.ModeDir | 0o777
	}
	return 0o666
}

// Links returns how many names the node has.
func (i info) Links() uint64 { return i.links }

// FileID returns the node's number; there is one device.
func (i info) FileID() (device, inode uint64) { return 1, i.inode }
