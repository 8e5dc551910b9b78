package metainfo

import "strconv"

// namer assigns a path of its own to each file of a torrent, with elements returned by clean.
// Folders whose names have one key are one folder. If the path of a file already belongs to
// another file or to a folder, the file gets a number before its extension: "a.txt",
// "a (2).txt", "a (3).txt"; so does a folder whose path already belongs to a file. The first one in the torrent keeps the name, so the
// same torrent has the same paths everywhere.
//
// Its time is proportional to the elements of all paths: four tables have one entry for each
// name, and a number once tried for a name is not tried again.
type namer struct {
	names []string // names of the folders; folder 0 is the torrent's root

	clean func(string) string // makes a name of an element; empty when nothing is left
	key   func(string) string // equal for names that some file systems do not distinguish
	max   int                 // limit of bytes of a name with a number in it

	folders map[element]int32  // by the element as in the torrent
	taken   map[element]int32  // by key: the folder or file that has the name
	moved   map[element]int32  // by key: folders whose name a file has taken
	last    map[element]uint32 // by key of a numbered name: latest number

	way []stride // to the folder of the latest file
}

// stride is a step to a folder, and its number.
type stride struct {
	to element
	at int32
}

// element is a name within a folder.
type element struct {
	folder int32
	name   string
}

// isFile marks a file in taken; folders are there by their number.
const isFile = -1

// fallback is the name of an element of which nothing is left.
const fallback = "_"

func newNamer(root string, clean, key func(string) string) *namer {
	return &namer{
		names: []string{root},
		clean: clean, key: key, max: MaxName,
		folders: make(map[element]int32),
		taken:   make(map[element]int32),
		moved:   make(map[element]int32),
		last:    make(map[element]uint32),
	}
}

// room makes room for the names of files, so that the largest table does not grow.
func (n *namer) room(files int) *namer {
	n.taken = make(map[element]int32, files)
	return n
}

// path appends the path of a file to dst: the root, and a name for each element. raw has at
// least one element.
func (n *namer) path(dst, raw []string) []string {
	at := int32(0)
	dst = append(dst, n.names[at])
	for depth, elem := range raw[:len(raw)-1] {
		at = n.step(depth, element{at, elem})
		dst = append(dst, n.names[at])
	}
	return append(dst, n.file(at, raw[len(raw)-1]))
}

// step returns a folder at a depth: most often the same one as for the file before.
func (n *namer) step(depth int, to element) int32 {
	if depth < len(n.way) && n.way[depth].to == to {
		return n.way[depth].at
	}
	at := n.folder(to.folder, to.name)
	n.way = append(n.way[:depth], stride{to, at})
	return at
}

func (n *namer) folder(in int32, raw string) int32 {
	if at, ok := n.folders[element{in, raw}]; ok {
		return at
	}
	at := n.newFolder(in, n.element(raw))
	n.folders[element{in, raw}] = at
	return at
}

func (n *namer) newFolder(in int32, name string) int32 {
	key := element{in, n.key(name)}
	at, ok := n.taken[key]
	if ok && at != isFile {
		return at
	}
	if ok { // a file has the name
		if at, ok := n.moved[key]; ok {
			return at
		}
	}
	at = int32(len(n.names))
	n.names = append(n.names, name)
	if !ok {
		n.taken[key] = at
		return at
	}
	n.moved[key] = at
	n.names[at] = n.number(in, name, at)
	return at
}

func (n *namer) file(in int32, raw string) string {
	name := n.element(raw)
	key := element{in, n.key(name)}
	if _, ok := n.taken[key]; !ok {
		n.taken[key] = isFile
		return name
	}
	return n.number(in, name, isFile)
}

// number takes the first free name of the form "name (2).ext". It makes room for the number
// first, so that all names that would become equal share one count.
func (n *namer) number(in int32, name string, what int32) string {
	const room = len(" (4294967295)")
	stem, ext := splitName(shorten(name, n.max-room))
	count := element{in, n.key(stem) + "\x00" + n.key(ext)}
	i := max(n.last[count], 1)
	for {
		i++
		numbered := stem + " (" + strconv.FormatUint(uint64(i), 10) + ")" + ext
		key := element{in, n.key(numbered)}
		if _, ok := n.taken[key]; !ok {
			n.taken[key] = what
			n.last[count] = i
			return numbered
		}
	}
}

func (n *namer) element(raw string) string {
	if s := n.clean(raw); s != "" {
		return s
	}
	return fallback
}
