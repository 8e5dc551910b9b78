package shoal

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"shoal/internal/value/pathglob"
	"shoal/metainfo"
)

// FileRule sets the priority of the files that a pattern matches. Rules need no metadata, so
// that they can be given, and remembered, with a magnet link.
type FileRule struct {
	// Pattern matches a file by its path as File.Path has it, by its path below the torrent's
	// folder, by its name, or by a folder below the torrent's that it is in. Each of these matches
	// literally or as a pattern of path.Match, in which a segment ** stands for any number of
	// segments.
	Pattern  string
	Priority Priority
}

// check returns the engine's number of the priority. The error is ErrConfig.
func (r FileRule) check() (uint8, error) {
	if r.Priority == "" {
		r.Priority = PriorityNormal
	}
	at := slices.Index(priorities, r.Priority)
	if at < 0 {
		return 0, fmt.Errorf("%w: priority %q of %s: it is skip, low, normal or high", ErrConfig, r.Priority, r.Pattern)
	}
	if r.Pattern == "" || pathglob.Check(r.Pattern) != nil {
		return 0, fmt.Errorf("%w: %q is not a pattern of files", ErrConfig, r.Pattern)
	}
	return uint8(at), nil
}

// matches reports whether the rule is for a file.
func (r FileRule) matches(file string) bool {
	below := pathglob.Below(file)
	literal := r.Pattern == file || below != "" && (r.Pattern == below || strings.HasPrefix(below, r.Pattern+"/"))
	return literal || r.Pattern == path.Base(file) || pathglob.Fits(r.Pattern, file)
}

// ruled returns the priorities of files by rules, of which the last that matches counts.
func ruled(rules []FileRule, all []metainfo.File) ([]uint8, error) {
	if len(rules) == 0 {
		return nil, nil
	}
	set := make([]uint8, len(rules)) // by each rule
	for i, r := range rules {
		var err error
		if set[i], err = r.check(); err != nil {
			return nil, err
		}
	}
	prio, wanted := make([]uint8, len(all)), false
	for i := range all {
		if all[i].Pad {
			continue
		}
		prio[i] = 2
		name := strings.Join(all[i].Path, "/")
		for k, r := range rules {
			if r.matches(name) {
				prio[i] = set[k]
			}
		}
		wanted = wanted || prio[i] > 0
	}
	if !wanted {
		return nil, fmt.Errorf("%w: the rules leave no file of the torrent", ErrConfig)
	}
	return prio, nil
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
