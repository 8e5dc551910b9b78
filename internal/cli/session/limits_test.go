package session

import (
	"testing"

	"github.com/spf13/cobra"

	"shoal"
	"shoal/internal/cli/cmdline"
)

// Limits are sizes, with or without "a second" said.
func TestLimitFlags(t *testing.T) {
	get := &cobra.Command{}
	new(Flags).Add(get)
	if err := get.ParseFlags([]string{"--limit-up", "2048KiB", "--limit-down", "1M/s", "x.torrent"}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"limit-up": "2097152", "limit-down": "1048576"} {
		if got := get.Flags().Lookup(name).Value.String(); got != want {
			t.Errorf("--%s is %s, want %s", name, got, want)
		}
	}
	if err := get.ParseFlags([]string{"--limit-up", "fast"}); err == nil {
		t.Error("a limit that is no size was taken")
	}
	if err := get.ParseFlags([]string{"--alt-limit-up", "5K"}); err != nil {
		t.Fatal(err)
	}
	if err := get.PreRunE(get, nil); err == nil {
		t.Error("alternative limits without a time were taken")
	}
	if err := get.ParseFlags([]string{"--alt-limit-at", "mon-fri 8-18"}); err != nil {
		t.Fatal(err)
	}
	if err := get.PreRunE(get, nil); err != nil {
		t.Error(err)
	}
	if err := get.ParseFlags([]string{"--alt-limit-at", "8 to 18"}); err == nil {
		t.Error("a plan that is none was taken")
	}
	l := limitFlags{down: cmdline.RateFlag{SizeFlag: 6}}
	if err := l.up.Set("5"); err != nil || l.limits() != (shoal.Limits{Up: 5, Down: 6}) {
		t.Errorf("limits %+v, %v", l.limits(), err)
	}
	for text, want := range map[string]int64{"auto": shoal.LimitAuto, "None": shoal.LimitNone, "0": shoal.LimitNone, "2K": 2048} {
		var l limitFlags
		if err := l.up.Set(text); err != nil || l.limits().Up != want {
			t.Errorf("%s is %d, %v", text, l.limits().Up, err)
		}
	}
}
