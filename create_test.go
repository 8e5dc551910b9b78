package shoal_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"shoal"
	"shoal/internal/testkit"
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

// Every name that the platform takes can be in a torrent, as it is. A warning says which
// systems can't have it.
func TestCreateKeepsNames(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("other systems do not take these names")
	}
	for _, c := range []struct {
		names []string
		warn  string // part of the one warning
	}{
		{[]string{"a:b", "c"}, "Windows can't have these names, and gets others: tree/a:b (the first has a :)"},
		{[]string{"Re: Collection/Disc: One?/a*b.mkv"}, "Re: Collection"},
		{[]string{"end.", "c"}, "a dot at the end"},
		{[]string{"end ", "c"}, "a blank at the end"},
		{[]string{"CON", "c"}, "the name of a device"},
		{[]string{`back\slash`}, `a \`},
		{[]string{"line\nbreak"}, "a control character"},
		{[]string{"Same", "same"}, "Same and same"},
		{[]string{"Folder/a", "folder/b"}, "Folder and folder"},
		{[]string{"caf\u00e9", "cafe\u0301"}, "Windows and macOS take these for one name"},
		{[]string{"cafe\u0301"}, "accents as macOS writes them"},
		{[]string{strings.Repeat("x", 255)}, ""},
		{[]string{"PROGRA~1.TXT", "..x", "-o", "a\tb"}, "Windows"},
	} {
		dir := tree(t, c.names...)
		made, err := shoal.Create(t.Context(), shoal.CreateOptions{Path: dir})
		if err != nil {
			t.Errorf("%q: %v", c.names, err)
			continue
		}
		if got := rawNames(t, made); !slices.Equal(got, sorted(c.names)) {
			t.Errorf("%q: in it are %q", c.names, got)
		}
		all := strings.Join(made.Warnings, "\n")
		if c.warn == "" && all != "" || !strings.Contains(strings.ReplaceAll(all, "gets others: ", "gets others: tree/"), c.warn) && !strings.Contains(all, c.warn) {
			t.Errorf("%q: warnings %q, want %q", c.names, all, c.warn)
		}
	}
}

func sorted(names []string) []string {
	names = slices.Clone(names)
	slices.Sort(names)
	return names
}

// rawNames gives the paths of the files in a torrent as it has them.
func rawNames(t *testing.T, made shoal.Created) (all []string) {
	t.Helper()
	m, err := metainfo.Parse(made.Metainfo)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range m.Info.Files {
		all = append(all, strings.Join(f.RawPath[1:], "/"))
	}
	return sorted(all)
}

// One try names everything that can't be in the torrent; nothing of it hides the rest.
func TestCreateNamesEveryProblem(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs names that are not UTF-8")
	}
	dir := tree(t, "fine", "caf\xe9", "sub/na\xefve/x", "sub/closed", "locked/y", strings.Repeat("d/", 100)+"deep")
	must(t, os.Chmod(filepath.Join(dir, "sub/closed"), 0))
	must(t, os.Chmod(filepath.Join(dir, "locked"), 0))
	t.Cleanup(func() { os.Chmod(filepath.Join(dir, "locked"), 0o755) })
	want := []string{"caf\ufffd: the name is not UTF-8", "--raw-names", "sub/na\ufffdve: the name is not UTF-8", "folders deep"}
	if os.Getuid() != 0 {
		want = append(want, "sub/closed: permission denied", "locked: permission denied")
	}
	_, err := shoal.Create(t.Context(), shoal.CreateOptions{Path: dir})
	var p *shoal.ProblemsError
	if !errors.As(err, &p) {
		t.Fatalf("create: %v", err)
	}
	all := strings.Join(p.Problems, "\n")
	for _, w := range want {
		if !strings.Contains(all, w) {
			t.Errorf("not told: %q, of\n%s", w, all)
		}
	}
	if strings.Contains(all, "fine") {
		t.Errorf("told: %s", all)
	}
	// The ways out that the messages name.
	must(t, os.RemoveAll(filepath.Join(dir, "d")))
	made, err := shoal.Create(t.Context(), shoal.CreateOptions{Path: dir, RawNames: true, Exclude: []string{"closed", "locked"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := rawNames(t, made); !slices.Equal(got, []string{"caf\xe9", "fine", "sub/na\xefve/x"}) {
		t.Errorf("with raw names: %q", got)
	}
}

// What systems and shoal make for themselves is left out with a word, and kept when asked.
func TestCreateLeavesJunkOut(t *testing.T) {
	junk := []string{
		".DS_Store", "sub/.DS_Store", "Thumbs.db", "thumbs.db", "desktop.ini", "Desktop.ini", "._film.mkv", ".Spotlight-V100/x", ".Trashes/501/y",
		"$RECYCLE.BIN/z", "System Volume Information/v", ".directory", ".Trash-1000/files/t", "@eaDir/a", "lost+found/b", "__MACOSX/._c",
	}
	own := []string{".0123.shoal-part", "film.shoal-new"}
	partial := []string{"a.part", "b.!qB", "c.aria2", "d.!ut", "e.crdownload"}
	fine := []string{"film.mkv", "DS_Store", "thumbs.db.txt", "sub/_.x", "part"}
	dir := tree(t, slices.Concat(junk, own, partial, fine)...)
	made, err := shoal.Create(t.Context(), shoal.CreateOptions{Path: dir})
	if err != nil {
		t.Fatal(err)
	}
	if got := rawNames(t, made); !slices.Equal(got, sorted(slices.Concat(partial, fine))) {
		t.Errorf("in it: %q", got)
	}
	all := strings.Join(made.Warnings, "\n")
	for _, w := range []string{"--include-junk", "shoal makes them for itself", "perhaps not complete, by the name: a.part"} {
		if !strings.Contains(all, w) {
			t.Errorf("warnings have no %q: %s", w, all)
		}
	}
	made, err = shoal.Create(t.Context(), shoal.CreateOptions{Path: dir, IncludeJunk: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := rawNames(t, made); !slices.Equal(got, sorted(slices.Concat(junk, partial, fine))) {
		t.Errorf("with junk: %q", got)
	}
	// A file that the user names is what the user wants.
	if _, err := shoal.Create(t.Context(), shoal.CreateOptions{Path: filepath.Join(dir, "desktop.ini")}); err != nil {
		t.Error(err)
	}
	dir = tree(t, ".DS_Store", "Thumbs.db")
	if _, err := shoal.Create(t.Context(), shoal.CreateOptions{Path: dir}); err == nil || !strings.Contains(err.Error(), "--include-junk") {
		t.Errorf("nothing but junk: %v", err)
	}
}

// The output is not part of what it describes, and empty folders are told.
func TestCreateOutputInside(t *testing.T) {
	dir := tree(t, "a", "tree.torrent")
	must(t, os.MkdirAll(filepath.Join(dir, "empty/inner"), 0o755))
	made, err := shoal.Create(t.Context(), shoal.CreateOptions{Path: dir, Output: filepath.Join(dir, "tree.torrent")})
	if err != nil {
		t.Fatal(err)
	}
	if got := rawNames(t, made); !slices.Equal(got, []string{"a"}) {
		t.Errorf("in it: %q", got)
	}
	all := strings.Join(made.Warnings, "\n")
	if !strings.Contains(all, "the torrent is written to it: tree.torrent") || !strings.Contains(all, "empty folders are not in a torrent: empty/inner/") {
		t.Errorf("warnings %s", all)
	}
}

// Another source, or entropy, is another info-hash of the same files; the date is not.
func TestCreateIdentity(t *testing.T) {
	dir := tree(t, "a", "b")
	hash := func(o shoal.CreateOptions) string {
		o.Path = dir
		made, err := shoal.Create(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		return made.InfoHash
	}
	plain := hash(shoal.CreateOptions{})
	if hash(shoal.CreateOptions{Date: time.Unix(1e9, 0)}) != plain {
		t.Error("the date changes the info-hash")
	}
	seen := map[string]bool{plain: true}
	for _, o := range []shoal.CreateOptions{{Source: "A"}, {Source: "B"}, {Entropy: shoal.NewEntropy()}, {Entropy: shoal.NewEntropy()}, {Name: "other"}} {
		if h := hash(o); seen[h] {
			t.Errorf("%+v has the info-hash of another", o)
		} else {
			seen[h] = true
		}
	}
	if _, err := shoal.Create(t.Context(), shoal.CreateOptions{Path: "/"}); err == nil || !strings.Contains(err.Error(), "--name") {
		t.Errorf("the root: %v", err)
	}
	if _, err := shoal.Create(t.Context(), shoal.CreateOptions{Path: dir, Name: "a/b"}); err == nil {
		t.Error("a name with a slash was taken")
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

var must = testkit.Must
