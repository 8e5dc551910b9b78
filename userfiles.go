package shoal

import "shoal/internal/engine"

// usersFiles returns what an event says about files of the user.
func usersFiles(kept []engine.Kept) []KeptFile {
	var out []KeptFile
	for _, k := range kept {
		out = append(out, KeptFile{Path: k.Path, As: k.As})
	}
	return out
}
