package ui

import (
	"strings"
	"testing"

	"shoal"
)

// The list as people see it, at several widths, and as a file has it.
func TestTable(t *testing.T) {
	const hash = "0123456789abcdef0123456789abcdef01234567"
	all := []shoal.Remembered{
		{InfoHash: hash, Name: "debian-13.1.0-amd64-netinst.iso", HasMetadata: true, Size: 800 << 20, Verified: 119 << 20, Wanted: 800 << 20, WantedVerified: 119 << 20},
		{InfoHash: hash, Name: "photos", HasMetadata: true, Size: 3 << 20, Verified: 3 << 20, Wanted: 3 << 20, WantedVerified: 3 << 20, Uploaded: 7 << 20},
		{InfoHash: hash, Name: "a \x1b[31mname", HasMetadata: true, Size: 1000, Wanted: 1000, Paused: true},
		{InfoHash: hash, Name: "nothing", HasMetadata: true, Stopped: true},
		{InfoHash: hash, Name: "from a link"},
	}
	for _, c := range []struct {
		width int
		want  string
	}{
		{0, `
unfinished   14.8%   800 MiB   0.00  debian-13.1.0-amd64-netinst.iso  0123456789abcdef0123456789abcdef01234567
complete    100.0%  3.00 MiB   2.33  photos  0123456789abcdef0123456789abcdef01234567
paused        0.0%    1000 B   0.00  a �[31mname  0123456789abcdef0123456789abcdef01234567
stopped     100.0%       0 B      -  nothing  0123456789abcdef0123456789abcdef01234567
metadata         -         -      -  from a link  0123456789abcdef0123456789abcdef01234567
`},
		{79, `
state         done      size  ratio  name                          info-hash
unfinished   14.8%   800 MiB   0.00  debian-13.1.0-amd64-netinst…  0123456789ab
complete    100.0%  3.00 MiB   2.33  photos                        0123456789ab
paused        0.0%    1000 B   0.00  a �[31mname                   0123456789ab
stopped     100.0%       0 B      -  nothing                       0123456789ab
metadata         -         -      -  from a link                   0123456789ab
`},
		{120, `
state         done      size  ratio  name                             info-hash
unfinished   14.8%   800 MiB   0.00  debian-13.1.0-amd64-netinst.iso  0123456789abcdef0123456789abcdef01234567
complete    100.0%  3.00 MiB   2.33  photos                           0123456789abcdef0123456789abcdef01234567
paused        0.0%    1000 B   0.00  a �[31mname                      0123456789abcdef0123456789abcdef01234567
stopped     100.0%       0 B      -  nothing                          0123456789abcdef0123456789abcdef01234567
metadata         -         -      -  from a link                      0123456789abcdef0123456789abcdef01234567
`},
	} {
		got := "\n" + strings.Join(Table(all, c.width), "\n") + "\n"
		if got != c.want {
			t.Errorf("%d cells:\n got %s\nwant %s", c.width, got, c.want)
		}
		for _, line := range Table(all, c.width) {
			if c.width > 0 && Runes(line) > c.width {
				t.Errorf("%d cells: %d in %q", c.width, Runes(line), line)
			}
		}
	}
	if Table(nil, 80) != nil {
		t.Error("a heading over nothing")
	}
}
