package content

import (
	"fmt"
	"io/fs"
	"testing"

	"shoal/internal/files/storage"
	"shoal/metainfo"
)

// A folder is listed once, whatever the number of names, and nothing is looked up by each
// spelling of a name.
func TestFindIsBounded(t *testing.T) {
	const files = 20_000
	fsys := &countingFS{FS: storage.NewMemFS()}
	info := &metainfo.Info{Name: "x:", SafeName: "x_", RawName: "x:", MultiFile: true}
	var all []int
	if err := fsys.Mkdir("x_"); err != nil {
		t.Fatal(err)
	}
	for i := range files {
		raw := []string{"x:", fmt.Sprintf("file: %d", i)}
		info.Files = append(info.Files, metainfo.File{Path: raw, RawPath: raw, SafePath: []string{"x_", fmt.Sprintf("file_ %d", i)}, Length: 1, Offset: int64(i)})
		all = append(all, i)
		h, err := fsys.Open(fmt.Sprintf("x_/file_ %d", i), storage.Create)
		if err == nil {
			_, err = h.WriteV([][]byte{{1}}, 0)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	found := findFiles(fsys, info, "", all)
	if len(found) != files || fsys.lists > 3 || fsys.stats > files {
		t.Errorf("%d found, %d listings, %d look-ups", len(found), fsys.lists, fsys.stats)
	}
}

type countingFS struct {
	storage.FS
	lists, stats int
}

func (c *countingFS) List(name string, most int) ([]fs.DirEntry, bool, error) {
	c.lists++
	return c.FS.(storage.Lister).List(name, most)
}

func (c *countingFS) Lstat(name string) (fs.FileInfo, error) {
	c.stats++
	return c.FS.Lstat(name)
}
