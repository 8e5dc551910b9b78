package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What a person writes finds files by their names first, then by number, then by pattern.
func TestChooser(t *testing.T) {
	c := &chooser{of: "t"}
	for _, p := range []string{
		"t/a[1].mkv", "t/what?.txt", "t/what1.txt", "t/3", "t/Extras/One.MKV", "t/Extras/deep/er/two.mkv", "t/season 1/e01.mkv",
		"t/season 1/e02.mkv", "t/season 2/e01.mkv", "t/star*.txt", "t/starlight.txt", "t/cafe\u0301.txt", "t/back\\slash",
		"t/non\u00a0break/a b.txt", "t/\u0441\u043e\u0440\u0443.mkv", "t/a\u200bb",
	} {
		c.files = append(c.files, chosenFile{path: p, size: 1})
	}
	for _, w := range []struct {
		word   string
		folded bool
		want   string // numbers, or what the error says
	}{
		{"a[1].mkv", false, "[1]"},
		{"t/a[1].mkv", false, "[1]"},
		{"what?.txt", false, "[2]"}, // literally, and not what1.txt too
		{"star*.txt", false, "[10]"},
		{"what*.txt", false, "[2 3]"},
		{"3", false, "[4]"}, // the name goes first
		{"2", false, "[2]"},
		{"2,5-7", false, "[2 5 6 7]"},
		{"12-", false, "[12 13 14 15 16]"},
		{"5-5, 1", false, "[1 5]"},
		{"0", false, "numbered from 1"},
		{"17", false, "16 files, numbered from 1"},
		{"3-99", false, "numbered from 1"},
		{"7-5", false, "not a list of numbers"},
		{"1,,2", false, "not a list of numbers"},
		{"99999999999999999999", false, "not a list of numbers"},
		{"Extras", false, "[5 6]"},
		{"Extras/", false, "[5 6]"},
		{"t/Extras/deep", false, "[6]"},
		{"er", false, "[6]"},
		{"extras", true, "[5 6]"},
		{"extras", false, "--ignore-case"},
		{"*.mkv", false, "[1 6 7 8 9 15]"},
		{"*.MKV", true, "[1 5 6 7 8 9 15]"},
		{"**/*.mkv", false, "[1 6 7 8 9 15]"},
		{"Extras/**", false, "[5 6]"},
		{"Extras/**/two.mkv", false, "[6]"},
		{"Extras/**/One.MKV", false, "[5]"},
		{"season ?/e01.mkv", false, "[7 9]"},
		{"season*", false, "[7 8 9]"},
		{"**/er/**", false, "[6]"},
		{"**", false, "[1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16]"},
		{"caf\u00e9.txt", false, "[12]"}, // composed another way
		{`back\slash`, false, "[13]"},
		{"non break", false, `it has "non\u00a0break", which looks the same`},
		{"non break/a b.txt", false, `it has "non\u00a0break/a b.txt", which looks the same`},
		{"t/non break/a\u00a0b.txt", false, "name it by its number, 14"},
		{"copy.mkv", false, `"copy.mkv" fits no file of t; it has "\u0441\u043e\u0440\u0443.mkv"`},
		{"ab", false, "name it by its number, 16"},
		{"what1.txt ", false, "name it by its number, 3"},
		{"what1.txt\u00a0", false, `"what1.txt\u00a0" fits no file`},
		{"[", false, "not a pattern"},
		{`x\`, false, "not a pattern"},
		{"", false, "empty"},
		{" ", false, "empty"},
		{"/", false, "fits no file"},
		{"nothing", false, "fits no file"},
	} {
		c.folded = w.folded
		found, err := c.find(w.word)
		var numbers []int
		for _, i := range found {
			numbers = append(numbers, i+1)
		}
		if got := fmt.Sprint(numbers); err == nil && got != w.want || err != nil && !strings.Contains(err.Error()+hintOf(err), w.want) {
			t.Errorf("%q (folded %v): %s, %v %s; want %s", w.word, w.folded, got, err, hintOf(err), w.want)
		}
	}
	// The work is bounded.
	hostile := &chooser{of: "t", files: []chosenFile{{path: strings.Repeat("a/", 200) + "b"}}}
	if _, err := hostile.find(strings.Repeat("**/", 500) + "c"); err == nil {
		t.Error("it fits")
	}
}

func hintOf(err error) string {
	if f, ok := err.(*failure); ok {
		return " " + f.hint
	}
	return ""
}

// A mistake is told before a folder is made or anybody is asked, whatever flag has it.
func TestWrongChoiceIsFoundFirst(t *testing.T) {
	s := newShare(t)
	dir, state := filepath.Join(t.TempDir(), "new"), filepath.Join(t.TempDir(), "state")
	for _, args := range [][]string{
		{"--only", "nothing.*"},
		{"--only", "["},
		{"--only", "9"},
		{"--skip", "x"},
		{"--high", "x"},
		{"--low", "0"},
		{"--skip", "**"},
		{"--rename", "x=y"},
		{"--rename", "one.bin"},
		{"--only", ""},
	} {
		for _, cmd := range []string{"get", "serve"} {
			if cmd == "serve" && args[0] == "--rename" {
				continue
			}
			r := start(t, append([]string{cmd, s.torrent, "--dir", dir, "--state", state, "--no-dht", "--listen", "127.0.0.1:0"}, args...)...)
			r.finish(exitUsage, "error")
			if strings.Contains(r.text(), `"listening"`) {
				t.Errorf("%s %v: a port was opened", cmd, args)
			}
			for _, made := range []string{dir, state} {
				if _, err := os.Lstat(made); err == nil {
					t.Errorf("%s %v: %s was made", cmd, args, made)
				}
			}
		}
	}
	_, stderr, code := command(t, "get", s.torrent, "--stream=x", "--dir", dir)
	if _, err := os.Lstat(dir); code != exitUsage || err == nil {
		t.Errorf("--stream: %d, %s", code, stderr)
	}
}

// Files are chosen by number, and the header says what is wanted; the part file is explained,
// and goes when nothing needs it any more.
func TestChosenByNumber(t *testing.T) {
	s := newShare(t)
	_, addr := seedFrom(t, s.dir, s.torrent, "--no-dht")
	dir := t.TempDir()
	get := []string{"get", s.torrent, "--dir", dir, "--state", t.TempDir(), "--no-dht", "--listen", "127.0.0.1:0", "--peer", addr}
	r := start(t, append(get, "--only", "3")...)
	r.finish(exitDone, "complete")
	if e := r.await("torrent", nil); number(t, e, "wanted_files") != 1 || number(t, e, "files") != 4 || number(t, e, "wanted") != 300000 {
		t.Errorf("told %v", e)
	}
	if _, err := os.Stat(filepath.Join(dir, "files", "sub", "two.bin")); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "files", "one.bin")); err == nil {
		t.Error("another file was made")
	}
	parts := func() int {
		n, entries := 0, must(os.ReadDir(dir))
		for _, e := range entries {
			if e.Name() != "files" {
				n++
			}
		}
		return n
	}
	if parts() != 1 {
		t.Fatalf("%d part files", parts())
	}
	stdout, _, code := command(t, append(get, "--only", "TWO.bin", "--ignore-case")...)
	if code != exitDone || !strings.Contains(stdout, "1 of 4 files, 293 KiB of 781 KiB") || !strings.Contains(stdout, "is needed to share and check") {
		t.Errorf("%d: %s", code, stdout)
	}
	start(t, get...).finish(exitDone, "complete")
	if s.sameFiles(t, dir); parts() != 0 {
		t.Errorf("%d part files when all is there", parts())
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
