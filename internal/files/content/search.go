package content

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"shoal/internal/files/resume"
	"shoal/internal/files/storage"
	"shoal/internal/value/bitfield"
	"shoal/metainfo"
)

// errSearchAgain means that files which were found have no piece that fits: the files must be opened
// again without them.
var errSearchAgain = errors.New("files that looked like the torrent's are not")

// mostSearches bounds the rounds of a search: each round takes the next candidate for the files that
// did not match.
const mostSearches = 4

// search finds a torrent's data under other names than it should have, before anything is fetched, and
// chooses names for missing files. Its names are guesses until the hashes decide; until then nothing is
// written. It passes from one opening to the next while there are candidates to try.
type search struct {
	rounds   int
	rejected map[pairing]bool  // files on disk without a piece that fits
	proven   map[int]candidate // files with such a piece, from earlier rounds
	wrong    map[int]bool      // files without one at their own names: others may be right
	best     map[int]rated     // files that hold a part, while others are tried
	own      map[int]bool      // those of these files that are right where they are, together with their neighbours

	// Fields of this round.
	found   map[int]candidate // by file
	refused map[int]string    // files whose names the file system refuses, with these
	names   Names             // all guessed names
	fold    bool              // two names of the torrent reach one file

	// Results of hashing in earlier rounds.
	seen   resume.Seen
	looked *bitfield.Bitfield // nil before the second round
	good   *bitfield.Bitfield
	hashed int // number of pieces
}

// pairing is a file of the torrent and one on disk.
type pairing struct {
	file int
	path string
}

// rated is a candidate, and how many of the file's pieces it holds. Without a path it is the file at
// the torrent's own name.
type rated struct {
	candidate
	good int
}

func newSearch() *search {
	return &search{rejected: map[pairing]bool{}, proven: map[int]candidate{}, wrong: map[int]bool{}, best: map[int]rated{}, own: map[int]bool{}}
}

// find looks for files that are not where they should be, and makes the journal use the names that they
// have. It creates nothing but a short-lived folder, to ask the file system about names.
func (o *session) find(folder storage.FS) error {
	s := o.search
	if s == nil {
		return nil
	}
	s.rounds++
	if l, ok := folder.(*looking); ok {
		folder = l.FS // oddities there are noted later
	}
	s.found, s.refused, s.names = map[int]candidate{}, map[int]string{}, Names{}
	view := o.finding(folder, nil)
	missing, there := o.notFound(view)
	if len(missing) == 0 {
		return nil
	}
	var candidates map[int][]candidate
	if s.rounds <= mostSearches {
		candidates = findFiles(folder, o.c.info, o.c.opt.FileName, missing)
		o.combine(folder, view, candidates, missing)
	}
	for i := range s.wrong {
		there[o.lay.Files[i].Path] = true // it does not stand for another file
	}
	s.choose(folder, candidates, missing, there, func(i int) string { return o.lay.Files[i].Path })
	missing = slices.DeleteFunc(missing, func(i int) bool { // they are where they should be
		_, found := s.found[i]
		return s.wrong[i] && !found
	})
	names := Names{}
	for i, c := range s.found {
		names[i] = strings.TrimSuffix(c.path, c.suffix)
	}
	found := maps.Clone(names)
	o.nameRest(folder, missing, names)
	if err := o.journal.Call(names); err != nil { // two files would get one name
		names, s.refused = found, map[int]string{}
		if o.journal.Call(names) != nil {
			names, s.found = Names{}, map[int]candidate{}
		}
	}
	s.names = names
	o.lay = o.journal.Layout()
	return nil
}

// notFound returns the files that are not where they should be, and the paths of those that are. When a
// journal knows a file by its name, we need not look twice.
func (o *session) notFound(view storage.FS) (missing []int, there map[string]bool) {
	c, s := o.c, o.search
	numbers := make([]uint64, 0, len(c.info.Files)) // numbers of files whose names may be the same
	var seen resume.Seen
	early := false
	if len(o.unfinished) == 0 { // otherwise a look can rename a file
		var err error
		if seen, err = resume.Look(view, o.lay.Files); err == nil {
			o.early, early = &seen, true
		}
	}
	storage.LookAll(view, len(c.info.Files), func(i int) string {
		f := &c.info.Files[i]
		if f.Pad || f.Length == 0 || o.noted(i) {
			return ""
		}
		if early && seen.Files[i].Exists && seen.Files[i].Size >= 0 && (!s.wrong[i] || s.own[i]) {
			numbers = append(numbers, seen.Files[i].Inode)
			return ""
		}
		return o.lay.Files[i].Path
	}, func(i int, at storage.Look, err error) {
		switch {
		case err == nil && !at.Folder && (!s.wrong[i] || s.own[i]):
			numbers = append(numbers, at.Number())
			return
		case err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission):
			s.refused[i] = "" // the name itself
		}
		missing = append(missing, i) // a folder of that name may contain it
	})
	slices.Sort(numbers)
	if len(slices.Compact(numbers)) < len(numbers) { // hard links, or two names for one file
		missing = append(missing, o.folded(view, missing)...)
		slices.Sort(missing)
	}
	if len(missing) == 0 {
		return nil, nil
	}
	o.early = nil // the files may get other names
	there = map[string]bool{}
	for i, gone := 0, missing; i < len(c.info.Files); i++ {
		if f := &c.info.Files[i]; len(gone) > 0 && gone[0] == i {
			gone = gone[1:]
		} else if !f.Pad && f.Length > 0 {
			there[o.lay.Files[i].Path] = true
		}
	}
	return missing, there
}

// noted reports whether the journal knows a file by the torrent's name.
func (o *session) noted(i int) bool {
	f := &o.c.info.Files[i]
	return o.loaded.Found && o.loaded.Damaged == "" && o.loaded.Noted(i) && slices.Equal(f.Path, f.SafePath)
}

// folded returns the files that a file system reaches by the name of another one, for instance because
// it ignores case. It does not look at missing ones.
func (o *session) folded(view storage.FS, missing []int) (out []int) {
	first := map[string]fs.FileInfo{}
	for i := range o.c.info.Files {
		if len(missing) > 0 && missing[0] == i {
			missing = missing[1:]
			continue
		}
		if f := &o.c.info.Files[i]; f.Pad || f.Length == 0 || o.noted(i) {
			continue
		}
		name := o.lay.Files[i].Path
		key := metainfo.PathKey(name)
		info, err := view.Lstat(name)
		if err != nil {
			continue
		}
		if other := first[key]; other != nil && storage.SameFile(info, other) {
			o.search.fold = true
			out = append(out, i)
			continue
		}
		first[key] = info
	}
	return out
}

// choose takes the likeliest candidate for each file, and none for two files: a name that is the exact
// name of one file goes to no other.
func (s *search) choose(folder storage.FS, candidates map[int][]candidate, missing []int, there map[string]bool, own func(file int) string) {
	for i := range s.proven {
		if s.wrong[i] {
			there[own(i)] = false
		}
	}
	for i, c := range s.proven {
		there[c.path], there[strings.TrimSuffix(c.path, c.suffix)] = true, true
		s.found[i] = c
	}
	type pair struct {
		file int
		candidate
	}
	var pairs []pair
	for _, i := range missing {
		if _, proven := s.proven[i]; !proven && !s.own[i] {
			for _, c := range candidates[i] {
				pairs = append(pairs, pair{i, c})
			}
		}
	}
	slices.SortStableFunc(pairs, func(a, b pair) int { return cmp.Compare(a.rank, b.rank) })
	// The candidate of a wrong file becomes free when the file is found elsewhere, so files that have found
	// nothing get another chance.
	for _, p := range slices.Concat(pairs, pairs) {
		stem := strings.TrimSuffix(p.path, p.suffix)
		if _, has := s.found[p.file]; has || s.rejected[pairing{p.file, p.path}] || there[p.path] || there[stem] && !s.rejected[pairing{p.file, stem}] {
			continue
		}
		if p.suffix != "" && !s.rejected[pairing{p.file, stem}] {
			if info, err := folder.Lstat(stem); err == nil && info.Mode().IsRegular() {
				continue // this is the file itself; the candidate is what an attempt has left
			}
		}
		if s.wrong[p.file] {
			there[own(p.file)] = false
		}
		there[p.path], there[stem] = true, true
		s.found[p.file] = p.candidate
	}
}

// nameRest names missing files: in the folder in which others of the same folder were found, with a name
// that the file system takes.
func (o *session) nameRest(folder storage.FS, missing []int, names Names) {
	c, s := o.c, o.search
	paths := map[int][]string{}
	odd, fits := false, true
	for _, i := range missing {
		if _, found := names[i]; found || o.lay.Files[i].Path != path.Join(c.info.Files[i].Path...) {
			continue // the file exists, or somebody chose its name
		}
		paths[i] = c.info.Files[i].Path
		for _, e := range paths[i] {
			odd = odd || len(metainfo.Doubts(e)) > 0
		}
		odd = odd || !slices.Equal(paths[i], c.info.Files[i].SafePath)
		fits = fits && s.refused[i] == ""
	}
	rules := metainfo.Rules{Fold: s.fold}
	switch {
	case len(paths) == 0 || !odd && fits:
	case c.opt.SeedOnly: // nothing is created here, not even to ask
		for i := range paths {
			if _, refused := s.refused[i]; refused || s.fold {
				paths[i] = c.info.Files[i].SafePath
			}
		}
	default:
		ask := newTaste(folder, c.info.Hash)
		rules.Takes = ask.name
		rules.Fold = rules.Fold || ask.folds()
		all := c.info.Paths(rules)
		ask.close()
		for i := range paths {
			paths[i] = all[i]
		}
	}
	s.refused = map[int]string{}
	in := o.foldersOf(names, missing)
	for i, p := range paths {
		name := path.Join(p...)
		if name != path.Join(c.info.Files[i].Path...) {
			s.refused[i] = name
		}
		for k := len(p) - 1; k > 0; k-- {
			if dir, ok := in[path.Join(c.info.Files[i].Path[:k]...)]; ok {
				name = path.Join(append([]string{dir}, p[k:]...)...)
				break
			}
		}
		if name != o.lay.Files[i].Path {
			names[i] = name
		}
	}
}

// foldersOf returns, for each folder of the torrent, the folder on disk with most of its files.
func (o *session) foldersOf(found Names, missing []int) map[string]string {
	if len(found) == 0 {
		return nil
	}
	gone := map[int]bool{}
	for _, i := range missing {
		gone[i] = true
	}
	votes := map[[2]string]int{}
	best := map[string]string{}
	for i := range o.c.info.Files {
		f := &o.c.info.Files[i]
		name, ok := found[i]
		if f.Pad || f.Length == 0 || !ok && gone[i] {
			continue
		}
		if !ok {
			name = o.lay.Files[i].Path
		}
		dir := strings.Split(name, "/")
		dir = dir[:len(dir)-1]
		for k := len(f.Path) - 1; k > 0; k-- {
			ours, theirs := path.Join(f.Path[:k]...), path.Join(dir...)
			if theirs == "" {
				theirs = "."
			}
			pair := [2]string{ours, theirs}
			if votes[pair]++; votes[pair] > votes[[2]string{ours, best[ours]}] || best[ours] == "" {
				best[ours] = theirs
			}
			if len(dir) == 0 {
				break
			}
			dir = dir[:len(dir)-1]
		}
	}
	return best
}

// layers returns the suffixes of incomplete files that were found, with the files.
func (s *search) layers() map[string][]int {
	if s == nil {
		return nil
	}
	var out map[string][]int
	for i, c := range s.found {
		if c.suffix != "" {
			if out == nil {
				out = map[string][]int{}
			}
			out[c.suffix] = append(out[c.suffix], i)
		}
	}
	return out
}

// supposes reports whether a file was found under its name with a suffix.
func (s *search) supposes(file int, suffix string) bool {
	if s == nil {
		return false
	}
	c, found := s.found[file]
	return found && c.suffix == suffix
}

func allPieces(n uint32) *bitfield.Bitfield {
	set := bitfield.New(n)
	set.SetAll()
	return set
}

func countOf(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
