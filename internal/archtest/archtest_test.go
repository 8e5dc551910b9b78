package archtest

import (
	"path"
	"path/filepath"
	"sync"
	"testing"
)

// The module is loaded once: parsing is most of the work, and nothing changes it.
var self = sync.OnceValues(func() (*Module, error) { return Load(filepath.Join("..", "..")) })

func TestImportsGoDownTheFloors(t *testing.T) {
	none(t, Floors(module(t), Rooms))
}

func TestDecidingPackagesArePure(t *testing.T) {
	none(t, Purity(module(t), Rooms))
}

func TestOrderOfMapsDoesNotShow(t *testing.T) {
	none(t, MapOrder(module(t), Rooms))
}

func TestOneDoorToTheNetwork(t *testing.T) {
	none(t, OneDoor(module(t)))
}

func TestCommandLineIsAClientOfTheAPI(t *testing.T) {
	none(t, Clients(module(t), ClientExceptions))
}

func TestPackagesAreDocumented(t *testing.T) {
	none(t, Documented(module(t)))
}

func TestArchitectureNamesEveryPackage(t *testing.T) {
	found, err := OnTheMap(module(t))
	if err != nil {
		t.Fatal(err)
	}
	none(t, found)
}

func TestDependenciesAreDecided(t *testing.T) {
	found, err := Decided(module(t))
	if err != nil {
		t.Fatal(err)
	}
	none(t, found)
}

func TestPartsAreAssignedInTheirFile(t *testing.T) {
	none(t, Parts(module(t)))
}

// limits holds the types that grew fastest to a size at which a reader can still say what
// they are made of.
var limits = []Limit{
	{"internal/engine", "Torrent", 26},
	{"internal/engine", "Engine", 26},
	{"internal/decide/swarm", "Swarm", 26},
	{"internal/decide/swarm", "peer", 12},
	{"internal/decide/swarm/picker", "Picker", 6},
	{"internal/decide/swarm/picker", "progress", 7},
	{"internal/sim", "Node", 24},
}

// TestStructsStaySmall prints the largest structs too, so that growth is seen.
func TestStructsStaySmall(t *testing.T) {
	none(t, Large(module(t), limits))
	for _, s := range Sizes(module(t))[:20] {
		t.Logf("%3d fields: %s.%s", s.Fields, s.Package, s.Name)
	}
}

func module(t *testing.T) *Module {
	t.Helper()
	m, err := self()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func none(t *testing.T, found []Finding) {
	t.Helper()
	for _, f := range found {
		t.Error(f)
	}
}

// TestNoLevelHasManyDoors holds that a reader who looks for something chooses among few folders
// (decision 0197).
func TestNoLevelHasManyDoors(t *testing.T) {
	const most = 15
	below := map[string]map[string]bool{}
	for _, p := range module(t).Packages {
		for dir := p.Dir; dir != "."; dir = path.Dir(dir) {
			up := path.Dir(dir)
			if below[up] == nil {
				below[up] = map[string]bool{}
			}
			below[up][path.Base(dir)] = true
		}
	}
	for dir, doors := range below {
		if len(doors) > most {
			t.Errorf("%s has %d folders, at most %d: join what is one subject", dir, len(doors), most)
		}
	}
}
