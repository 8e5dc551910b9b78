// Package pathglob matches paths of files in a torrent against patterns.
package pathglob

import (
	"path"
	"strings"
)

// Check returns path.ErrBadPattern for a pattern that is malformed.
func Check(pattern string) error {
	for seg := range strings.SplitSeq(pattern, "/") {
		if _, err := path.Match(seg, ""); err != nil {
			return err
		}
	}
	return nil
}

// Fits reports whether a pattern matches a file of a torrent: its path, its path below the first
// folder (which has the torrent's name), its name, or a folder below the first that it is in. A
// malformed pattern matches nothing.
func Fits(pattern, file string) bool {
	below := Below(file)
	if Match(pattern, file) || below != "" && Match(pattern, below) || Match(pattern, path.Base(file)) {
		return true
	}
	for dir := path.Dir(below); below != "" && dir != "." && dir != "/"; dir = path.Dir(dir) {
		if Match(pattern, dir) {
			return true
		}
	}
	return false
}

// Below returns a path without its first folder; "" when it has only one element.
func Below(p string) string { _, below, _ := strings.Cut(p, "/"); return below }

// Match reports whether a pattern matches a whole path. A segment ** matches any number of
// segments, also none; other segments match as in path.Match.
func Match(pattern, p string) bool {
	segs := strings.Split(p, "/")
	// reach[j]: the pattern so far matches segs[:j]. The work is bounded by the product of both
	// lengths, whatever the pattern.
	reach := make([]bool, len(segs)+1)
	reach[0] = true
	for seg := range strings.SplitSeq(pattern, "/") {
		next := make([]bool, len(segs)+1)
		if seg == "**" {
			on := false
			for j := range reach {
				on = on || reach[j]
				next[j] = on
			}
		} else {
			for j := range segs {
				if ok, _ := path.Match(seg, segs[j]); ok && reach[j] {
					next[j+1] = true
				}
			}
		}
		reach = next
	}
	return reach[len(segs)]
}
