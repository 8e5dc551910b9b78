package metainfo

import (
	"bytes"

	"shoal/bencode"
)

// OtherNames are the names under other keys than the ones that we use: "name" and "path" when
// there is "name.utf-8" or "path.utf-8", or the reverse. Old programs save files under these
// names.
type OtherNames struct {
	Name  string           // of the torrent; empty: none
	Paths map[int][]string // paths below it, by file
}

// OtherNames reads the info dictionary again. Most torrents have no other names.
func (i *Info) OtherNames() OtherNames {
	var out OtherNames
	if !bytes.Contains(i.Raw, []byte(".utf-8")) {
		return out
	}
	v, err := rules.Parse(i.Raw)
	if err != nil {
		return out
	}
	for _, key := range []string{"name", "name.utf-8"} {
		if s, ok := v.Get(key).Text(); ok && s != i.RawName {
			out.Name = s
		}
	}
	if !i.MultiFile {
		return out
	}
	out.Paths = make(map[int][]string)
	n := 0
	for f := range v.Get("files").Items() {
		if n < len(i.Files) && !i.Files[n].Pad {
			if other := otherPath(f, i.Files[n].RawPath[1:]); other != nil {
				out.Paths[n] = other
			}
		}
		n++
	}
	return out
}

// otherPath returns the unused path of a file, if it has as many elements as the used one.
func otherPath(f bencode.Value, taken []string) []string {
	for _, key := range []string{"path", "path.utf-8"} {
		var path []string
		differs := false
		for e := range f.Get(key).Items() {
			s, ok := e.Text()
			if !ok || len(path) == len(taken) {
				return nil
			}
			differs = differs || s != taken[len(path)]
			path = append(path, s)
		}
		if differs && len(path) == len(taken) {
			return path
		}
	}
	return nil
}
