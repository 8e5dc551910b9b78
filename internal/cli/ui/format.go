package ui

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"shoal"
	"shoal/internal/value/plural"
	"shoal/metainfo"
)

// Size returns n bytes in the largest binary unit that keeps it above one, with
// three figures: 999 B, 1.00 KiB, 16.0 KiB, 123 MiB.
func Size(n int64) string {
	if n < 1024 {
		return strconv.FormatInt(n, 10) + " B"
	}
	f, unit := float64(n), 0
	// 1023.5 would print as "1024", so the next unit takes over there.
	for f >= 1023.5 && unit < len(units)-1 {
		f /= 1024
		unit++
	}
	return fmt.Sprintf("%s %s", figures(f), units[unit])
}

var units = []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}

// figures prints three figures of f, which is below 1024.
func figures(f float64) string {
	switch {
	case f < 9.995:
		return strconv.FormatFloat(f, 'f', 2, 64)
	case f < 99.95:
		return strconv.FormatFloat(f, 'f', 1, 64)
	}
	return strconv.FormatFloat(f, 'f', 0, 64)
}

func Rate(bytesPerSecond float64) string { return Size(int64(bytesPerSecond)) + "/s" }

// Span returns a duration as people say it: 0.4s, 42s, 3m07s, 5h02m, 3d04h.
func Span(d time.Duration) string {
	if d < 10*time.Second && d%time.Second != 0 {
		return fmt.Sprintf("%.1fs", max(d, 0).Seconds())
	}
	s := int64(d.Round(time.Second) / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	case s < 24*3600:
		return fmt.Sprintf("%dh%02dm", s/3600, s/60%60)
	case s < 1000*24*3600:
		return fmt.Sprintf("%dd%02dh", s/86400, s/3600%24)
	}
	return "years"
}

// Percent is how much of total is done, rounded down so that 100.0 % is never
// shown before the end.
func Percent(done, total int64) string {
	if total <= 0 || done >= total {
		return "100.0%"
	}
	t := int64(float64(done) / float64(total) * 1000)
	t = min(t, 999)
	return fmt.Sprintf("%d.%d%%", t/10, t%10)
}

// Count prints n with its noun: 1 piece, 12,345 pieces.
func Count[N int | int64](n N, noun string) string { return plural.Of(n, noun) }

// Grouped sets commas between groups of three digits.
func Grouped(n int64) string { return plural.Group(n) }

// Printable makes text from strangers safe for a terminal.
func Printable(s string) string { return metainfo.Printable(s) }

// Truncate cuts text to n characters. Passkeys are hidden first, as in shorten, unless a person
// asked for them.
func Truncate(s string, n int, secrets bool) string {
	if !secrets {
		s = shoal.Redact(s)
	}
	if r := []rune(s); len(r) > n {
		return string(r[:n]) + "…"
	}
	return s
}

// Quoted returns a name as people can paste it into a shell.
func Quoted(name string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-./:+,@%", r)
	}
	if name != "" && !strings.ContainsFunc(name, func(r rune) bool { return !plain(r) }) {
		return name
	}
	return "'" + strings.ReplaceAll(Printable(name), "'", `'\''`) + "'"
}

// ShortTime writes a length of time as people do: 10m, 1h30m, 36h.
func ShortTime(d time.Duration) string {
	if d == 0 {
		return "0"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}
