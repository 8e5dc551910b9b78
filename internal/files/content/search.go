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

// errSearchAgain says that files which were found have no piece that fits: the files are to be
// opened again without them.
var errSearchAgain = errors.New("files that looked like the torrent's are not")

// mostSearches bounds how often a search begins again: each time it takes the next candidate
// for the files that did not match.
const mostSearches = 4

// search is the finding of a torrent's data under other names than it would have, before
// anything is fetched, and the choice of names for what is not there. Its names are only
// supposed until the hashes have decided; until then nothing is written. It goes from one
// opening to the next while there are files to try.
type search struct {
	rounds   int
	rejected map[pairing]bool  // files on disk without a piece that fits
	proven   map[int]candidate // files with one, of the rounds before
	wrong    map[int]bool      // files without one that lie at their own names: others may be right
	best     map[int]rated     // files that have a part, while others are tried
	own      map[int]bool      // files of these that are right where they lie, with their neighbours

	// Of this round.
	found   map[int]candidate // by file
	refused map[int]string    // files whose names the file system does not take, with these
	names   Names             // all that are supposed
	fold    bool              // two of the torrent's names reach one file

	// What was hashed in the rounds before.
	seen   resume.Seen
	looked *bitfield.Bitfield // nil before the second round
	good   *bitfield.Bitfield
	hashed int // pieces
}

// pairing is a file of the torrent with one on disk.
type pairing struct {
	file int
	path string
}

// rated is a candidate with how many of a file's pieces it has. Without a path it is what has
// the file's own name.
type rated struct {
	candidate
	good int
}

func newSearch() *search {
	return &search{rejected: map[pairing]bool{}, proven: map[int]candidate{}, wrong: map[int]bool{}, best: map[int]rated{}, own: map[int]bool{}}
}

// find looks for files that are not where they should be, and has the journal call them as
// they are called. Nothing is made but a folder for a moment, to ask the file system.
func (o *session) find(folder storage.FS) error {
	s := o.search
	if s == nil {
		return nil
	}
	s.rounds++
	if l, ok := folder.(*looking); ok {
		folder = l.FS // what is odd there is noted later
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
		there[o.lay.Files[i].Path] = true // it is no other file's
	}
	s.choose(folder, candidates, missing, there, func(i int) string { return o.lay.Files[i].Path })
	missing = slices.DeleteFunc(missing, func(i int) bool { // they lie where they should
		_, found := s.found[i]
		return s.wrong[i] && !found
	})
	names := Names{}
	for i, c := range s.found {
		names[i] = strings.TrimSuffix(c.path, c.suffix)
	}
	found := maps.Clone(names)
	o.nameRest(folder, missing, names)
	if err := o.journal.Call(names); err != nil { // two would get one name
		names, s.refused = found, map[int]string{}
		if o.journal.Call(names) != nil {
			names, s.found = Names{}, map[int]candidate{}
		}
	}
	s.names = names
	o.lay = o.journal.Layout()
	return nil
}

// notFound returns the files that are not where they should be, and the paths of those that
// are. A journal that knows a file as it is called need not be asked twice.
func (o *session) notFound(view storage.FS) (missing []int, there map[string]bool) {
	c, s := o.c, o.search
	numbers := make([]uint64, 0, len(c.info.Files)) // of files whose names may be one name
	var seen resume.Seen
	early := false
	if len(o.unfinished) == 0 { // else a look can rename a file
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
		missing = append(missing, i) // a folder of that name may hold it
	})
	slices.Sort(numbers)
	if len(slices.Compact(numbers)) < len(numbers) { // hard links, or names that are one
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

// noted reports whether the journal knows a file by the torrent's name of it.
func (o *session) noted(i int) bool {
	f := &o.c.info.Files[i]
	return o.loaded.Found && o.loaded.Damaged == "" && o.loaded.Noted(i) && slices.Equal(f.Path, f.SafePath)
}

// folded returns the files that a file system reaches by the name of another one, as one that
// does not tell upper case from lower. missing are not looked at.
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

// choose takes the likeliest candidate for each file, none for two: a name that is one file's
// as it stands is not given to another.
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
	// What a wrong file had is free for another one when it is found elsewhere itself, so those
	// that find nothing are asked once more.
	for _, p := range slices.Concat(pairs, pairs) {
		stem := strings.TrimSuffix(p.path, p.suffix)
		if _, has := s.found[p.file]; has || s.rejected[pairing{p.file, p.path}] || there[p.path] || there[stem] && !s.rejected[pairing{p.file, stem}] {
			continue
		}
		if p.suffix != "" && !s.rejected[pairing{p.file, stem}] {
			if info, err := folder.Lstat(stem); err == nil && info.Mode().IsRegular() {
				continue // that is the file; this is what is left of a try
			}
		}
		if s.wrong[p.file] {
			there[own(p.file)] = false
		}
		there[p.path], there[stem] = true, true
		s.found[p.file] = p.candidate
	}
}

// nameRest names files that are not there: in the folder that others of the same
// folder were found in, and such as the file system takes.
func (o *session) nameRest(folder storage.FS, missing []int, names Names) {
	c, s := o.c, o.search
	paths := map[int][]string{}
	odd, fits := false, true
	for _, i := range missing {
		if _, found := names[i]; found || o.lay.Files[i].Path != path.Join(c.info.Files[i].Path...) {
			continue // or somebody chose its name
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
	case c.opt.SeedOnly: // nothing is made here, not even to ask
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

// foldersOf returns the folders on disk that most files of each folder of the torrent lie in.
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

// layers returns the suffixes of files that were found and are not complete, with the files.
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

// supposes reports whether a file was found with a suffix behind its name.
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
