package session

import (
	"testing"

	"github.com/spf13/cobra"
)

func TestShareFlags(t *testing.T) {
	get := &cobra.Command{}
	new(ShareFlags).Add(get)
	if err := get.ParseFlags([]string{"--ratio", "1.5", "--seed-time", "36h", "x.torrent"}); err != nil || get.Flags().Lookup("ratio").Value.String() != "1.5" {
		t.Errorf("not taken: %v", err)
	}
	for _, bad := range []string{"-1", "NaN", "Inf", "much"} {
		if get.ParseFlags([]string{"--ratio", bad}) == nil {
			t.Errorf("--ratio %s was taken", bad)
		}
	}
	if s := (&ShareFlags{ratio: 2}); !s.Any() || s.Limits().Ratio != 2 || new(ShareFlags).Limits() != nil {
		t.Errorf("limits %+v", s.Limits())
	}
}
