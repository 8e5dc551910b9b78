package shoal_test

import (
	"crypto/sha1"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shoal"
)

// padded makes a torrent of two files with padding between, in the form that a client has, and
// the folder of its files.
func padded(t *testing.T, attr, pad string) (torrent []byte, dir string) {
	t.Helper()
	const pieceLength, first, second = 16 << 10, 20_000, 30_000
	const gap = 2*pieceLength - first
	data := append(append([]byte(strings.Repeat("a", first)), make([]byte, gap)...), strings.Repeat("b", second)...)
	hashes := ""
	for all := data; len(all) > 0; all = all[min(pieceLength, len(all)):] {
		sum := sha1.Sum(all[:min(pieceLength, len(all))])
		hashes += string(sum[:])
	}
	path := ""
	for _, e := range strings.Split(pad, "/") {
		path += fmt.Sprintf("%d:%s", len(e), e)
	}
	in := fmt.Sprintf("d4:infod5:filesld6:lengthi%de4:pathl1:aeed%s6:lengthi%de4:pathl%seed6:lengthi%de4:pathl1:beee4:name1:n12:piece lengthi%de6:pieces%d:%see",
		first, attr, gap, path, second, pieceLength, len(hashes), hashes)
	dir = t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "n"), 0o777); err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"a": data[:first], "b": data[first+gap:]} {
		if err := os.WriteFile(filepath.Join(dir, "n", name), b, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return []byte(in), dir
}

// Padding is known in every form that clients write. It is on no list and in no total, is
// never missing and never made.
func TestPadding(t *testing.T) {
	for _, c := range [][2]string{
		{"4:attr1:p", ".pad/12768"},
		{"4:attr1:p", "anything"},
		{"", "_____padding_file_0_if you see this file, please update to BitComet 0.85 or above____"},
		{"", ".pad/12768"},
		{"", ".____padding_file/0"},
	} {
		torrent, dir := padded(t, c[0], c[1])
		v, err := shoal.Verify(t.Context(), shoal.VerifyOptions{Metainfo: torrent, Dir: dir})
		if err != nil || !v.Complete || len(v.Files) != 2 || v.Size != 50_000 || v.Verified != 50_000 {
			t.Errorf("%s: verify: %+v, %v", c[1], v, err)
		}
		e, err := shoal.New(shoal.Config{Listen: netip.MustParseAddrPort("127.0.0.1:0"), DHT: shoal.DHTConfig{Off: true}})
		if err != nil {
			t.Fatal(err)
		}
		for _, skip := range []bool{false, true} {
			tor, err := e.Add(shoal.AddOptions{Metainfo: torrent, Dir: dir, Priority: func(f shoal.File) shoal.Priority {
				if skip && f.Path == "n/a" {
					return shoal.PrioritySkip
				}
				return shoal.PriorityNormal
			}})
			if err != nil {
				t.Fatal(err)
			}
			if err := tor.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			s := tor.Stats()
			want := int64(50_000)
			if skip {
				want = 30_000
			}
			if s.Size != 50_000 || s.Verified != 50_000 || s.Wanted() != want || s.WantedVerified() != want || len(tor.Files()) != 2 {
				t.Errorf("%s, skip %v: %d of %d, wanted %d of %d, files %v", c[1], skip, s.Verified, s.Size, s.WantedVerified(), s.Wanted(), tor.Files())
			}
			tor.Stop(t.Context())
		}
		if err := e.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if list, err := os.ReadDir(filepath.Join(dir, "n")); err != nil || len(list) != 2 {
			t.Errorf("%s: there are %v, %v", c[1], list, err)
		}
	}
}
