package archtest

import (
	"slices"
	"strings"
)

// The floors, lowest first. A package imports only from floors below its own,
// and from its own only where it is marked as one that composes.
const (
	Values    = iota // what things are
	Formats          // how they are written
	Decisions        // what to do; pure, as are the two below
	Shell            // doing it: sockets, files, goroutines
	Product          // what a person or a program calls
	Test             // what only tests and measurements use
)

var floorNames = [...]string{"values", "formats", "decisions", "shell", "product", "test"}

// A Room is a package, or a folder of packages, and its floor.
type Room struct {
	Dir      string // "." is the root package alone; "x/*" is each package in x by itself
	Floor    int
	Composes bool // may import from its own floor
}

// Rooms is the table of ARCHITECTURE.md. A package belongs to the room with the longest
// folder that fits, so most rows are folders and the others are exceptions (decision 0189).
var Rooms = []Room{
	{"bencode", Values, false},
	{"internal/value/*", Values, false},
	{"internal/value/meter", Values, true}, // it counts over instants
	{"internal/value/trace", Values, true}, // a record has an instant and a reason in it

	{"metainfo", Formats, false},
	{"magnet", Formats, false},
	{"internal/format/*", Formats, false},

	{"internal/decide/*", Decisions, false},
	{"internal/decide/swarm", Decisions, true}, // one torrent: it composes those below
	{"internal/decide/swarm/*", Decisions, false},

	{"internal/files/*", Shell, true},
	{"storage", Shell, false},
	{"internal/files/storage", Shell, true}, // its seam is the public storage
	{"internal/net/*", Shell, true},
	{"internal/net/netio", Shell, false},
	{"internal/net/throttle", Shell, true}, // its turns come at beats
	{"internal/mailbox", Shell, false},
	{"internal/engine", Shell, true},

	{".", Product, true},
	{"tracker", Product, true},
	{"httpserve", Product, true},
	{"cmd/shoal", Product, true},
	{"internal/cli/*", Product, true},
	{"internal/lab", Product, true},

	{"internal/sim", Test, true},
	{"internal/simnet", Test, true},
	{"internal/archtest", Test, true},
	{"internal/golden", Test, true},
	{"internal/crashfs", Test, true},
	{"internal/testkit", Test, true},
	{"storage/storagetest", Test, false},
	{"internal/files/storage/storagetest", Test, true},
	{"internal/net/netio/netiotest", Test, true},
	{"interop", Test, true},
	{"torture", Test, true},
}

// RoomOf finds the room of a package's folder. Of a row "x/*" it returns the package in x.
func RoomOf(rooms []Room, dir string) (Room, bool) {
	best, longest, found := Room{}, -1, false
	for _, r := range rooms {
		length := len(r.Dir)
		folder, each := strings.CutSuffix(r.Dir, "/*")
		if !within(dir, folder) || each && dir == folder || length < longest {
			continue
		}
		if each {
			name, _, _ := strings.Cut(strings.TrimPrefix(dir, folder+"/"), "/")
			r.Dir = folder + "/" + name
		}
		best, longest, found = r, length, true
	}
	return best, found
}

func within(dir, room string) bool {
	return dir == room || room != "." && strings.HasPrefix(dir, room+"/")
}

// Floors finds packages without a room, and imports that go up, or sideways without permission.
func Floors(m *Module, rooms []Room) []Finding {
	var found []Finding
	for _, p := range m.Packages {
		room, ok := RoomOf(rooms, p.Dir)
		if !ok {
			found = append(found, Finding{
				File: p.Dir,
				Text: "the package has no floor: add a row in Rooms (internal/archtest/floors.go) and in ARCHITECTURE.md",
			})
			continue
		}
		for _, f := range p.Files {
			for _, imp := range importsOf(f) {
				if imp.name == "." {
					found = append(found, m.at(f, imp.pos, "dot import of %s: name the package where it is used", imp.path))
				}
				if text := climb(m, rooms, room, imp.path); text != "" {
					found = append(found, m.at(f, imp.pos, "%s", text))
				}
			}
		}
	}
	return found
}

// climb describes what is wrong with an import by a package of the room; empty for nothing.
func climb(m *Module, rooms []Room, from Room, importPath string) string {
	dir, local := m.local(importPath)
	if !local {
		return ""
	}
	to, ok := RoomOf(rooms, dir)
	switch {
	case !ok, to.Dir == from.Dir: // no floor is reported where the package is; within a room is free
		return ""
	case to.Floor > from.Floor:
		return "a package of floor " + floorNames[from.Floor] + " imports " + dir + " of the higher floor " +
			floorNames[to.Floor] + ": let the lower one declare what it needs, and the higher one provide it"
	case to.Floor == from.Floor && !from.Composes:
		return "floor " + floorNames[from.Floor] + ": " + from.Dir + " imports its neighbour " + dir +
			": let a package that composes join the two, or mark the room in Rooms and say why"
	}
	return ""
}

// Pure reports whether packages in the folder only decide: no clock, randomness,
// goroutine, lock, socket, file or log of their own.
func Pure(rooms []Room, dir string) bool {
	r, ok := RoomOf(rooms, dir)
	return ok && r.Floor <= Decisions
}

// purePackages returns the packages of the module on the pure floors.
func purePackages(m *Module, rooms []Room) []*Package {
	return slices.DeleteFunc(slices.Clone(m.Packages), func(p *Package) bool { return !Pure(rooms, p.Dir) })
}
