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

// A Room gives the packages at and below a folder their floor.
type Room struct {
	Dir      string // "." is the root package alone
	Floor    int
	Composes bool // may import from its own floor
}

// Rooms is the table of ARCHITECTURE.md: every package of the module belongs
// to one room, the one with the longest folder that fits.
var Rooms = []Room{
	{"bencode", Values, false},
	{"internal/infohash", Values, false},
	{"internal/bitfield", Values, false},
	{"internal/block", Values, false},
	{"internal/mono", Values, false},
	{"internal/why", Values, false},
	{"internal/fault", Values, false},
	{"internal/redact", Values, false},
	{"internal/plural", Values, false},
	{"internal/spelling", Values, false},
	{"internal/ipscope", Values, false},
	{"internal/printable", Values, false},
	{"internal/trace", Values, true}, // a record has an instant and a reason in it

	{"metainfo", Formats, false},
	{"magnet", Formats, false},
	{"internal/wire", Formats, false},
	{"internal/krpc", Formats, false},
	{"internal/tracker", Formats, false},
	{"internal/unwrap", Formats, false},

	{"internal/picker", Decisions, false},
	{"internal/window", Decisions, false},
	{"internal/choker", Decisions, false},
	{"internal/superseed", Decisions, false},
	{"internal/peerbook", Decisions, false},
	{"internal/meter", Decisions, false},
	{"internal/obstacle", Decisions, false},
	{"internal/blame", Decisions, false},
	{"internal/announce", Decisions, false},
	{"internal/askqueue", Decisions, false},
	{"internal/roster", Decisions, false},
	{"internal/upkeep", Decisions, false},
	{"internal/room", Decisions, false},
	{"internal/crowd", Decisions, false},
	{"internal/lobby", Decisions, false},
	{"internal/rate", Decisions, false},
	{"internal/webplan", Decisions, false},
	{"internal/metadata", Decisions, false},
	{"internal/pex", Decisions, false},
	{"internal/schedule", Decisions, false},
	{"internal/lineup", Decisions, false},
	{"internal/ration", Decisions, false},
	{"internal/share", Decisions, false},
	{"internal/swarm", Decisions, true},
	{"internal/dht", Decisions, false},
	{"internal/external", Decisions, false},
	{"internal/lsd", Decisions, false},

	{"internal/mailbox", Shell, false},
	{"internal/storage", Shell, false},
	{"internal/disk", Shell, true},
	{"internal/netio", Shell, false},
	{"internal/throttle", Shell, false},
	{"internal/peerconn", Shell, true},
	{"internal/trackerclient", Shell, true},
	{"internal/serving", Shell, true},
	{"internal/trackerd", Shell, true},
	{"internal/webseed", Shell, true}, // it waits under the limits of throttle
	{"internal/dhtnode", Shell, true},
	{"internal/fetch", Shell, true}, // gets a file over the network of netio
	{"internal/lsdnode", Shell, true},
	{"internal/resume", Shell, true}, // its journals speak of storage's files
	{"internal/journals", Shell, true},
	{"internal/catalogue", Shell, true}, // its files lie in a folder of state, as resume's do
	{"internal/content", Shell, true},
	{"internal/engine", Shell, true},

	{".", Product, true},
	{"cmd/shoal", Product, true},
	{"internal/lens", Product, true},
	{"internal/lab", Product, true},

	{"internal/sim", Test, true},
	{"internal/simnet", Test, true},
	{"internal/archtest", Test, true},
	{"internal/golden", Test, true},
	{"internal/testkit", Test, true},
	{"internal/storage/storagetest", Test, true},
	{"internal/crashfs", Test, true},
	{"internal/netio/netiotest", Test, true},
	{"interop", Test, true},
	{"torture", Test, true},
}

// RoomOf finds the room of a package's folder.
func RoomOf(rooms []Room, dir string) (Room, bool) {
	best, found := Room{}, false
	for _, r := range rooms {
		if !within(dir, r.Dir) || found && len(r.Dir) < len(best.Dir) {
			continue
		}
		best, found = r, true
	}
	return best, found
}

func within(dir, room string) bool {
	return dir == room || room != "." && strings.HasPrefix(dir, room+"/")
}

// Floors finds packages that have no room, and imports that go up, or sideways
// without leave.
func Floors(m *Module, rooms []Room) []Finding {
	var found []Finding
	for _, p := range m.Packages {
		room, ok := RoomOf(rooms, p.Dir)
		if !ok {
			found = append(found, Finding{
				File: p.Dir,
				Text: "the package has no floor: give it a row in Rooms (internal/archtest/floors.go) and in ARCHITECTURE.md",
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

// climb says what is wrong with an import by a package of the room, or nothing.
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
			floorNames[to.Floor] + ": let the lower one declare what it needs and the higher one bring it"
	case to.Floor == from.Floor && !from.Composes:
		return "floor " + floorNames[from.Floor] + ": " + from.Dir + " imports its neighbour " + dir +
			": let a package that composes join the two, or mark the room in Rooms and say why"
	}
	return ""
}

// Pure reports whether packages in the folder only decide: no clock, chance,
// goroutine, lock, socket, file or log of their own.
func Pure(rooms []Room, dir string) bool {
	r, ok := RoomOf(rooms, dir)
	return ok && r.Floor <= Decisions
}

// purePackages gives the packages of the module on the pure floors.
func purePackages(m *Module, rooms []Room) []*Package {
	return slices.DeleteFunc(slices.Clone(m.Packages), func(p *Package) bool { return !Pure(rooms, p.Dir) })
}
