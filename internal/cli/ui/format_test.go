package ui

import (
	"testing"
	"time"
)

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 1: "1 B", 1023: "1023 B", 1024: "1.00 KiB", 10 << 10: "10.0 KiB", 100 << 10: "100 KiB",
		1023 << 10: "1023 KiB", 1<<20 - 1: "1.00 MiB", 256 << 20: "256 MiB", 5 << 40: "5.00 TiB", 1<<63 - 1: "8.00 EiB",
	} {
		if got := Size(n); got != want {
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
		if got := Percent(c.done, c.total); got != c.want {
			t.Errorf("percent(%d, %d) = %q, want %q", c.done, c.total, got, c.want)
		}
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Millisecond: "0.0s", 7 * time.Second: "7s", 350 * time.Millisecond: "0.3s", 42 * time.Second: "42s", 187 * time.Second: "3m07s",
		5*time.Hour + 2*time.Minute: "5h02m", 76 * time.Hour: "3d04h", 1 << 62: "years",
	} {
		if got := Span(d); got != want {
			t.Errorf("span(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestCount(t *testing.T) {
	for n, want := range map[int]string{0: "0 pieces", 1: "1 piece", 999: "999 pieces", 1000: "1,000 pieces", 1234567: "1,234,567 pieces"} {
		if got := Count(n, "piece"); got != want {
			t.Errorf("count(%d) = %q, want %q", n, got, want)
		}
	}
	if got := Grouped(-123456); got != "-123,456" {
		t.Errorf("group(-123456) = %q", got)
	}
}

func TestQuoted(t *testing.T) {
	for name, want := range map[string]string{
		"a.torrent": "a.torrent", "": "''", "my film": "'my film'", "it's": `'it'\''s'`, "$(x)": "'$(x)'", "ä": "'ä'",
	} {
		if got := Quoted(name); got != want {
			t.Errorf("quoted(%q) = %s, want %s", name, got, want)
		}
	}
}
