package shoal_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shoal"
	"shoal/metainfo"
)

func tree(t *testing.T, names ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "tree")
	for _, name := range names {
		full := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(name), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// What the user leaves out is not in it, and the same input gives the same torrent.
func TestCreateExcludes(t *testing.T) {
	dir := tree(t, "a.txt", "b.tmp", "cache/c.txt", "sub/d.tmp", "sub/e.txt")
	opt := shoal.CreateOptions{Path: dir, Exclude: []string{"*.tmp", "cache/"}}
	first, err := shoal.Create(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	m, err := metainfo.Parse(first.Metainfo)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range m.Info.Files {
		got = append(got, strings.Join(f.Path, "/"))
	}
	if s := strings.Join(got, " "); s != "tree/a.txt tree/sub/e.txt" {
		t.Errorf("in it: %s", s)
	}
	if len(first.Warnings) != 1 || !strings.Contains(first.Warnings[0], "3") {
		t.Errorf("warnings %q", first.Warnings)
	}
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(filepath.Join(dir, "a.txt"), later, later); err != nil {
		t.Fatal(err)
	}
	again, err := shoal.Create(t.Context(), opt)
	if err != nil || string(again.Metainfo) != string(first.Metainfo) {
		t.Errorf("the same input gives another torrent (%v)", err)
	}
	opt.Exclude = []string{"*"}
	if _, err := shoal.Create(t.Context(), opt); err == nil || !strings.Contains(err.Error(), "no file is left") {
		t.Errorf("all left out: %v", err)
	}
}

// A name that others would have to change is refused, with what to do.
func TestCreateKeepsNames(t *testing.T) {
	for _, names := range [][]string{{"a:b", "c"}, {"end.", "c"}, {"CON", "c"}, {"Same", "same"}} {
		dir := tree(t, names...)
		_, err := shoal.Create(t.Context(), shoal.CreateOptions{Path: dir})
		if err == nil || !strings.Contains(err.Error(), "rename it") {
			t.Errorf("%q: %v", names, err)
		}
	}
}

// A file that changes while it is read makes no torrent.
func TestCreateOfAFileThatChanges(t *testing.T) {
	dir := tree(t, "a", "b")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	changed := false
	_, err := shoal.Create(ctx, shoal.CreateOptions{Path: dir, Progress: func(int64, int64) {
		if !changed {
			changed = true
			later := time.Now().Add(time.Hour)
			os.Chtimes(filepath.Join(dir, "b"), later, later)
		}
	}})
	if err == nil || !strings.Contains(err.Error(), "changed while it was read") {
		t.Errorf("create: %v", err)
	}
}
