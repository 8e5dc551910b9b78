package main

import (
	"strings"
	"testing"
	"time"
)

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 1: "1 B", 1023: "1023 B", 1024: "1.00 KiB", 10 << 10: "10.0 KiB", 100 << 10: "100 KiB",
		1023 << 10: "1023 KiB", 1<<20 - 1: "1.00 MiB", 256 << 20: "256 MiB", 5 << 40: "5.00 TiB", 1<<63 - 1: "8.00 EiB",
	} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestPercent(t *testing.T) {
	for _, c := range []struct {
		done, total int64
		want        string
	}{
		{0, 0, "100.0%"},
		{0, 10, "0.0%"},
		{1, 3, "33.3%"},
		{9999, 10000, "99.9%"},        // not 100.0 before the end
		{1<<62 - 1, 1 << 62, "99.9%"}, // nor by rounding
		{10, 10, "100.0%"},
	} {
		if got := percent(c.done, c.total); got != c.want {
			t.Errorf("percent(%d, %d) = %q, want %q", c.done, c.total, got, c.want)
		}
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Millisecond: "0.0s", 7 * time.Second: "7s", 350 * time.Millisecond: "0.3s", 42 * time.Second: "42s", 187 * time.Second: "3m07s",
		5*time.Hour + 2*time.Minute: "5h02m", 76 * time.Hour: "3d04h", 1 << 62: "years",
	} {
		if got := span(d); got != want {
			t.Errorf("span(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestCount(t *testing.T) {
	for n, want := range map[int]string{0: "0 pieces", 1: "1 piece", 999: "999 pieces", 1000: "1,000 pieces", 1234567: "1,234,567 pieces"} {
		if got := count(n, "piece"); got != want {
			t.Errorf("count(%d) = %q, want %q", n, got, want)
		}
	}
	if got := group(-123456); got != "-123,456" {
		t.Errorf("group(-123456) = %q", got)
	}
}

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{
		"262144": 262144, "16KiB": 16384, "16k": 16384, "16 KB": 16384, "1M": 1 << 20, "1MiB": 1 << 20,
		"512mib": 512 << 20, "2G": 2 << 30, "1T": 1 << 40, "7B": 7, "0": 0,
		"1.5M": 3 << 19, ".5k": 512, "1.5 GiB": 3 << 29, "0.001K": 1, "8P": 8 << 50, "1.0": 1,
	} {
		if got, err := parseSize(text); err != nil || got != want {
			t.Errorf("parseSize(%q) = %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "K", "-1", "1.5", "1.5B", "1..5M", ".M", "1.5.5M", "1e3", "+1", "0x10", strings.Repeat("1", 40), "1,5M", "1X", "1KiBs", "1iB", "9223372036854775808", "9007199254740992T", "1 M M"} {
		if got, err := parseSize(text); err == nil {
			t.Errorf("parseSize(%q) = %d, want an error", text, got)
		}
	}
}

func TestQuoted(t *testing.T) {
	for name, want := range map[string]string{
		"a.torrent": "a.torrent", "": "''", "my film": "'my film'", "it's": `'it'\''s'`, "$(x)": "'$(x)'", "ä": "'ä'",
	} {
		if got := quoted(name); got != want {
			t.Errorf("quoted(%q) = %s, want %s", name, got, want)
		}
	}
}

// Times have the units that people count in, and fractions.
func TestParseTime(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0": 0, "90m": 90 * time.Minute, "2d": 48 * time.Hour, "1w": 7 * 24 * time.Hour, "1d12h": 36 * time.Hour, "1.5h": 90 * time.Minute,
		"1h30m": 90 * time.Minute, "0.5d": 12 * time.Hour, "1w 2d": 9 * 24 * time.Hour, " 10s ": 10 * time.Second, "250ms": 250 * time.Millisecond,
		"1m30s": 90 * time.Second, "100w": 700 * 24 * time.Hour, ".5s": 500 * time.Millisecond, "1us": time.Microsecond,
	} {
		if got, err := parseTime(text); err != nil || got != want {
			t.Errorf("parseTime(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", " ", "10", "d", "1y", "1 day", "-1h", "1h-5m", "1.2.3h", "1h5", "1e3s", "999999w", strings.Repeat("9", 40) + "s", "1h,5m", "∞", "1M"} {
		if got, err := parseTime(text); err == nil {
			t.Errorf("parseTime(%q) = %v, want an error", text, got)
		}
	}
	for d, want := range map[time.Duration]string{0: "0", 10 * time.Minute: "10m", 90 * time.Minute: "1h30m", 48 * time.Hour: "48h", 1500 * time.Millisecond: "1.5s", 62 * time.Second: "1m2s"} {
		if got := shortTime(d); got != want {
			t.Errorf("shortTime(%v) = %q, want %q", d, got, want)
		}
		if back, err := parseTime(shortTime(d)); err != nil || back != d {
			t.Errorf("%v comes back as %v, %v", d, back, err)
		}
	}
}

func FuzzAmounts(f *testing.F) {
	f.Add("1.5M")
	f.Add("1d12h")
	f.Fuzz(func(t *testing.T, text string) {
		if n, err := parseSize(text); err == nil && n < 0 {
			t.Errorf("parseSize(%q) = %d", text, n)
		}
		d, err := parseTime(text)
		if err != nil {
			return
		}
		if back, err := parseTime(shortTime(d)); d < 0 || err != nil || back != d {
			t.Errorf("parseTime(%q) = %v, and comes back as %v, %v", text, d, back, err)
		}
	})
}
