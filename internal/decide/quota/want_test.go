package quota

import (
	"testing"

	"shoal/internal/value/why"
)

func TestFacts(t *testing.T) {
	for name, c := range map[string]struct {
		f     Facts
		was   why.Why
		want  Want
		rests bool
		why   why.Why
	}{
		"only its info-hash is known":      {Facts{HashOnly: true}, why.None, Metadata, false, why.Unpaused},
		"paused without metadata":          {Facts{HashOnly: true, Paused: true}, why.None, Paused, true, why.Paused},
		"without metadata, others first":   {Facts{HashOnly: true, Waits: true}, why.None, Metadata, true, why.LineFull},
		"paused":                           {Facts{Paused: true, Ready: true}, why.None, Paused, true, why.Paused},
		"paused while it waits":            {Facts{Paused: true, Waits: true}, why.LineFull, Paused, true, why.Paused},
		"its files are being checked":      {Facts{}, why.None, Nothing, false, why.Unpaused},
		"pieces are missing":               {Facts{Ready: true}, why.None, Download, false, why.Unpaused},
		"pieces are missing, others first": {Facts{Ready: true, Waits: true}, why.None, Download, true, why.LineFull},
		"its turn has come":                {Facts{Ready: true, Turn: why.LineTurn}, why.LineFull, Download, false, why.LineTurn},
		"a pause has ended":                {Facts{Ready: true, Turn: why.LineTurn}, why.Paused, Download, false, why.Unpaused},
		"complete":                         {Facts{Ready: true, Complete: true}, why.None, Seed, false, why.Unpaused},
		"it only seeds what it has":        {Facts{Ready: true, SeedOnly: true}, why.None, Seed, false, why.Unpaused},
	} {
		rests, reason := c.f.Rests(c.was)
		if got := c.f.Want(); got != c.want || rests != c.rests || reason != c.why {
			t.Errorf("%s: wants %v, rests %v (%v); want %v, %v (%v)", name, got, rests, reason, c.want, c.rests, c.why)
		}
	}
}
