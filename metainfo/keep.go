package metainfo

import (
	"slices"
	"strings"

	"shoal/internal/value/spelling"
)

// KeepName turns one element of a path in a torrent into the name of one file or folder, in
// the folder that contains it, and changes as little as possible: a name that some file
// system of this system takes stays unchanged. On Windows it is [SafeName]. Elsewhere:
//
//  1. A slash and NUL become "_". "." and ".." become empty.
//  2. A name longer than any file system takes is cut by [SafeName].
//  3. If a name ends like the files that shoal creates and removes beside those of torrents
//     (.shoal-new, .shoal-part, in any case), "_" replaces the dot of that ending.
//
// Such a name may contain anything else, even control characters: print it with [Printable].
// Only the file system knows whether it takes the name; see [Info.Paths] (decision 0125).
func KeepName(name string) string {
	if rewriteAll {
		return SafeName(name)
	}
	return keepName(name)
}

// mostName is the most bytes of a name that a file system takes: 255 UTF-16 units, where each
// takes three bytes of UTF-8.
const mostName = 3 * MaxName

func keepName(name string) string {
	switch {
	case name == "." || name == "..":
		return ""
	case len(name) > mostName:
		return SafeName(name)
	}
	if strings.ContainsAny(name, "/\x00") {
		name = strings.NewReplacer("/", "_", "\x00", "_").Replace(name)
	}
	for {
		i := strings.LastIndexByte(name, '.')
		if i < 0 || !ownEnding(name[i:]) {
			return name
		}
		name = name[:i] + "_" + name[i+1:]
	}
}

// Rules say which names a file system takes.
type Rules struct {
	// Takes reports whether a file can have a name returned by [KeepName]. nil: any name.
	Takes func(name string) bool
	// Fold says that names which differ in case or in the composition of accents are one
	// name.
	Fold bool
}

// smallName is the length in bytes that all file systems take: eCryptfs takes the fewest.
const smallName = 140

// fit returns a name that the file system takes.
func (r Rules) fit(name string) string {
	kept := KeepName(name)
	if r.Takes == nil || kept == "" || r.Takes(kept) {
		return kept
	}
	safe := SafeName(name)
	if safe == "" || safe == kept || r.Takes(safe) {
		if safe == kept && len(safe) > smallName {
			return shorten(safe, smallName)
		}
		return safe
	}
	return shorten(safe, smallName)
}

// Paths returns the paths of all files: File.Path, except for names that the file system does
// not take. Those become safe, see [SafeName], and two files never get one path. Pad files
// have none.
func (i *Info) Paths(r Rules) [][]string {
	root := r.fit(i.text(i.RawName))
	if root == "" {
		root = i.Hash.String()
	}
	key := same
	if r.Fold || rewriteAll {
		key = foldKey
	}
	n := newNamer(root, r.fit, key).room(len(i.Files))
	if r.Takes != nil {
		n.max = smallName
	}
	out := make([][]string, len(i.Files))
	for k := range i.Files {
		f := &i.Files[k]
		switch {
		case f.Pad:
		case !i.MultiFile:
			out[k] = []string{root}
		default:
			out[k] = n.path(make([]string, 0, len(f.RawPath)), i.texts(f.RawPath[1:]))
		}
	}
	return out
}

// Title returns the name of the torrent as text: as it was sent, or decoded from the
// character set that the torrent names. It replaces bytes that are not text in either.
func (i *Info) Title() string { return strings.ToValidUTF8(i.text(i.RawName), "_") }

// Charset returns the label of the character set that the torrent names for its names; empty:
// none.
func (i *Info) Charset() string { return i.charset }

func (i *Info) text(raw string) string { return spelling.Text(raw, i.charset) }

// texts decodes the elements of a path. Most stay unchanged.
func (i *Info) texts(raw []string) []string {
	for at, s := range raw {
		if i.text(s) != s {
			out := slices.Clone(raw)
			for ; at < len(out); at++ {
				out[at] = i.text(out[at])
			}
			return out
		}
	}
	return raw
}

func same(name string) string { return name }

// Doubts returns names to try on a file system before a file there gets a name returned by
// [KeepName]: each has one property that some file system refuses or changes. A file system
// that takes all of them unchanged takes the name. Most names need none.
func Doubts(name string) []string {
	if len(name) <= smallName && SafeName(name) == name {
		return nil
	}
	var out []string
	add := func(s string) {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	for i, r := range name {
		if invalidAt(name, i, r) {
			add("a\xffb")
		} else if unsafeRune(r) && r != '/' && r != 0 {
			add("a" + string(r) + "b")
		}
	}
	for _, end := range []string{".", " "} {
		if strings.HasSuffix(name, end) {
			add("a" + end)
		}
	}
	if reserved(name) {
		add(name)
	}
	if shortNameTilde(name) >= 0 {
		add(ShortName)
	}
	if len(name) > smallName {
		add(name)
	}
	return out
}

// ShortName is one of the [Doubts]: a file system that adds second, short names to files
// refuses it, because it may belong to another file.
const ShortName = "SHORTN~1.TXT"
