package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shoal/internal/cli/ui"
	"shoal/metainfo"
)

// made creates a torrent and gives what is in it.
func made(t *testing.T, file string, args ...string) *metainfo.Torrent {
	t.Helper()
	start(t, append([]string{"create", "-o", file}, args...)...).finish(ui.ExitDone, "complete")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	m, err := metainfo.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// The flags that describe a torrent end up in it, and those that change the info-hash do so.
func TestCreateFlags(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	mkdirs(t, data)
	for _, name := range []string{"a", ".DS_Store"} {
		if err := os.WriteFile(filepath.Join(data, name), []byte(name), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("SOURCE_DATE_EPOCH", "")
	before := time.Now().Add(-time.Second)
	plain := made(t, filepath.Join(dir, "plain.torrent"), data)
	if d := plain.CreationDate; d.Before(before.Truncate(time.Second)) || d.After(time.Now()) || len(plain.Info.Files) != 1 {
		t.Errorf("date %v, %d files", d, len(plain.Info.Files))
	}
	if m := made(t, filepath.Join(dir, "undated.torrent"), data, "--no-date"); !m.CreationDate.IsZero() || m.InfoHash != plain.InfoHash {
		t.Errorf("--no-date: date %v, info-hash %v", m.CreationDate, m.InfoHash)
	}
	t.Setenv("SOURCE_DATE_EPOCH", "1000000000")
	// The same but for its date: it is left as it is.
	if m := made(t, filepath.Join(dir, "plain.torrent"), data); !m.CreationDate.Equal(plain.CreationDate) {
		t.Errorf("written again: date %v", m.CreationDate)
	}
	if m := made(t, filepath.Join(dir, "epoch.torrent"), data); m.CreationDate.Unix() != 1e9 {
		t.Errorf("SOURCE_DATE_EPOCH: date %v", m.CreationDate)
	}
	if m := made(t, filepath.Join(dir, "source.torrent"), data, "--source", "TRACKER"); m.Info.Source() != "TRACKER" || m.InfoHash == plain.InfoHash {
		t.Errorf("--source: %q, info-hash %v", m.Info.Source(), m.InfoHash)
	}
	one := made(t, filepath.Join(dir, "one.torrent"), data, "--entropy")
	two := made(t, filepath.Join(dir, "two.torrent"), data, "--entropy")
	if one.InfoHash == two.InfoHash || one.InfoHash == plain.InfoHash {
		t.Error("--entropy: info-hashes are the same")
	}
	if m := made(t, filepath.Join(dir, "junk.torrent"), data, "--include-junk"); len(m.Info.Files) != 2 {
		t.Errorf("--include-junk: %d files", len(m.Info.Files))
	}
	if m := made(t, filepath.Join(dir, "named.torrent"), data, "--name", "other"); m.Info.Name != "other" {
		t.Errorf("--name: %s", m.Info.Name)
	}
}

// create reports what it cannot take before it hashes anything.
func TestCreateRefuses(t *testing.T) {
	dir := t.TempDir()
	data, text := filepath.Join(dir, "data"), filepath.Join(dir, "text")
	for _, name := range []string{data, text} {
		if err := os.WriteFile(name, []byte(name), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		code int
		args []string
	}{
		{ui.ExitUsage, []string{data, "-o", data}},
		{ui.ExitFailed, []string{data, "-o", dir}},
		{ui.ExitFailed, []string{data, "-o", text}},
		{ui.ExitFailed, []string{data, "-o", filepath.Join(dir, "none", "x")}},
		{ui.ExitUsage, []string{data, "--name", "a/b"}},
		{ui.ExitFailed, []string{"/"}},
		{ui.ExitSource, []string{filepath.Join(dir, "none")}},
	} {
		start(t, append([]string{"create"}, c.args...)...).finish(c.code, "error")
	}
	if got, err := os.ReadFile(text); err != nil || string(got) != text {
		t.Errorf("a file was changed: %q, %v", got, err)
	}
}

// A folder with several problems has a line for each.
func TestCreateProblems(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	mkdirs(t, dir)
	for _, name := range []string{"a\xff", "b\xff", "c"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o666); err != nil {
			t.Skip("this file system takes no names that are not UTF-8")
		}
	}
	r := start(t, "create", dir, "-o", dir+".torrent")
	r.finish(ui.ExitFailed, "error")
	if n := strings.Count(r.text(), `"event":"warning"`); n != 2 {
		t.Errorf("%d warnings", n)
	}
}

func mkdirs(t *testing.T, dirs ...string) {
	t.Helper()
	for _, dir := range dirs {
		if err := os.MkdirAll(dir, 0o777); err != nil {
			t.Fatal(err)
		}
	}
}
