package progress

import (
	"cmp"
	"hash/fnv"
	"io"

	"shoal"
	"shoal/internal/cli/ui"
)

// trackers tells a program of every change since the sums of the last look, and people of what
// fails: of a tracker that many torrents have once.
func trackers(o *ui.Output, f *ui.Folds, infoHash string, all []shoal.TrackerStats, sums *[]uint32, alone bool) {
	if len(*sums) != len(all) {
		*sums = make([]uint32, len(all))
	}
	for i, t := range all {
		h := fnv.New32a()
		io.WriteString(h, t.URL+" "+string(t.State)+" "+t.Err+" "+t.Warning)
		if (*sums)[i] == h.Sum32() {
			continue
		}
		(*sums)[i] = h.Sum32()
		o.Event("tracker", trackerEvent{infoHash, t.URL, string(t.State), t.Err, t.Warning})
		text := t.Err
		if t.State == shoal.TrackerUnsupported {
			text = cmp.Or(text, string(t.State))
		}
		if text == "" && t.Warning != "" {
			text = "it warns: " + t.Warning
		}
		if text == "" && !alone || !o.TrackerText.Changed(t.URL, text) {
			continue
		}
		if text != "" && !o.JSON {
			f.Add("tracker", "tracker", "tracker "+ui.Printable(t.URL)+": "+ui.Printable(text), 0)
		}
	}
}
