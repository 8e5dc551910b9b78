package content

import (
	"cmp"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"shoal/internal/files/storage"
	"shoal/internal/value/spelling"
	"shoal/metainfo"
)

// Bounds on a search, so that it costs no more than listing the folders once.
const (
	mostListed  = 200_000   // names that we look at in one folder
	mostNames   = 2_000_000 // names that we look at in all
	mostFolders = 4         // folders on disk that can stand for one of the torrent's
)

// candidate is a file on disk that may be one of the torrent's.
type candidate struct {
	path   string // path below the folder, as on disk
	suffix string // suffix that another client put on the incomplete file
	rank   int    // 0 for the likeliest
	size   int64
}

// finder looks for the torrent's files under other names, as other clients leave them. It lists each
// folder once, follows no link that leads out, and opens nothing: hashes decide later whether a file is
// the torrent's.
type finder struct {
	folder storage.FS
	lister storage.Lister
	info   *metainfo.Info
	lists  map[string]*listed
	left   int // names that we may still look at
	found  map[int][]candidate
}

// listed holds the entries of one folder.
type listed struct {
	index   *spelling.Listing
	folders map[string]bool
	links   map[string]bool // links; the folder's FS knows their targets, and refuses those that lead out
}

// spot is a folder on disk that may hold files of the torrent, and how likely that is.
type spot struct {
	dir  string
	rank int
}

// wanted is a name in the torrent, with the names of the files in it that we look for.
type wanted struct {
	name   spelling.Name
	file   int // -1 for a folder
	within []*wanted
}

// findFiles returns files on disk that may be the torrent's, by file, the likeliest first. fileName is
// the name of the .torrent file, which some clients use for the torrent's folder; empty when it is not
// known. findFiles returns nil when the folder can't be listed.
func findFiles(folder storage.FS, info *metainfo.Info, fileName string, files []int) map[int][]candidate {
	lister, ok := folder.(storage.Lister)
	if !ok || len(files) == 0 {
		return nil
	}
	f := &finder{folder: folder, lister: lister, info: info, left: mostNames, lists: map[string]*listed{}, found: map[int][]candidate{}}
	top := f.list(".")
	if top == nil {
		return nil
	}
	root := f.tree(files)
	called := f.called(fileName)
	if root.file >= 0 { // a single file can lie in a folder of its own name
		places := []spot{{".", 0}}
		stem := root.name
		stem.Raw = strings.TrimSuffix(stem.Raw, path.Ext(stem.Raw))
		stem.Also = nil
		for _, n := range []spelling.Name{root.name, stem} {
			places = append(places, f.folders(spot{".", 100}, n)...)
		}
		places = append(places, called...)
		f.walk(&wanted{within: []*wanted{root}}, places)
	} else {
		// The files of a torrent with many files can lie in the folder itself.
		places := append(f.folders(spot{".", 0}, root.name), called...)
		for _, p := range places { // a folder that was unpacked into a folder, or that the user chose one level too deep
			places = append(places, f.folders(spot{p.dir, p.rank + 20}, root.name)...)
		}
		f.walk(root, append(places, spot{".", 100}))
	}
	for _, list := range f.found {
		slices.SortStableFunc(list, func(a, b candidate) int { return cmp.Compare(a.rank, b.rank) })
	}
	return f.found
}

// called returns the folders on disk that have the name of the .torrent file, with and without what
// browsers and clients append to it: "x (1).torrent", "x.torrent.added".
func (f *finder) called(fileName string) (out []spot) {
	if strings.ContainsAny(fileName, "/\x00") {
		return nil
	}
	if i := strings.LastIndex(strings.ToLower(fileName), ".torrent"); i >= 0 && i < len(fileName) {
		fileName = fileName[:i]
	}
	names := []string{fileName}
	if m := copied.FindString(fileName); m != "" {
		names = append(names, strings.TrimSuffix(fileName, m))
	}
	for i, n := range names {
		if n != "" {
			out = append(out, f.folders(spot{".", 40 + 10*i}, spelling.Name{Raw: n})...)
		}
	}
	return out
}

// copied matches what browsers append to the name of a file that exists already.
var copied = regexp.MustCompile(`[ _]?\([0-9]{1,3}\)$`)

// tree arranges the names of the files that we look for.
func (f *finder) tree(files []int) *wanted {
	others := f.info.OtherNames()
	name := func(raw, kept, safe, other string) spelling.Name {
		n := spelling.Name{Raw: raw, Charset: f.info.Charset(), Also: []string{kept, safe}}
		if other != "" {
			n.Also = append(n.Also, other)
		}
		return n
	}
	root := &wanted{name: name(f.info.RawName, f.info.Name, f.info.SafeName, others.Name), file: -1}
	if !f.info.MultiFile {
		root.file = 0
		return root
	}
	folders, twins := map[string]*wanted{"": root}, twinsOf(f.info)
	for _, i := range files {
		file := &f.info.Files[i]
		in, key := root, ""
		for k := 1; k < len(file.Path); k++ {
			key += "/" + file.Path[k]
			next := folders[key]
			if k == len(file.Path)-1 || next == nil {
				other := ""
				if p := others.Paths[i]; p != nil {
					other = p[k-1]
				}
				next = &wanted{name: name(file.RawPath[k], file.Path[k], file.SafePath[k], other), file: -1}
				in.within = append(in.within, next)
				if k == len(file.Path)-1 {
					next.file = i
					if n := twins[i]; n > 0 {
						next.name.Also = append(next.name.Also, numbered(spelling.Text(file.RawPath[k], f.info.Charset()), n)...)
					}
				} else {
					folders[key] = next
				}
			}
			in = next
		}
	}
	return root
}

// walk looks in folders on disk for the entries of a folder of the torrent.
func (f *finder) walk(w *wanted, places []spot) {
	for _, c := range w.within {
		if c.file < 0 {
			var below []spot
			for _, p := range places {
				below = append(below, f.folders(p, c.name)...)
			}
			if len(below) > 0 {
				f.walk(c, below[:min(len(below), 2*mostFolders)])
			}
			continue
		}
		for _, p := range places {
			f.files(c, p)
		}
	}
}

// folders returns the folders in a place that may have a name.
func (f *finder) folders(in spot, n spelling.Name) (out []spot) {
	l := f.list(in.dir)
	if l == nil {
		return nil
	}
	for _, m := range l.index.Find(n) {
		if !l.folders[m.Name] && !l.links[m.Name] || m.Suffix != "" || len(out) == mostFolders {
			continue
		}
		dir := path.Join(in.dir, m.Name)
		if l.links[m.Name] {
			f.follow(dir)
		}
		out = append(out, spot{dir, in.rank + len(out)})
	}
	return out
}

// files notes the files in a place that may be one of the torrent's.
func (f *finder) files(w *wanted, in spot) {
	l := f.list(in.dir)
	if l == nil {
		return
	}
	for _, m := range l.index.Find(w.name) {
		if l.folders[m.Name] {
			continue
		}
		c := candidate{path: path.Join(in.dir, m.Name), suffix: m.Suffix, rank: in.rank*10_000 + m.Rank}
		if l.links[m.Name] {
			f.follow(c.path)
		}
		info, err := f.folder.Lstat(c.path)
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		// A file longer than the torrent's is something else.
		if c.size = info.Size(); c.size == 0 || c.size > f.info.Files[w.file].Length {
			continue
		}
		if c.size < f.info.Files[w.file].Length && c.suffix == "" {
			c.rank += 1 << 24
		}
		f.found[w.file] = append(f.found[w.file], c)
	}
}

// follow follows a link of the user, if the folder supports that (storage.Linked).
func (f *finder) follow(name string) {
	if l, ok := f.folder.(interface{ Follow(name string) }); ok {
		l.Follow(name)
	}
}

// list lists a folder once; nil when that is impossible.
func (f *finder) list(dir string) *listed {
	if l, known := f.lists[dir]; known {
		return l
	}
	f.lists[dir] = nil
	if f.left <= 0 {
		return nil
	}
	entries, _, err := f.lister.List(dir, min(mostListed, f.left))
	if err != nil {
		return nil
	}
	f.left -= len(entries)
	l := &listed{folders: map[string]bool{}, links: map[string]bool{}}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		if e.IsDir() {
			l.folders[e.Name()] = true
		} else if e.Type()&fs.ModeSymlink != 0 {
			l.links[e.Name()] = true
		}
		names = append(names, e.Name())
	}
	l.index = spelling.NewListing(names)
	f.lists[dir] = l
	return l
}
