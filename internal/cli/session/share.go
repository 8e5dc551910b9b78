package session

import (
	"errors"
	"math"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"shoal"
	"shoal/internal/cli/cmdline"
)

// ShareFlags say when a torrent has been shared enough.
type ShareFlags struct {
	ratio ratioFlag
	time  cmdline.TimeFlag
	idle  cmdline.TimeFlag
}

// ratioFlag is how often a torrent is to be sent.
type ratioFlag float64

func (r *ratioFlag) Type() string { return "TIMES" }

func (r *ratioFlag) String() string {
	if *r == 0 {
		return ""
	}
	return strconv.FormatFloat(float64(*r), 'g', -1, 64)
}

func (r *ratioFlag) Set(text string) error {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || !(f >= 0) || math.IsInf(f, 0) {
		return errors.New("write a number, like 2 or 1.5")
	}
	*r = ratioFlag(f)
	return nil
}

func (s *ShareFlags) Add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.Var(&s.ratio, "ratio", "stop seeding at this upload ratio")
	f.Var(&s.time, "seed-time", "seed for this long, in all runs together, such as 36h or 2d")
	f.Var(&s.idle, "seed-idle", "stop seeding after sending nothing for this long")
}

// Limits returns the limits that the user chose; nil for none.
func (s *ShareFlags) Limits() *shoal.ShareLimits {
	if !s.Any() {
		return nil
	}
	return &shoal.ShareLimits{Ratio: float64(s.ratio), SeedTime: time.Duration(s.time), IdleTime: time.Duration(s.idle)}
}

func (s *ShareFlags) Any() bool { return s.ratio > 0 || s.time > 0 || s.idle > 0 }
