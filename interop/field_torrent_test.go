//go:build interop

package interop

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A dict is a dictionary in the order in which it is written, right or not: what the
// world sends need not be sorted.
type dict []entry

type entry struct {
	key   string
	value any
}

// bencoded encodes strings, integers, lists and dicts as they are, without checking them.
func bencoded(v any) string {
	switch v := v.(type) {
	case string:
		return fmt.Sprintf("%d:%s", len(v), v)
	case int:
		return fmt.Sprintf("i%de", v)
	case raw:
		return string(v)
	case []string:
		var b strings.Builder
		for _, s := range v {
			b.WriteString(bencoded(s))
		}
		return "l" + b.String() + "e"
	case []any:
		var b strings.Builder
		for _, s := range v {
			b.WriteString(bencoded(s))
		}
		return "l" + b.String() + "e"
	case dict:
		var b strings.Builder
		for _, e := range v {
			b.WriteString(bencoded(e.key))
			b.WriteString(bencoded(e.value))
		}
		return "d" + b.String() + "e"
	}
	panic(fmt.Sprintf("bencoded: %T", v))
}

// raw is bencoding that was written by hand.
type raw string

// A blueprint says what torrent to make.
type blueprint struct {
	name     string
	files    []part // empty: a torrent of one file, which is name
	size     int    // of the one file
	piece    int    // piece length; 0 means 16 KiB
	info     dict   // more keys of the info dictionary, in front of the others
	outer    dict   // more keys around it
	after    dict   // keys behind the info dictionary
	nameUTF8 string // for the key name.utf-8
}

// A part is one file of a blueprint.
type part struct {
	path  string // elements separated by slashes
	raw   []string
	size  int
	pad   bool
	more  dict // more keys of the file
	front dict // keys in front of length
}

func (p part) elements() []string {
	if p.raw != nil {
		return p.raw
	}
	return strings.Split(p.path, "/")
}

// A made torrent is a torrent file and the bytes that belong to it.
type made struct {
	blueprint
	file    string // the .torrent file
	text    []byte // what is in it
	infoRaw string
	hash    [20]byte
	data    []byte // all files, one after another
}

// build makes the torrent of a blueprint; its bytes are always the same.
func (b blueprint) build(t *testing.T) *made {
	t.Helper()
	m := &made{blueprint: b}
	if m.piece == 0 {
		m.piece = 16 << 10
	}
	rng := rand.NewChaCha8([32]byte([]byte(fmt.Sprintf("%-32.32s", b.name))))
	var files []any
	for _, f := range b.files {
		content := make([]byte, f.size)
		d := append(dict{}, f.front...)
		if f.pad {
			d = append(d, entry{"attr", "p"})
		} else if !isPadding(f) {
			rng.Read(content)
		}
		m.data = append(m.data, content...)
		d = append(d, entry{"length", f.size}, entry{"path", f.elements()})
		files = append(files, append(d, f.more...))
	}
	if b.files == nil {
		m.data = make([]byte, b.size)
		rng.Read(m.data)
	}
	var sums bytes.Buffer
	for at := 0; at < len(m.data); at += m.piece {
		s := sha1.Sum(m.data[at:min(at+m.piece, len(m.data))])
		sums.Write(s[:])
	}
	info := append(dict{}, b.info...)
	if files != nil {
		info = append(info, entry{"files", files})
	} else {
		info = append(info, entry{"length", b.size})
	}
	info = append(info, entry{"name", b.name})
	if b.nameUTF8 != "" {
		info = append(info, entry{"name.utf-8", b.nameUTF8})
	}
	info = append(info, entry{"piece length", m.piece}, entry{"pieces", sums.String()})
	info = append(info, b.after...)
	m.infoRaw = bencoded(info)
	m.hash = sha1.Sum([]byte(m.infoRaw))
	m.text = []byte(bencoded(append(append(dict{}, b.outer...), entry{"info", raw(m.infoRaw)})))
	m.file = filepath.Join(t.TempDir(), "it.torrent")
	if err := os.WriteFile(m.file, m.text, 0o644); err != nil {
		t.Fatal(err)
	}
	return m
}

// isPadding reports whether a file is named as padding is by clients that don't say so
// with an attribute.
func isPadding(f part) bool {
	first := f.elements()[0]
	return strings.HasPrefix(first, "_____padding_file_") || first == ".pad" || first == ".____padding_file"
}

func (m *made) hex() string { return hex.EncodeToString(m.hash[:]) }

// where says where a client left a file, below the folder: a path, or "" for nowhere.
type where func(folder, path string) string

// asNamed is where the torrent says.
func asNamed(folder, path string) string { return filepath.Join(folder, path) }

// put writes the torrent's files where a client left them.
func (m *made) put(t *testing.T, dir string, at where) {
	t.Helper()
	offset := 0
	write := func(folder, path string, size int) {
		content := m.data[offset : offset+size]
		offset += size
		name := at(folder, path)
		if name == "" {
			return
		}
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range m.files {
		if f.pad || isPadding(f) {
			offset += f.size
			continue
		}
		write(m.name, strings.Join(f.elements(), "/"), f.size)
	}
	if m.files == nil {
		write("", m.name, m.size)
	}
}

// content gives the bytes of one file.
func (m *made) content(path string) []byte {
	offset := 0
	for _, f := range m.files {
		if strings.Join(f.elements(), "/") == path {
			return m.data[offset : offset+f.size]
		}
		offset += f.size
	}
	return m.data
}
