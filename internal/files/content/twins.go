package content

import (
	"path"
	"strconv"
	"strings"
	"unicode/utf8"

	"shoal/internal/value/spelling"
	"shoal/metainfo"
)

// twinsOf returns, for each file, how many earlier files or folders have the same name once clients have
// rewritten it. libtorrent writes a number into the name of such a file: "a.1.txt" beside "a.txt", and
// also beside "A.TXT" and a folder "a.txt".
func twinsOf(info *metainfo.Info) map[int]int {
	out := map[int]int{}
	keys, folders, seen := make([]string, len(info.Files)), map[string]bool{}, map[string]int{}
	for i := range info.Files {
		if info.Files[i].Pad {
			continue
		}
		key, raw := "", info.Files[i].RawPath
		for at, e := range raw {
			if at > 0 {
				folders[key] = true
			}
			k := spelling.Key(e)
			if k == "" { // "???" and "***" are both "___"
				k = strings.Repeat("_", utf8.RuneCountInString(e))
			}
			key += "/" + k
		}
		keys[i] = key
	}
	for i, key := range keys {
		if key == "" {
			continue
		}
		n := seen[key]
		if seen[key]++; folders[key] {
			n++
		}
		if n > 0 {
			out[i] = n
		}
	}
	return out
}

// numbered returns the names that libtorrent writes for a file with n twins before it, the likeliest
// first. It counts on while a name belongs to another file.
func numbered(name string, n int) (out []string) {
	ext := path.Ext(name)
	stem := strings.TrimSuffix(name, ext)
	for _, k := range []int{n, n + 1, n + 2, n - 1, n - 2} {
		if k > 0 {
			out = append(out, stem+"."+strconv.Itoa(k)+ext)
		}
	}
	return out
}
