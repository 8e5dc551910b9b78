package progress

import (
	"context"
	"reflect"
	"strings"
	"time"

	"shoal"
	"shoal/internal/cli/session"
	"shoal/internal/cli/ui"
)

// lookingEvery is how often a line or event says that the search for metadata goes on, where
// nothing changes.
const lookingEvery = 10 * time.Second

type lookingEvent struct {
	InfoHash   string          `json:"info_hash"`
	Name       string          `json:"name"`
	Peers      int             `json:"peers"`
	KnownPeers int             `json:"known_peers"`
	DHTNodes   int             `json:"dht_nodes"`
	Got        int64           `json:"got"`
	Size       int64           `json:"size"`
	Contacts   *contactsJSON   `json:"contacts,omitempty"`
	Waiting    []ui.CauseEvent `json:"waiting,omitempty"`
}

func lookingOf(infoHash, name string, st shoal.Stats) lookingEvent {
	return lookingEvent{
		infoHash, name, st.Peers, st.KnownPeers, st.DHTNodes, st.Metadata.Have, st.Metadata.Size, contactsOf(st.Contacts), ui.CausesOf(st.Waiting),
	}
}

// Learn waits until a link has become a torrent, and tells how it goes.
func Learn(ctx context.Context, s *session.Session, t *shoal.Torrent) error {
	s.Out.Say("looking for the metadata of %s", ui.Printable(t.Name()))
	ended := make(chan error, 1)
	go func() {
		ended <- t.WaitMetadata(ctx)
	}()
	every := ui.EventEvery
	if s.Out.Live() {
		every = ui.RedrawEvery
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	defer s.Out.Clear()
	l := seeker{out: s.Out, began: s.Out.Now()}
	l.folds.Now, l.folds.Say = s.Out.Now, func(line string) { s.Out.Say("%s", line) }
	defer l.folds.Flush(true)
	for {
		l.look(t.InfoHash(), t.Name(), t.Stats())
		select {
		case err := <-ended:
			return err
		case <-tick.C:
		}
	}
}

// A seeker tells how the search for one torrent's metadata goes.
type seeker struct {
	out      *ui.Output
	folds    ui.Folds
	pace     ui.Speed
	trackers []uint32 // sums of what was last shown of each
	began    time.Time
	told     lookingEvent // the last event
	at       time.Time    // when; zero before the first
}

// look tells what is new in a snapshot: a program of each change, and at the latest after a
// while that the search goes on.
func (l *seeker) look(infoHash, name string, st shoal.Stats) {
	now := l.out.Now()
	trackers(l.out, &l.folds, infoHash, st.Trackers, &l.trackers, true)
	l.folds.Flush(false)
	if l.out.Live() {
		l.pace.At(now, st.Metadata.Have)
		if now.Sub(l.began) >= ui.RedrawEvery {
			l.out.Draw(func(width, height int, g ui.Glyphs, c ui.Colours) []string {
				return looking(st, l.pace.Words(now, st.Metadata.Size), now, width, height, g, c)
			})
		}
		return
	}
	first, due := l.at.IsZero(), now.Sub(l.at) >= lookingEvery
	if l.out.JSON {
		e := lookingOf(infoHash, name, st)
		if first || due || !reflect.DeepEqual(e, l.told) {
			l.told, l.at = e, now
			l.out.Event("looking", e)
		}
		return
	}
	if !first && !due {
		return
	}
	l.at = now
	if first {
		return // a line said that it looks
	}
	text := []string{reached(st)}
	for _, cause := range st.Waiting {
		if cause.Kind != shoal.CauseNoPeers && (cause.Kind != shoal.CauseMetadata || cause.Of > 0) {
			text = append(text, ui.CauseWords(cause, now))
		}
	}
	l.out.Say("still looking for the metadata: %s", strings.Join(text, "; "))
}

// reached says which peers a magnet knows.
func reached(st shoal.Stats) string {
	text := ui.Count(st.Peers, "peer") + " connected, " + ui.Addresses(st.KnownPeers) + " known"
	if dialling := st.Contacts.Dialled - st.Contacts.Connected - st.Contacts.Refused - st.Contacts.TimedOut -
		st.Contacts.Unreachable - st.Contacts.Closed - st.Contacts.Failed; dialling > 0 {
		text += ", " + ui.Count(dialling, "attempt") + " under way"
	}
	if st.DHTNodes > 0 {
		text += ", " + ui.Count(st.DHTNodes, "DHT node")
	}
	return text
}

// looking draws the area of a terminal while metadata is looked for.
func looking(st shoal.Stats, speed []string, now time.Time, width, height int, g ui.Glyphs, c ui.Colours) []string {
	out := []string{ui.Shorten(reached(st), width, g)}
	if st.Metadata.Size > 0 {
		tail := ui.Fit(append([]string{ui.Size(st.Metadata.Have) + " of " + ui.Size(st.Metadata.Size)}, speed...), width-17)
		out = append([]string{ui.BarLine("metadata", st.Metadata.Have, st.Metadata.Size, tail, width, g, c)}, out...)
	}
	most := min(max(height-len(out)-1, 1), maxReasons)
	colour := c.Busy
	for _, cause := range st.Waiting {
		if cause.Kind == shoal.CauseMetadata || cause.Kind == shoal.CauseNoPeers {
			continue // said above
		}
		for _, line := range ui.Wrap(ui.CauseWords(cause, now), width, min(2, most), g) {
			out = append(out, colour+line+c.Off)
			most--
		}
		if most == 0 {
			break
		}
		colour = c.Faint
	}
	return out
}
