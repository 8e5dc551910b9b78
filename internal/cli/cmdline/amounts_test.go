package cmdline

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"shoal"
	"shoal/internal/cli/ui"
)

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
		if got := ui.ShortTime(d); got != want {
			t.Errorf("shortTime(%v) = %q, want %q", d, got, want)
		}
		if back, err := parseTime(ui.ShortTime(d)); err != nil || back != d {
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
		if back, err := parseTime(ui.ShortTime(d)); d < 0 || err != nil || back != d {
			t.Errorf("parseTime(%q) = %v, and comes back as %v, %v", text, d, back, err)
		}
	})
}

// Whatever is written as a size, what is taken is a number of bytes, and read again the same.
func FuzzSize(f *testing.F) {
	for _, s := range []string{"0", "262144", "256KiB", "1.5M", " 2 G ", "9P", "1.0000001K", "µ", "1µ", "-1", "1e9", "9223372036854775807"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		n, err := parseSize(in)
		if err != nil {
			return
		}
		if again, err := parseSize(fmt.Sprint(n)); n < 0 || err != nil || again != n {
			t.Fatalf("%q is %d, then %d, %v", in, n, again, err)
		}
	})
}

// Whatever is written as a length of time, what is taken is not negative.
func FuzzTime(f *testing.F) {
	for _, s := range []string{"0", "90m", "1d12h", "1.5h", "1w", "300y", "1d 2h", "-1s", "1µs", "."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		d, err := parseTime(in)
		if err != nil {
			return
		}
		if again, err := parseTime(fmt.Sprintf("%dns", d)); d < 0 || err != nil || again != d {
			t.Fatalf("%q is %v, then %v, %v", in, d, again, err)
		}
	})
}

// Whatever is written as an address to listen on, what is taken is printed so that it is read
// again the same.
func FuzzListen(f *testing.F) {
	for _, s := range []string{":6881", "127.0.0.1:0", "[::]:6881", "[::ffff:127.0.0.1]:1", "[fe80::1%eth0]:2", "host:1", "1.2.3.4:65536"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		a, err := parseListen(in)
		if err != nil {
			return
		}
		if again, err := parseListen(a.String()); err != nil || again != a {
			t.Fatalf("%q is %v, then %v, %v", in, a, again, err)
		}
	})
}

func TestUpRate(t *testing.T) {
	for text, want := range map[string]int64{
		"auto": shoal.LimitAuto, " None": shoal.LimitNone, "0": shoal.LimitNone, "512KiB": 512 << 10, "1.5M/s": 3 << 19, ".5K": 512,
	} {
		var r UpRateFlag
		if err := r.Set(text); err != nil || r.Rate() != want || !r.IsSet() {
			t.Errorf("%q: %d, %v, %v", text, r.Rate(), r.IsSet(), err)
		}
	}
	for text, want := range map[string]string{
		"autoo": `"autoo" is not a rate; write auto, none, or a number like 512KiB or 1.5M`,
		"":      `"" is not a rate; write auto, none, or a number like 512KiB or 1.5M`,
		"-1":    `"-1" is not a rate; write auto, none, or a number like 512KiB or 1.5M`,
		"3X":    `"3X" has an unknown unit; use KiB, MiB, GiB, TiB or none`,
	} {
		var r UpRateFlag
		if err := r.Set(text); err == nil || err.Error() != want || r.IsSet() {
			t.Errorf("%q: %v", text, err)
		}
	}
}
