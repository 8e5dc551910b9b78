package spelling

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Name is a name in a torrent, with all that we know about its spellings.
type Name struct {
	Raw     string   // as in the torrent
	Charset string   // label of the character set that the torrent names; empty: none
	Also    []string // more spellings, the likeliest first: the name that we save it under, other keys of the torrent
}

// Match is a name on disk that may be one of the torrent's.
type Match struct {
	Name   string // as on disk
	Suffix string // end of Name that marks another client's incomplete file; empty: none
	Rank   int    // 0 for the likeliest
}

// Stem returns the name without the suffix.
func (m Match) Stem() string { return m.Name[:len(m.Name)-len(m.Suffix)] }

// Ranks of matches that are not among the known forms.
const (
	rankKey  = 1000 // the keys are equal
	rankPart = 2000 // the name on disk is cut
)

// Clients cut names that are longer than longName bytes, and leave at least leastCut
// characters of the key. On some systems a whole path has 260 characters.
const (
	longName = 100
	leastCut = 24
	mostCut  = 256 // no file system takes more characters
)

// maxMatches bounds the matches of one name.
const maxMatches = 8

// Listing is the contents of one folder, prepared for looking up many names.
type Listing struct {
	keys  map[string][]int32 // by key, of the name and of the name without its suffix; nil until needed
	stems map[string][]int32 // by key of the name without suffix and extension
	list  []Match
}

// NewListing returns a Listing of the names in a folder, in any order.
func NewListing(names []string) *Listing {
	l := &Listing{list: make([]Match, 0, len(names))}
	names = slices.Sorted(slices.Values(names))
	for _, n := range names {
		l.list = append(l.list, Match{Name: n})
	}
	return l
}

func (l *Listing) index() {
	if l.keys != nil {
		return
	}
	l.keys, l.stems = make(map[string][]int32, len(l.list)), make(map[string][]int32, len(l.list))
	for i := range l.list {
		m := &l.list[i]
		if Control(m.Name) {
			continue
		}
		stem, suffix := Incomplete(m.Name)
		m.Suffix = suffix
		at := int32(i)
		l.keys[Key(m.Name)] = append(l.keys[Key(m.Name)], at)
		if suffix != "" {
			l.keys[Key(stem)] = append(l.keys[Key(stem)], at)
		}
		base, _ := extension(stem)
		l.stems[Key(base)] = append(l.stems[Key(base)], at)
	}
}

func extension(name string) (stem, ext string) {
	if i := strings.LastIndexByte(name, '.'); i > 0 && len(name)-i <= 12 {
		return name[:i], name[i:]
	}
	return name, ""
}

// Find returns the names on disk that may be a name of the torrent, the likeliest first,
// without control files of other clients.
func (l *Listing) Find(n Name) []Match {
	if len(l.list) == 0 {
		return nil
	}
	l.index()
	var texts []string
	for _, s := range slices.Concat(n.Also, []string{n.Raw}, Readings(n.Raw, n.Charset)) {
		if s != "" && len(s) <= maxText {
			texts = appendNew(texts, s)
		}
	}
	f := finding{l: l}
	for _, s := range texts {
		key := Key(s)
		otherwise := rankKey
		if key == "" { // only the known forms can be compared
			otherwise = -1
		}
		for _, at := range l.keys[key] {
			m := l.list[at]
			if m.Suffix != "" && Key(m.Stem()) != key {
				m.Suffix = "" // the torrent's own name ends like that
			}
			f.add(m, otherwise)
		}
		if len(s) > longName {
			l.cut(s, &f)
		}
	}
	return f.best(texts)
}

// finding collects the matches of one name.
type finding struct {
	l    *Listing
	list []Match
	seen map[string]bool
}

func (f *finding) add(m Match, otherwise int) {
	if f.seen == nil {
		f.seen = make(map[string]bool)
	}
	if !f.seen[m.Name] {
		f.seen[m.Name] = true
		m.Rank = otherwise
		f.list = append(f.list, m)
	}
}

// best ranks the matches by the known forms of the texts.
func (f *finding) best(texts []string) []Match {
	if len(f.list) == 0 { // the common and cheap case
		return nil
	}
	rank := make(map[string]int)
	for _, forms := range []bool{false, true} {
		for _, s := range texts {
			list := []string{s}
			if forms {
				list = Forms(s)
			}
			for _, s := range list {
				if _, known := rank[s]; !known {
					rank[s] = len(rank)
				}
			}
		}
	}
	out := f.list[:0]
	for _, m := range f.list {
		if r, known := rank[m.Stem()]; known {
			m.Rank = r
		}
		if m.Rank >= 0 {
			out = append(out, m)
		}
	}
	slices.SortStableFunc(out, func(a, b Match) int {
		return cmp.Or(cmp.Compare(a.Rank, b.Rank), cmp.Compare(len(a.Suffix), len(b.Suffix)), strings.Compare(a.Name, b.Name))
	})
	return out[:min(len(out), maxMatches)]
}

// cut finds names that begin like a long one, with its extension or none.
func (l *Listing) cut(s string, f *finding) {
	base, ext := extension(s)
	key, ext := Key(base), Key(ext)
	chars := 0
	for i := range key {
		if chars++; chars <= leastCut {
			continue
		} else if chars > mostCut {
			return
		}
		for _, at := range l.stems[key[:i]] {
			if _, e := extension(l.list[at].Stem()); e == "" || Key(e) == ext {
				f.add(l.list[at], rankPart)
			}
		}
	}
	if utf8.RuneCountInString(key) > leastCut {
		for _, at := range l.stems[key] {
			f.add(l.list[at], rankPart)
		}
	}
}
