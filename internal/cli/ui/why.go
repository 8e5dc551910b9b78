package ui

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"shoal"
)

// CauseEvent is a cause as a program reads it.
type CauseEvent struct {
	Kind  string `json:"kind"`
	N     int64  `json:"n,omitempty"`
	Of    int64  `json:"of,omitempty"`
	URL   string `json:"url,omitempty"`
	Error string `json:"error,omitempty"`
	Since string `json:"since,omitempty"`
	Next  string `json:"next,omitempty"`
}

func CausesOf(all []shoal.Cause) []CauseEvent {
	var out []CauseEvent
	for _, c := range all {
		out = append(out, CauseEvent{string(c.Kind), c.N, c.Of, c.URL, c.Err, Stamp(c.Since), Stamp(c.Next)})
	}
	return out
}

// Stamp is a time as events have it; empty for none.
func Stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// CauseWords returns a cause in words for people.
func CauseWords(c shoal.Cause, now time.Time) string {
	n := Grouped(c.N)
	switch c.Kind {
	case shoal.CauseFiles:
		return Printable(c.Err) + again(c, now, "tried")
	case shoal.CauseFilesGone:
		return Printable(c.Err) + again(c, now, "looked for")
	case shoal.CausePaused:
		return "paused"
	case shoal.CauseQueued:
		return "waits for its turn: others come first"
	case shoal.CauseMetadata:
		if c.Of == 0 {
			return "looking for the metadata"
		}
		return "metadata: " + Size(c.N) + " of " + Size(c.Of)
	case shoal.CauseMetadataTooLarge:
		return fmt.Sprintf("its metadata has %s and at most %s is fetched: use the .torrent file, or --max-metadata", Size(c.N), Size(c.Of))
	case shoal.CauseSilent:
		if c.Since.IsZero() || c.N == 0 {
			return "no data yet from " + Count(c.N, "peer")
		}
		return "no data for " + Span(lasted(c.Since, now)) + " from " + Count(c.N, "peer")
	case shoal.CauseChoked:
		if c.N == 1 {
			return "the only peer that has what is missing lets others go first"
		}
		return "all " + n + " peers that have what is missing let others go first"
	case shoal.CauseLacking:
		if c.N == 1 {
			return "the only peer has nothing that is missing"
		}
		return "none of " + n + " peers has anything that is missing"
	case shoal.CauseUnavailable:
		if c.N == c.Of {
			return "nobody connected has any of the missing pieces"
		}
		return fmt.Sprintf("nobody connected has %s of %s", n, Count(c.Of, "missing piece"))
	case shoal.CauseWebSeedLacks:
		return fmt.Sprintf("web seed %s lacks %s: %s", host(c.URL), Count(c.N, "file"), Printable(c.Err))
	case shoal.CauseWebSeed:
		return "web seed " + host(c.URL) + ": " + Printable(c.Err) + retried(c, now)
	case shoal.CauseNoPeers:
		text := "no peers: " + Addresses(int(c.N)) + " known"
		switch {
		case c.Of > 0:
			text += ", " + Grouped(c.Of) + " being dialled"
		case c.N > 0 && c.Next.After(now):
			text += ", the next is dialled in " + Span(Until(c.Next, now))
		}
		return text
	case shoal.CauseClosed:
		return fmt.Sprintf("%s of %s closed by the other side during the handshake", n, Count(c.Of, "connection"))
	case shoal.CauseNoAnswer:
		return fmt.Sprintf("%s of %s came to nothing", n, Count(c.Of, "attempt"))
	case shoal.CauseTracker:
		name := host(c.URL)
		return "tracker " + name + ": " + Printable(strings.TrimPrefix(c.Err, "announce to "+name+": ")) + retried(c, now)
	case shoal.CauseAsking:
		return "tracker " + host(c.URL) + " has not answered yet"
	case shoal.CauseNoSource:
		return "no tracker is named and there is no DHT: peers have to come by themselves, or by --peer"
	case shoal.CauseNoNodes:
		return "DHT: no node has answered yet"
	case shoal.CauseUnreached:
		return fmt.Sprintf("port %d: nobody has connected to it yet", c.N)
	}
	return Printable(string(c.Kind))
}

// again says when a try comes.
func again(c shoal.Cause, now time.Time, what string) string {
	if c.Next.IsZero() {
		return ""
	}
	if !c.Next.After(now) {
		return "; " + what + " again now"
	}
	return "; " + what + " again in " + Span(Until(c.Next, now))
}

// retried is again for a server, which may be given up.
func retried(c shoal.Cause, now time.Time) string {
	if c.Next.IsZero() {
		return "; given up"
	}
	return again(c, now, "asked")
}

// Until is how long it is to a time, in whole seconds.
func Until(t, now time.Time) time.Duration {
	return max(t.Sub(now).Round(time.Second), time.Second)
}

// lasted is how long it is since a time, in whole seconds.
func lasted(since, now time.Time) time.Duration { return max(now.Sub(since).Truncate(time.Second), 0) }

func Addresses(n int) string { return Count(n, "address") }

// host is enough of a URL to know the server by.
func host(text string) string {
	if u, err := url.Parse(text); err == nil && u.Host != "" {
		return Printable(u.Host)
	}
	_, rest, ok := strings.Cut(text, "://")
	if !ok {
		return Printable(text)
	}
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		rest = rest[:i]
	}
	return Printable(rest[strings.LastIndexByte(rest, '@')+1:])
}

// Wrap breaks text into lines of at most width cells, at spaces where there are some, and at
// most the given number of lines: the last one ends in dots when there is more.
func Wrap(text string, width, most int, g Glyphs) (out []string) {
	text = shoal.Redact(text) // half of a passkey is not recognised
	for text != "" && len(out) < most {
		r := []rune(text)
		if len(r) <= width {
			return append(out, text)
		}
		if len(out) == most-1 || width < 1 {
			return append(out, Shorten(text, width, g))
		}
		at := width
		for i := width; i > width/2; i-- {
			if r[i] == ' ' {
				at = i
				break
			}
		}
		out = append(out, strings.TrimRight(string(r[:at]), " "))
		text = strings.TrimLeft(string(r[at:]), " ")
	}
	return out
}

// Shorten cuts text to width cells, with dots where something is left out. Passkeys are hidden
// first: half of one is not recognised.
func Shorten(text string, width int, g Glyphs) string {
	text = shoal.Redact(text)
	r := []rune(text)
	if len(r) <= width {
		return text
	}
	if dots := Runes(g.dots); width > dots {
		return string(r[:width-dots]) + g.dots
	}
	return string(r[:max(width, 0)])
}
