package metainfo

import (
	"slices"
	"strings"

	"shoal/internal/value/spelling"
)

// KeepName turns one element of a path from a torrent into the name of one file or folder, in
// the folder where it is made, and changes as little as it can: a name that some file system
// of this kind of system takes stays as it is. On Windows it is [SafeName]. Elsewhere:
//
//  1. A slash and NUL become "_". Nothing is left of "." and "..".
//  2. A name that is longer than any file system takes is cut by [SafeName].
//  3. A name that ends like the files that shoal makes beside those of torrents, and removes
//     (.shoal-new, .shoal-part, in any case), has the dot of that ending replaced by "_".
//
// Such a name may hold anything else, control characters included: print it with [Printable].
// Whether a file system takes it only the file system knows; see [Info.Paths] (decision 0125).
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

// Rules say what names a file system takes.
type Rules struct {
	// Takes reports whether a file can have a name that [KeepName] left. Nil: any.
	Takes func(name string) bool
	// Fold says that names which differ in case or in the composition of accents are one.
	Fold bool
}

// smallName is the length in bytes that all file systems take: eCryptfs has the least.
const smallName = 140

// fit returns the name under which a file system takes one.
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

// Paths returns the paths of all files, as File.Path has them but for the names that a file
// system does not take. Those become safe as [SafeName] says, and two files never get one
// path. Pad files have none.
func (i *Info) Paths(r Rules) [][]string {
	root := r.fit(i.text(i.RawName))
	if root == "" {
		root = i.Hash.String()
	}
	key := same
	if r.Fold || rewriteAll {
		key = foldKey
	}
	n := newNamer(root, r.fit, key)
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

// Title returns the name of the torrent as text: as it was sent, or read in the character set
// that the torrent names. Bytes that are not text by either are replaced.
func (i *Info) Title() string { return strings.ToValidUTF8(i.text(i.RawName), "_") }

// Charset is the label of the character set that the torrent says its names are in; empty for
// none.
func (i *Info) Charset() string { return i.charset }

func (i *Info) text(raw string) string { return spelling.Text(raw, i.charset) }

// texts reads the elements of a path. Most come back as they are.
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

// Doubts returns names to try on a file system before one that [KeepName] left is given to a
// file there: each has one thing that some file system refuses or changes. A file system that
// takes all of them, as they are written, takes the name. Most names have none.
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

// ShortName is one of the [Doubts]: a file system that gives files a second, short name refuses
// it, since it may be that of another file.
const ShortName = "SHORTN~1.TXT"
