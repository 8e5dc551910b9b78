package catalogue_test

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"path"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"shoal/bencode"
	"shoal/internal/crashfs"
	"shoal/internal/files/catalogue"
	"shoal/internal/files/resume"
	"shoal/internal/files/storage"
	"shoal/internal/testkit"
	"shoal/internal/value/infohash"
	"shoal/metainfo"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// folder is where the catalogue of a test is.
const folder = "torrents"

var must = testkit.Must

// torrent makes the metainfo of a torrent with two files, told apart by n.
func torrent(n, pieces int) []byte {
	hashes := make([]byte, 20*pieces)
	rng := rand.New(rand.NewPCG(uint64(n), 1))
	for i := range hashes {
		hashes[i] = byte(rng.Uint32())
	}
	w := bencode.NewWriter(nil)
	w.BeginDict()
	w.Key("announce")
	w.String("http://127.0.0.1:7000/announce")
	w.Key("info")
	w.BeginDict()
	w.Key("files")
	w.BeginList()
	for i, length := range []int64{int64(pieces)*1024 - 10, 10} {
		w.BeginDict()
		w.Key("length")
		w.Int(length)
		w.Key("path")
		w.BeginList()
		w.String(fmt.Sprintf("file %d", i))
		w.End()
		w.End()
	}
	w.End()
	w.Key("name")
	w.String(fmt.Sprintf("torrent %d", n))
	w.Key("piece length")
	w.Int(1024)
	w.Key("pieces")
	w.Bytes(hashes)
	w.End()
	w.End()
	return w.Finish()
}

// entry makes an entry of every choice, told apart by n.
func entry(t testing.TB, n int) catalogue.Entry {
	t.Helper()
	b := torrent(n, 3)
	meta, err := metainfo.Parse(b)
	must(t, err)
	return catalogue.Entry{
		InfoHash: meta.InfoHash, Metainfo: b,
		Choices: catalogue.Choices{
			Dir: fmt.Sprintf("/files/%d", n), SeedOnly: n%2 == 1, Allocate: n%3 == 1, Paused: n%5 == 3, Forced: n%7 == 4, Sequential: n%7 == 5,
			Limits: limits(n), ShareLimits: share(n), Seeded: time.Duration(n/3) * time.Second,
			Priorities: []uint8{uint8(n % 4), 2},
			Renamed:    []catalogue.Rename{{File: 1, Path: "another/name"}},
			Suffix:     ".part", IncompleteDir: "/incomplete",
			Peers:    []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:7001"), netip.MustParseAddrPort("[::1]:7002")},
			WebSeeds: webSeeds(n), Trackers: trackers(n), NoTrackers: webSeeds(n),
			Added: time.Unix(1_700_000_000, int64(n)).UTC(),
		},
		State: catalogue.State{Stopped: n%5 == 4, Uploaded: int64(n) * 100, Downloaded: int64(n) * 10},
	}
}

// magnetEntry makes an entry of a magnet whose metadata is missing: the torrent of entry.
func magnetEntry(t testing.TB, n int) catalogue.Entry {
	t.Helper()
	e := entry(t, n)
	e.Metainfo, e.Priorities, e.Renamed = nil, nil, nil
	e.Pending = &catalogue.Pending{
		Link: "magnet:?xt=urn:btih:" + e.InfoHash.String() + "&dn=some+name&tr=udp%3A%2F%2Ftracker.example%3A6969&so=1",
		Ask:  n%2 == 0, Rest: n%4 == 0,
		Files:  []catalogue.FileRule{{Pattern: "**"}, {Pattern: "season 1/*.mkv", Priority: 3}},
		Rename: []catalogue.PathRename{{From: "a/b", To: "a/c"}},
	}
	return e
}

// limits, share and webSeeds give those of a torrent; the first three have none.
func limits(n int) []int64 {
	if n < 3 {
		return nil
	}
	return []int64{int64(n) << 10, 0, 1, 2}
}

func trackers(n int) []catalogue.Tracker {
	if n < 3 {
		return nil
	}
	return []catalogue.Tracker{{URL: "udp://tracker.example:6969", Tier: n}, {URL: "http://b.example/announce"}}
}

func webSeeds(n int) []string {
	if n < 3 {
		return nil
	}
	return []string{"http://mirror.example/a/", fmt.Sprintf("https://mirror.example/%d/", n)}
}

func share(n int) *catalogue.ShareLimits {
	if n < 3 {
		return nil
	}
	return &catalogue.ShareLimits{Thousandths: int64(n) * 100, SeedTime: time.Duration(n) * time.Hour, IdleTime: time.Minute, Then: uint8(n % 2)}
}

// describe gives all that is known of an entry as text, to compare.
func describe(e catalogue.Entry) string {
	return fmt.Sprintf("%v metainfo %v dir %q seed %v allocate %v paused %v forced %v sequential %v limits %v share %+v seeded %v priorities %v renamed %v suffix %q incomplete %q peers %v web seeds %v trackers %v without %v added %v pending %+v state %+v",
		e.InfoHash, infohash.Of(e.Metainfo), e.Dir, e.SeedOnly, e.Allocate, e.Paused, e.Forced, e.Sequential, e.Limits, cmp.Or(e.ShareLimits, new(catalogue.ShareLimits)), e.Seeded, e.Priorities, e.Renamed, e.Suffix, e.IncompleteDir, e.Peers, e.WebSeeds, e.Trackers, e.NoTrackers, e.Added.UnixNano(), cmp.Or(e.Pending, new(catalogue.Pending)), e.State)
}

func describeAll(entries []catalogue.Entry) []string {
	var all []string
	for _, e := range entries {
		all = append(all, describe(e))
	}
	return all
}

// open opens a catalogue, which must succeed and have nothing to say.
func open(t testing.TB, fsys resume.FS) (*catalogue.Catalogue, []catalogue.Entry) {
	t.Helper()
	c, lo := openDamaged(t, fsys)
	for _, p := range lo.Problems {
		t.Errorf("problem: %v", p)
	}
	return c, lo.Entries
}

func openDamaged(t testing.TB, fsys resume.FS) (*catalogue.Catalogue, *catalogue.Loaded) {
	t.Helper()
	c, lo, err := catalogue.Open(fsys)
	must(t, err)
	for _, e := range lo.Entries {
		if e.Torrent == nil && e.Pending == nil || e.Torrent != nil && e.Torrent.InfoHash != e.InfoHash {
			t.Fatalf("%v comes without its torrent", e.InfoHash)
		}
	}
	return c, lo
}

// content gives the bytes of a file of the catalogue.
func content(t testing.TB, f *crashfs.FS, name string) []byte {
	t.Helper()
	h, err := f.Folder(folder).Open(name, storage.Read)
	must(t, err)
	info, err := h.Stat()
	must(t, err)
	b := make([]byte, info.Size())
	_, err = h.ReadV([][]byte{b}, 0)
	must(t, err)
	return b
}

// names gives the files of the catalogue, sorted.
func names(t testing.TB, f *crashfs.FS) []string {
	t.Helper()
	all, err := f.Folder(folder).List()
	must(t, err)
	slices.Sort(all)
	return all
}

// fill makes a file system with files, durably.
func fill(t testing.TB, files map[string][]byte) *crashfs.FS {
	t.Helper()
	f := crashfs.New(nil)
	d := f.Folder(folder)
	for name, b := range files {
		h, err := d.Open(path.Base(name), storage.Create)
		must(t, err)
		_, err = h.WriteV([][]byte{b}, 0)
		must(t, err)
		must(t, h.Sync())
	}
	must(t, d.SyncDir("."))
	return f
}

// files gives all files of the catalogue.
func files(t testing.TB, f *crashfs.FS) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	for _, name := range names(t, f) {
		all[name] = content(t, f, name)
	}
	return all
}

var background = context.Background()
