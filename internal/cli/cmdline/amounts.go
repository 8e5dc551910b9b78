package cmdline

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"shoal/internal/cli/ui"
)

// longestNumber bounds the digits of a size or a time: no sensible one has more, and numbers
// of any length cost time to read.
const longestNumber = 30

// parseSize reads a number of bytes with an optional unit: B, K, M, G, T, P (and KB, KiB and
// so on). All are powers of 1024, since pieces are. There may be a fraction: 1.5M.
func parseSize(text string) (int64, error) {
	t := strings.TrimSpace(text)
	rest := strings.TrimLeft(t, "0123456789.")
	number := t[:len(t)-len(rest)]
	f, ok := fraction(number)
	if !ok {
		return 0, fmt.Errorf("%q is not a size; write it like 262144, 256KiB or 1.5M", text)
	}
	unit := strings.ToUpper(strings.TrimSpace(rest))
	shift := 0
	if unit != "" && unit != "B" {
		shift = 10 * (1 + strings.Index("KMGTP", unit[:1]))
		if more := unit[1:]; shift == 0 || more != "" && more != "B" && more != "IB" {
			return 0, fmt.Errorf("%q has an unknown unit; use KiB, MiB, GiB, TiB or none", text)
		}
	}
	if shift == 0 && !f.IsInt() {
		return 0, fmt.Errorf("%q is not a whole number of bytes; write a unit, like 1.5M", text)
	}
	f.Mul(f, new(big.Rat).SetInt64(1<<shift))
	n := new(big.Int).Quo(f.Num(), f.Denom())
	if !n.IsInt64() {
		return 0, fmt.Errorf("%q is too large", text)
	}
	return n.Int64(), nil
}

// fraction reads a number of digits with one point at most.
func fraction(s string) (*big.Rat, bool) {
	if s == "" || s == "." || len(s) > longestNumber || strings.Count(s, ".") > 1 || strings.Trim(s, "0123456789.") != "" {
		return nil, false
	}
	return new(big.Rat).SetString(s)
}

// timeUnits are those of time.ParseDuration and those that people count in, by their names.
var timeUnits = map[string]time.Duration{
	"ns": time.Nanosecond, "us": time.Microsecond, "µs": time.Microsecond, "ms": time.Millisecond,
	"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour,
}

// errTime says how a time is written.
var errTime = errors.New("write a time with its unit, like 90m, 36h, 2d, 1w or 1d12h")

// parseTime reads a length of time: numbers with units from ns to w, which may have
// fractions and follow each other, such as 1.5h or 1d12h; 0 needs no unit.
func parseTime(text string) (time.Duration, error) {
	t := strings.TrimSpace(text)
	if t == "0" {
		return 0, nil
	}
	if t == "" {
		return 0, errTime
	}
	var sum time.Duration
	for t != "" {
		rest := strings.TrimLeft(t, "0123456789.")
		f, ok := fraction(t[:len(t)-len(rest)])
		if !ok {
			return 0, errTime
		}
		end := strings.IndexAny(rest, "0123456789. ")
		if end < 0 {
			end = len(rest)
		}
		unit, ok := timeUnits[rest[:end]]
		if !ok {
			return 0, errTime
		}
		f.Mul(f, new(big.Rat).SetInt64(int64(unit)))
		n := new(big.Int).Quo(f.Num(), f.Denom())
		if !n.IsInt64() || time.Duration(n.Int64()) > math.MaxInt64-sum {
			return 0, errors.New("that is too long: there are 292 years at most")
		}
		sum += time.Duration(n.Int64())
		t = strings.TrimLeft(rest[end:], " ")
	}
	return sum, nil
}

// TimeFlag is a length of time.
type TimeFlag time.Duration

func (t *TimeFlag) Type() string { return "TIME" }

func (t *TimeFlag) String() string { return ui.ShortTime(time.Duration(*t)) }

func (t *TimeFlag) Set(text string) error {
	d, err := parseTime(text)
	if err == nil {
		*t = TimeFlag(d)
	}
	return err
}

// SizeFlag is a number of bytes, such as 16KiB, 1.5M or 262144.
type SizeFlag int64

func (s *SizeFlag) Type() string { return "SIZE" }

func (s *SizeFlag) String() string {
	if *s == 0 {
		return ""
	}
	return strconv.FormatInt(int64(*s), 10)
}

func (s *SizeFlag) Set(text string) error {
	n, err := parseSize(text)
	*s = SizeFlag(n)
	return err
}
