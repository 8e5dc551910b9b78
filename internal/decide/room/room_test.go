package room_test

import (
	"math"
	"strings"
	"testing"

	"shoal/internal/decide/room"
)

// What a file still takes of the device, in every way that it can lie there.
func TestNeeds(t *testing.T) {
	const size = 1000
	for _, c := range []struct {
		what         string
		file         room.File
		bytes, files int64
	}{
		{"not there", room.File{Length: size, Missing: size}, size, 1},
		{"not there, the ends in the part file", room.File{Length: size, Missing: 700}, size, 1},
		{"complete", room.File{Length: size, There: true, Taken: size}, 0, 0},
		{"complete, and a hole of zeros", room.File{Length: size, There: true}, 0, 0},
		{"half of it, sparse", room.File{Length: size, Missing: 500, There: true, Taken: 500}, 500, 0},
		{"half of it, room reserved", room.File{Length: size, Missing: 500, There: true, Taken: size}, 0, 0},
		{"half of it, in whole blocks", room.File{Length: size, Missing: 500, There: true, Taken: 1024}, 0, 0},
		{"half of it, compressed", room.File{Length: size, Missing: 500, There: true, Taken: 10}, 500, 0},
		{"there, and empty", room.File{Length: size, Missing: size, There: true}, size, 0},
		{"there, all wrong, and ours", room.File{Length: size, Missing: size, There: true, Taken: size}, 0, 0},
		{"there, and the user's", room.File{Length: size, Missing: size, There: true, Taken: size, Replaced: true}, size, 1},
		{"half of it, with other names", room.File{Length: size, Missing: 500, There: true, Taken: size, Copied: true}, size, 1},
		{"longer, with other names", room.File{Length: size, Missing: 500, There: true, Taken: 5000, Copied: true}, 5000, 1},
		{"complete, with other names", room.File{Length: size, There: true, Taken: size, Copied: true}, 0, 0},
		{"skipped, not there", room.File{Length: size, Skipped: true}, 0, 0},
		{"skipped, with a shared piece", room.File{Length: size, Missing: 10, Skipped: true}, 10, 0},
		{"skipped, there, with a shared piece", room.File{Length: size, Missing: 10, Skipped: true, There: true, Taken: size}, 0, 0},
		{"skipped, and the user's", room.File{Length: size, Missing: 10, Skipped: true, There: true, Taken: size, Replaced: true}, 10, 0},
	} {
		if b, n := c.file.Needs(); b != c.bytes || n != c.files {
			t.Errorf("%s: %d bytes, %d files; want %d, %d", c.what, b, n, c.bytes, c.files)
		}
	}
}

func TestJudge(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		what                string
		need, files, others int64
		volume              room.Volume
		says                string // empty: it fits
	}{
		{"much room", 8 * mib, 2, 0, room.Volume{Free: 9 * mib}, ""},
		{"exactly enough", 8 * mib, 2, 0, room.Volume{Free: 8 * mib}, ""},
		{"a byte too little", 8*mib + 1, 2, 0, room.Volume{Free: 8 * mib}, "8.0 MiB are needed, and 8.0 MiB are free"},
		{"full", 8 * mib, 2, 0, room.Volume{}, "8.0 MiB are needed, and 0 bytes are free"},
		{"full, and nothing to write", 0, 0, 5 * mib, room.Volume{}, ""},
		{"enough but for others", 5 * mib, 1, 4 * mib, room.Volume{Free: 8 * mib}, "5.0 MiB are needed, and 4.0 MiB by other running torrents, and 8.0 MiB are free"},
		{"enough with others", 4 * mib, 1, 4 * mib, room.Volume{Free: 8 * mib}, ""},
		{"others that have more than they need", 8 * mib, 1, -mib, room.Volume{Free: 8 * mib}, ""},
		{"others beyond everything", 1, 1, math.MaxInt64, room.Volume{Free: math.MaxInt64}, "other running torrents"},
		{"no bound on files", 1, 1 << 40, 0, room.Volume{Free: mib}, ""},
		{"room for the files", mib, 20, 0, room.Volume{Free: mib, Files: 100, FreeFiles: 20}, ""},
		{"no room for the files", mib, 21, 0, room.Volume{Free: 9 * mib, Files: 100, FreeFiles: 20}, "21 new files and folders are needed, and the file system takes only 20 more"},
		{"no file left, and none to make", mib, 0, 0, room.Volume{Free: mib, Files: 100}, ""},
		{"no room for bytes or files", 2 * mib, 2, 0, room.Volume{Free: mib, Files: 100}, "df -i"},
	} {
		s := room.Judge(c.need, c.files, c.others, c.volume)
		if (s != nil) != (c.says != "") {
			t.Errorf("%s: %v", c.what, s)
		} else if s != nil && !strings.Contains(s.Error(), c.says) {
			t.Errorf("%s: %q; want %q", c.what, s.Error(), c.says)
		}
	}
}
