package archtest

import (
	"slices"
	"strings"
)

// The command line is a client of the library, as any other program that embeds it. What it
// needs and the API lacks is missed by those programs too, so it belongs into the API (decision 0185).
const clientAdvice = "the command line reaches the engine through the public API, as other programs do: " +
	"add what is missing to the module's root or to a public package"

// clients are the folders that the rule binds.
var clients = []string{"cmd", "internal/cli"}

// clientMay lists the internal folders that a client may import besides other clients.
// Values decide nothing and do nothing: text made safe to show, a number with its noun. Were
// they public, programs would depend on helpers that have nothing to do with BitTorrent.
// The lab is a product of its own that the command only starts.
var clientMay = []string{"internal/cli", "internal/value", "internal/lab"}

// cliFolders are the folders of internal/cli, lowest first. A folder imports from folders before
// its own; the last three hold the commands, and do not import each other.
var cliFolders = []string{"ui", "cmdline", "session", "source", "progress", "library", "network", "transfer"}

// An Exception is an import that breaks the rule and waits for its place in the API.
type Exception struct{ From, Import string }

// ClientExceptions is empty, and stays so.
var ClientExceptions = []Exception{}

// Clients finds imports by which the command line reaches past the public API, and exceptions
// that nothing needs any more.
func Clients(m *Module, exceptions []Exception) []Finding {
	var found []Finding
	unused := slices.Clone(exceptions)
	for _, p := range m.Packages {
		if !slices.ContainsFunc(clients, func(dir string) bool { return within(p.Dir, dir) }) {
			continue
		}
		for _, f := range p.Files {
			for _, imp := range importsOf(f) {
				dir, local := m.local(imp.path)
				if local && upwards(p.Dir, dir) {
					found = append(found, m.at(f, imp.pos, "imports %s, which is not below it: see cliFolders in client.go", dir))
				}
				if !local || !strings.HasPrefix(dir, "internal/") ||
					slices.ContainsFunc(clientMay, func(may string) bool { return within(dir, may) }) {
					continue
				}
				e := Exception{p.Dir, dir}
				unused = slices.DeleteFunc(unused, func(u Exception) bool { return u == e })
				if !slices.Contains(exceptions, e) {
					found = append(found, m.at(f, imp.pos, "imports %s: %s", dir, clientAdvice))
				}
			}
		}
	}
	for _, e := range unused {
		found = append(found, Finding{File: e.From, Text: "no longer imports " + e.Import + ": take the exception out of client.go"})
	}
	return found
}

// upwards reports whether the import of a folder of internal/cli by another breaks their order.
func upwards(from, to string) bool {
	at := func(dir string) int {
		name, ok := strings.CutPrefix(dir, "internal/cli/")
		if !ok {
			return -1
		}
		return slices.Index(cliFolders, name)
	}
	f, t := at(from), at(to)
	commands := slices.Index(cliFolders, "library")
	return f >= 0 && t >= 0 && (t > f || t >= commands && t != f)
}
