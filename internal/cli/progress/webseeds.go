package progress

import (
	"cmp"

	"shoal"
	"shoal/internal/cli/ui"
)

type webSeedEvent struct {
	InfoHash string `json:"info_hash"`
	URL      string `json:"url"`
	State    string `json:"state"`
	Error    string `json:"error,omitempty"`
	Lacks    int    `json:"lacks"`
}

// webSeedChanges reports web seeds whose state has changed to programs, and those that fail to
// people.
func (w *Watcher) webSeedChanges(s shoal.Stats) {
	for _, seed := range s.WebSeeds {
		key, now := s.InfoHash+" web "+seed.URL, string(seed.State)+" "+seed.Err+" "+ui.Grouped(int64(seed.Lacks))
		if w.webSeeds[key] == now {
			continue
		}
		w.webSeeds[key] = now
		w.out.Event("web-seed", webSeedEvent{s.InfoHash, seed.URL, string(seed.State), cmp.Or(seed.Err, seed.LackErr), seed.Lacks})
		what, text := map[shoal.WebSeedState]string{shoal.WebSeedFailing: "fails", shoal.WebSeedGivenUp: "is given up"}[seed.State], seed.Err
		if what == "" && seed.Lacks > 0 {
			what, text = "lacks "+ui.Count(seed.Lacks, "file"), seed.LackErr
		}
		if what != "" && text != "" && !w.out.JSON {
			w.folds.Add("web seed", "web seed", "web seed "+ui.Printable(seed.URL)+" "+what+": "+ui.Printable(text), 0)
		}
	}
}

// webSeedsAt counts the web seeds that are being asked.
func webSeedsAt(s shoal.Stats) (n int) {
	for _, seed := range s.WebSeeds {
		if seed.Connections > 0 {
			n++
		}
	}
	return n
}
