//go:build unix

package shoal_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"shoal"
)

// Create follows its argument, wherever the link leads and over however many. The torrent has
// the name that the user gave.
func TestCreateFollowsItsArgument(t *testing.T) {
	dir := tree(t, "a", "sub/b")
	at := filepath.Dir(dir)
	links := map[string]string{"absolute": dir, "relative": "tree", "chain": "relative", "file": filepath.Join(dir, "a")}
	for link, to := range links {
		must(t, os.Symlink(to, filepath.Join(at, link)))
	}
	for link := range links {
		full := filepath.Join(at, link)
		for _, path := range []string{full, full + "/"} {
			made, err := shoal.Create(t.Context(), shoal.CreateOptions{Path: path})
			if err != nil {
				t.Errorf("%s: %v", path, err)
				continue
			}
			if want := map[bool]int{true: 1, false: 2}[link == "file"]; made.Name != link || made.Files != want || len(made.Warnings) > 0 {
				t.Errorf("%s: %+v", path, made)
			}
		}
	}
	must(t, os.Symlink("nothing", filepath.Join(at, "dangling")))
	must(t, os.Symlink("loop", filepath.Join(at, "loop")))
	for link, want := range map[string]string{"dangling": "symbolic link to nothing, which is not there", "loop": "leads back to it"} {
		if _, err := shoal.Create(t.Context(), shoal.CreateOptions{Path: filepath.Join(at, link)}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", link, err)
		}
	}
	// A folder as a link, in the middle.
	if _, err := shoal.Create(t.Context(), shoal.CreateOptions{Path: filepath.Join(at, "chain/sub")}); err != nil {
		t.Error(err)
	}
}

// Links in the folder are left out with a word, or followed by option, loops and all.
func TestCreateLinksInside(t *testing.T) {
	dir := tree(t, "a", "sub/b")
	other := tree(t, "far", "deep/er")
	for link, to := range map[string]string{
		"to-file": "a", "to-far": filepath.Join(other, "far"), "to-folder": other, "sub/up": "..", "sub/self": ".", "dangling": "gone", "circle": "circle",
		"pipe-link": "pipe", "null": "/dev/null",
	} {
		must(t, os.Symlink(to, filepath.Join(dir, link)))
	}
	must(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o644))
	made, err := shoal.Create(t.Context(), shoal.CreateOptions{Path: dir})
	if err != nil {
		t.Fatal(err)
	}
	if got := rawNames(t, made); !slices.Equal(got, []string{"a", "sub/b"}) {
		t.Errorf("without following: %q", got)
	}
	if all := strings.Join(made.Warnings, "\n"); !strings.Contains(all, "symbolic links are left out: circle, dangling, null and 6 more (--follow-links") || !strings.Contains(all, "not plain files: pipe") {
		t.Errorf("warnings %s", all)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		made, err = shoal.Create(t.Context(), shoal.CreateOptions{Path: dir, FollowLinks: true})
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("it waits for a pipe")
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := rawNames(t, made); !slices.Equal(got, []string{"a", "sub/b", "to-far", "to-file", "to-folder/deep/er", "to-folder/far"}) {
		t.Errorf("following: %q", got)
	}
	all := strings.Join(made.Warnings, "\n")
	for _, w := range []string{"lead to nothing are left out: dangling", "lead back to a folder they lie in are left out: circle, sub/self, sub/up", "not plain files: null, pipe, pipe-link"} {
		if !strings.Contains(all, w) {
			t.Errorf("warnings have no %q:\n%s", w, all)
		}
	}
}
