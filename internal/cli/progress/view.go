package progress

import (
	"fmt"
	"strings"
	"time"

	"shoal"
	"shoal/internal/cli/ui"
)

// A tally is what is added up over torrents.
type tally struct {
	state                                   shoal.State
	size, verified, left, leftHad, uploaded int64
	downRate, upRate, downMean              float32
	peers, dhtNodes                         int32
	pieces, have, checked                   int32
}

func tallyOf(s shoal.Stats) tally {
	return tally{
		s.State, s.Size, s.Verified, s.Unwanted, s.UnwantedVerified, s.Uploaded, float32(s.DownRate), float32(s.UpRate), float32(s.DownMean),
		int32(s.Peers), int32(s.DHTNodes), int32(s.Pieces), int32(s.Have), int32(s.Checked),
	}
}

// lacks reports whether something is fetched, or will be.
func (t *tally) lacks() bool {
	switch t.state {
	case shoal.StateDownloading:
		return true
	case shoal.StateQueued, shoal.StateStalled, shoal.StateMissing:
		return t.verified-t.leftHad < t.size-t.left
	}
	return false
}

// A view is what all torrents do together.
type view struct {
	now      time.Time
	torrents int
	sum      shoal.Stats
	doing    map[shoal.State]int
	one      shoal.Stats // the only torrent
	gives    time.Time   // when the command gives it up; zero: never
	checks   []string    // how fast a check is, and how long it takes

	wanted, verified int64   // of those that are or were fetched in this run
	rest             int64   // that those still lack
	mean             float64 // at which it comes

	uplink string // what is done about the queue of the line; empty for nothing

	port uint16 // where we listen, while nobody has connected; else 0

	rows []row // of those that move or are stalled, where there are several
	more int   // others that do
}

// A row is a torrent of several.
type row struct {
	shoal.Stats
	gives time.Time
}

// maxRows bounds the rows of a view: more than these nobody reads.
const maxRows = 10

func (w *Watcher) view(now time.Time) view {
	v := view{now: now, one: w.one}
	v.gives, _ = w.givesUp(w.one)
	for i := range w.last {
		v.add(&w.last[i])
	}
	if v.doing[shoal.StateChecking] > 0 {
		w.speed.At(now, checkedBytes(v.sum))
		v.checks = w.speed.Words(now, v.sum.Size)
	}
	v.uplink = uplinkText(w.engine.Uplink())
	if w.engine.Reached() == 0 {
		v.port = w.engine.Addr().Port()
	}
	if w.out.Live() && v.torrents > 1 {
		w.choose(&v)
	}
	return v
}

func (v *view) add(s *sight) {
	if v.doing == nil {
		v.doing = make(map[shoal.State]int)
	}
	v.torrents++
	v.doing[s.state]++
	v.sum.Size += s.size
	v.sum.Verified += s.verified
	v.sum.Unwanted += s.left
	v.sum.UnwantedVerified += s.leftHad
	v.sum.Uploaded += s.uploaded
	v.sum.DownRate += float64(s.downRate)
	v.sum.UpRate += float64(s.upRate)
	v.sum.Peers += int(s.peers)
	v.sum.Pieces += int(s.pieces)
	v.sum.Have += int(s.have)
	v.sum.Checked += int(s.checked)
	v.sum.DHTNodes = max(v.sum.DHTNodes, int(s.dhtNodes))
	if s.fetches {
		v.wanted += s.size - s.left
		v.verified += s.verified - s.leftHad
	}
	if s.state == shoal.StateDownloading || s.state == shoal.StateQueued && s.fetches {
		v.rest += s.size - s.left - s.verified + s.leftHad
		v.mean += float64(s.downMean)
	}
}

// choose takes the torrents that have a row: those that move first, then those that are
// stalled, then those that lack something and wait, then those without metadata, then those that
// are sent.
func (w *Watcher) choose(v *view) {
	for _, fits := range []func(t *tally) bool{
		func(t *tally) bool { return t.state == shoal.StateDownloading && t.downRate >= 1 },
		func(t *tally) bool { return t.state == shoal.StateStalled || t.state == shoal.StateMissing },
		func(t *tally) bool { return t.state == shoal.StateDownloading && t.downRate < 1 },
		func(t *tally) bool { return t.state == shoal.StateMetadata },
		func(t *tally) bool { return t.state == shoal.StateSeeding && t.upRate >= 1 },
	} {
		for i := range w.last {
			if !fits(&w.last[i].tally) {
				continue
			}
			if len(v.rows) == maxRows {
				v.more++
				continue
			}
			s := w.torrents[i].Stats()
			at, _ := w.givesUp(s)
			v.rows = append(v.rows, row{s, at})
		}
	}
}

// checkedBytes is about how much of a torrent has been read while it is checked.
func checkedBytes(s shoal.Stats) int64 {
	if s.Pieces == 0 {
		return s.Size
	}
	return int64(float64(s.Checked) / float64(s.Pieces) * float64(s.Size))
}

const (
	// seedingEvery is how often a seed says in plain lines what it has sent: a log
	// of weeks stays short.
	seedingEvery = time.Minute
	// stalledEvery is how often a plain line says that files still fail.
	stalledEvery = time.Minute
)

// line prints a plain line when one is due.
func (w *Watcher) line(v view) {
	sum, now := v.sum, w.out.Now()
	one := v.torrents == 1
	switch {
	case w.checking:
		if done := checkedBytes(sum); w.pace.Due(now, done, sum.Size) {
			w.out.Say("checking  %s  %s of %s", ui.Percent(done, sum.Size), ui.Size(done), joined2(ui.Size(sum.Size), v.checks))
		}
	case one && v.doing[shoal.StateDownloading] > 0:
		if w.pace.Due(now, sum.WantedVerified(), sum.Wanted()) {
			w.out.Say("%s", downloading(v.one, now))
		}
	case one && v.doing[shoal.StateStalled]+v.doing[shoal.StateMissing] > 0:
		if now.Sub(w.pace.Last) >= stalledEvery {
			if !w.pace.Last.IsZero() { // an event told it at once
				w.out.Say("stalled  %s  %s", ui.Percent(v.one.WantedVerified(), v.one.Wanted()), strings.Join(causes(v.one, v.gives, now), "; "))
			}
			w.pace.Last = now
		}
	case v.doing[shoal.StateDownloading] > 0:
		if w.pace.Due(now, v.verified, v.wanted) {
			w.out.Say("%s", several(v, 0, ui.Blocks))
		}
	case sum.Uploaded > w.uploaded && now.Sub(w.pace.Last) >= seedingEvery:
		w.pace.Last, w.uploaded = now, sum.Uploaded
		w.out.Say("%s", several(v, 0, ui.Blocks))
	}
}

// joined2 puts parts of a line behind one.
func joined2(first string, parts []string) string {
	return strings.Join(append([]string{first}, parts...), "  ")
}

func downloading(s shoal.Stats, now time.Time) string {
	text := fmt.Sprintf("downloading  %s  %s of %s", ui.Percent(s.WantedVerified(), s.Wanted()), ui.Size(s.WantedVerified()), ui.Size(s.Wanted()))
	if all := causes(s, time.Time{}, now); len(all) > 0 {
		return text + "  " + strings.Join(all[:min(len(all), 3)], "; ")
	}
	return text + "  " + traffic(s, ui.Blocks)
}

// causes says why a torrent does not move, the nearest cause first; nothing while it does.
func causes(s shoal.Stats, gives, now time.Time) (all []string) {
	for i, c := range s.Waiting {
		text := ui.CauseWords(c, now)
		if i == 0 && !gives.IsZero() {
			text += "; given up in " + ui.Span(ui.Until(gives, now))
		}
		if c.Kind == shoal.CauseNoPeers && s.DHTNodes > 0 {
			text += ", " + ui.Count(s.DHTNodes, "DHT node")
		}
		all = append(all, text)
	}
	return all
}

// traffic says how a download gets on.
func traffic(s shoal.Stats, g ui.Glyphs) string {
	text := ui.Rate(s.DownRate) + "  " + ui.Count(s.Peers, "peer")
	if s.Seeds > 0 {
		text += " (" + ui.Count(s.Seeds, "seed") + ")"
	}
	if web := webSeedsAt(s); web > 0 {
		text += ", " + ui.Count(web, "web seed")
	}
	if d, ok := s.ETA(); ok {
		text += "  ETA " + ui.ETA(d)
	}
	if s.UpRate >= 1 {
		text += "  " + g.Up + " " + ui.Rate(s.UpRate)
	}
	return text
}

// several says in a line of at most width cells what torrents do, one seed among them; 0
// means any width. What matters least is left out first.
func several(v view, width int, g ui.Glyphs) string {
	var parts []string
	if v.doing[shoal.StateDownloading] > 0 {
		parts = append(parts, ui.Percent(v.verified, v.wanted), ui.Rate(v.sum.DownRate))
		if v.rest > 0 && v.mean >= 1 && v.sum.DownRate >= 1 {
			parts = append(parts, "ETA "+ui.ETA(time.Duration(float64(v.rest)/v.mean*float64(time.Second))))
		}
	}
	parts = append(parts, g.Up+" "+ui.Rate(v.sum.UpRate), ui.Count(v.sum.Peers, "peer"), ui.Size(v.sum.Uploaded)+" sent")
	if v.uplink != "" {
		parts = append(parts, v.uplink)
	}
	head := v.head(width > 0 && width < narrow)
	for width > 0 && len(head) > 1 && ui.Runes(strings.Join(head, ", "))+2+ui.Runes(ui.Fit(parts[:min(len(parts), 2)], 0)) > width {
		head = head[:len(head)-1]
	}
	return ui.Fit(append([]string{strings.Join(head, ", ")}, parts...), width)
}

// narrow is what a terminal has fewer cells than where words are saved.
const narrow = 60

// head says how many torrents do what, what matters most first.
func (v *view) head(short bool) (doing []string) {
	stalled := v.doing[shoal.StateStalled] + v.doing[shoal.StateMissing]
	seeds := v.doing[shoal.StateSeeding] + v.doing[shoal.StateIncomplete]
	for _, one := range []struct {
		n     int
		alone string // before the number, with its noun, where it comes first
		what  string
	}{
		{v.doing[shoal.StateDownloading], "downloading", "downloading"},
		{v.doing[shoal.StateMetadata], "", "without metadata"},
		{stalled, "", "stalled"},
		{v.doing[shoal.StateFailed], "", "failed"},
		{v.doing[shoal.StateChecking], "checking", "checked"},
		{seeds, "seeding", "seeding"},
		{v.doing[shoal.StateQueued], "", "in line"},
		{v.doing[shoal.StatePaused], "", "paused"},
	} {
		switch {
		case one.n == 0:
		case one.alone != "" && len(doing) == 0 && !short:
			doing = append(doing, one.alone+" "+ui.Count(one.n, "torrent"))
		default:
			doing = append(doing, ui.Grouped(int64(one.n))+" "+one.what)
		}
	}
	if len(doing) == 0 {
		doing = append(doing, "no torrent runs")
	}
	return doing
}
