//go:build unix

package storage

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// Of any number of links into different folders all work, and only some of the folders are held
// open. The others are compared with what they were.
func TestFoldersBehindLinksBounded(t *testing.T) {
	const links, held = 40, 2
	root := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.MkdirAll(root+"/dir/t", 0o755))
	var names []string
	for i := range links {
		out := fmt.Sprintf("%s/out/%02d", root, i)
		must(os.MkdirAll(out, 0o755))
		must(os.WriteFile(out+"/f", []byte("012345"), 0o644))
		names = append(names, fmt.Sprintf("t/%02d", i))
		must(os.Symlink(out+"/f", root+"/dir/"+names[i]))
	}
	pool := NewPool(held * partOfLinks)
	dir, err := pool.Folder(root + "/dir")
	must(err)
	var known KnownLinks
	fsys, notes := FollowLinks(dir, pool, root+"/dir", names, &known)
	if len(notes) > 0 {
		t.Errorf("notes %q", notes)
	}
	if n := len(pool.folders) - 1; n != held || pool.behindLinks != held {
		t.Errorf("%d folders behind links are open, %d are counted, want %d", n, pool.behindLinks, held)
	}
	write := func(name, text string) error {
		h, err := fsys.Open(name, Write)
		if err != nil {
			return err
		}
		defer h.Close()
		_, err = h.WriteV([][]byte{[]byte(text)}, 0)
		return err
	}
	for i, name := range names {
		must(write(name, "abcdef"))
		must(fsys.SyncDir("."))
		at := fmt.Sprintf("%s/out/%02d/f", root, i)
		if got, err := os.ReadFile(at); err != nil || string(got) != "abcdef" {
			t.Errorf("%s holds %q: %v", at, got, err)
		}
	}
	when := time.Unix(1e9, 0)
	must(fsys.(*Linked).SetTime(names[links-1], when))
	if info, err := fsys.Lstat(names[links-1]); err != nil || !info.ModTime().Equal(when) {
		t.Errorf("a file in a folder that is opened on use: %v, %v", info, err)
	}

	// A folder that somebody puts in the place of the one that was there is not used.
	last := fmt.Sprintf("%s/out/%02d", root, links-1)
	must(os.Rename(last, root+"/gone"))
	must(os.Mkdir(last, 0o755))
	must(os.WriteFile(last+"/f", []byte("trap"), 0o644))
	if err := write(names[links-1], "xxxxxx"); !errors.Is(err, ErrUnsafe) || !strings.Contains(err.Error(), "another folder") {
		t.Errorf("in another folder: %v", err)
	}
	if got, _ := os.ReadFile(last + "/f"); string(got) != "trap" {
		t.Errorf("it wrote %q there", got)
	}
	must(os.RemoveAll(last))
	must(os.Rename(root+"/gone", last))
	must(write(names[links-1], "again!"))

	must(fsys.Close())
	if len(pool.folders) != 0 || pool.behindLinks != 0 {
		t.Errorf("after Close %d folders are open, %d are counted", len(pool.folders), pool.behindLinks)
	}
}
