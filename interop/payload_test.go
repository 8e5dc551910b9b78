//go:build interop

package interop

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

// content is what a folder holds: the hash of each file by its path.
type content map[string]string

// A payload is a folder of files to share and the torrents made of it.
type payload struct {
	name    string // of the folder, and so of the torrents
	parent  string // where the folder lies
	size    int64
	content content
}

// big is the folder that most cases share: many files of odd sizes in nested
// folders, one of them empty, one larger than all others together, one that
// shares its only piece with its neighbours.
var big = sync.OnceValues(func() (*payload, error) {
	total := int64(*mib) << 20
	return makePayload("Odd sizes, nested", map[string]int64{
		"a first file.bin":            total*5/8 + 13,
		"empty":                       0,
		"one byte":                    1,
		"season 1/part 1/e01.mkv":     total/8 - 7777,
		"season 1/part 1/e02.mkv":     total/16 + 4099,
		"season 1/notes.txt":          311,
		"season 2/ünïcode ☃.mkv":      total/8 + 65537,
		"season 2/deep/er/and/deeper": 16384,
		"z last":                      total/16 - 20001,
	})
})

// makePayload writes files of these sizes, always with the same bytes.
func makePayload(name string, sizes map[string]int64) (*payload, error) {
	p := &payload{name: name, parent: filepath.Join(scratch, "payload of "+name)}
	rng := rand.NewChaCha8([32]byte{'s', 'h', 'o', 'a', 'l'})
	for _, path := range slices.Sorted(maps.Keys(sizes)) {
		if err := writeFile(filepath.Join(p.parent, name, path), rng, sizes[path]); err != nil {
			return nil, fmt.Errorf("make the files to share: %w", err)
		}
		p.size += sizes[path]
	}
	var err error
	p.content, err = readContent(filepath.Join(p.parent, name))
	return p, err
}

func writeFile(name string, from io.Reader, size int64) (err error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	w := bufio.NewWriterSize(f, 1<<20)
	if _, err := io.CopyN(w, from, size); err != nil {
		return err
	}
	return w.Flush()
}

// readContent hashes every file below a folder.
func readContent(dir string) (content, error) {
	c := content{}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		h := sha256.New()
		if _, err := io.Copy(h, f); err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		c[filepath.ToSlash(rel)] = hex.EncodeToString(h.Sum(nil))
		return err
	})
	return c, err
}

var emptyHash = hex.EncodeToString(sha256.New().Sum(nil))

// arrived asserts that the folder that a client downloaded to has every file of
// the payload, byte for byte, and nothing else. With lax, empty files may be
// missing: some clients do not make them.
func (p *payload) arrived(t *testing.T, dir string, lax bool) {
	t.Helper()
	got, err := readContent(filepath.Join(dir, p.name))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range p.content {
		switch hash, ok := got[path]; {
		case !ok && !(lax && want == emptyHash):
			t.Errorf("%s: missing", path)
		case ok && hash != want:
			t.Errorf("%s: the content differs", path)
		}
		delete(got, path)
	}
	for path := range got {
		t.Errorf("%s: not of the torrent", path)
	}
}

// copyTo puts the payload into a folder of its own for a client to seed from,
// by hard links: clients only read what they seed, and a test at the end
// asserts that.
func (p *payload) copyTo(t *testing.T, dir string) {
	t.Helper()
	from := filepath.Join(p.parent, p.name)
	for path := range p.content {
		to := filepath.Join(dir, p.name, path)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Link(filepath.Join(from, path), to); err != nil {
			t.Fatal(err)
		}
	}
}

func theBig(t *testing.T) *payload {
	t.Helper()
	p, err := big()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// path is the folder that torrents are made of.
func (p *payload) path() string { return filepath.Join(p.parent, p.name) }
