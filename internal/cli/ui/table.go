package ui

import (
	"fmt"

	"shoal"
)

// standing is how a remembered torrent is, in a word.
func standing(r shoal.Remembered) string {
	switch {
	case r.Stopped:
		return "stopped"
	case r.Paused:
		return "paused"
	case !r.HasMetadata:
		return "metadata"
	case r.WantedVerified >= r.Wanted:
		return "complete"
	}
	return "unfinished"
}

// ratio is how often a torrent was sent, in two digits; a dash for one without bytes.
func ratio(sent, size int64) string {
	if size <= 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", float64(sent)/float64(size))
}

const (
	// tableName is what a name has at least, and shortHash how much of an info-hash is
	// shown where both would not fit: enough for shoal forget.
	tableName = 24
	shortHash = 12
	// tableHead is the width of what is before the name.
	tableHead = len("unfinished") + 2 + len("100.0%") + 2 + len("1023 MiB") + 2 + len("ratio") + 2
)

// Table lays torrents out, one a line, in at most width cells; 0 is for a file or a pipe,
// which gets everything in full and no heading.
func Table(all []shoal.Remembered, width int) (lines []string) {
	if len(all) == 0 {
		return nil
	}
	digits, room := 40, 0
	if width > 0 {
		if width-tableHead-2-digits < tableName {
			digits = shortHash
		}
		room = max(width-tableHead-2-digits, 8)
		name := 4
		for _, r := range all {
			name = max(name, Runes(Printable(r.Name)))
		}
		room = min(room, name)
		lines = append(lines, fmt.Sprintf("%-10s  %6s  %8s  %5s  %s  %s", "state", "done", "size", "ratio", fill("name", room), "info-hash"))
	}
	for _, r := range all {
		name := Printable(r.Name)
		if width > 0 {
			name = fill(Shorten(name, room, Blocks), room)
		}
		done, size := Percent(r.WantedVerified, r.Wanted), Size(r.Size)
		if !r.HasMetadata { // nobody knows yet
			done, size = "-", "-"
		}
		lines = append(lines, fmt.Sprintf("%-10s  %6s  %8s  %5s  %s  %s", standing(r), done, size,
			ratio(r.Uploaded, r.Size), name, r.InfoHash[:digits]))
	}
	return lines
}

// fill puts spaces behind s until it takes n cells.
func fill(s string, n int) string {
	for Runes(s) < n {
		s += " "
	}
	return s
}

// Fit joins as many parts as have room, from the first.
func Fit(parts []string, width int) string {
	text := parts[0]
	for _, p := range parts[1:] {
		if width > 0 && Runes(text)+2+Runes(p) > width {
			break
		}
		text += "  " + p
	}
	return text
}
