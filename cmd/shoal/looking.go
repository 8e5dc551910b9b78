package main

import (
	"context"
	"reflect"
	"strings"
	"time"

	"shoal"
)

// lookingEvery is how often it is told that metadata is still being looked for, where
// nothing changes.
const lookingEvery = 10 * time.Second

type lookingEvent struct {
	InfoHash   string        `json:"info_hash"`
	Name       string        `json:"name"`
	Peers      int           `json:"peers"`
	KnownPeers int           `json:"known_peers"`
	DHTNodes   int           `json:"dht_nodes"`
	Got        int64         `json:"got"`
	Size       int64         `json:"size"`
	Contacts   *contactsJSON `json:"contacts,omitempty"`
	Waiting    []causeEvent  `json:"waiting,omitempty"`
}

// learn waits until a link has become a torrent, and tells how it goes.
func learn(ctx context.Context, s *session, m *shoal.Magnet) error {
	s.out.say("looking for the metadata of %s", printable(m.Name()))
	ended := make(chan error, 1)
	go func() {
		_, err := m.Wait(ctx)
		ended <- err
	}()
	every := eventEvery
	if s.out.live() {
		every = redrawEvery
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	defer s.out.clear()
	l := seeker{out: s.out, began: s.out.now()}
	l.folds.now, l.folds.say = s.out.now, func(line string) { s.out.say("%s", line) }
	defer l.folds.flush(true)
	for {
		l.look(m.InfoHash(), m.Name(), m.Stats())
		select {
		case err := <-ended:
			return err
		case <-tick.C:
		}
	}
}

// A seeker tells how the search for one torrent's metadata goes.
type seeker struct {
	out      *output
	folds    folds
	pace     speed
	trackers []uint32 // what was told of each
	began    time.Time
	told     lookingEvent // the last that was told
	at       time.Time    // when; zero before the first
}

// look tells what is new in a snapshot: a program of each change, and at the latest after a
// while that the search goes on.
func (l *seeker) look(infoHash, name string, st shoal.MagnetStats) {
	now := l.out.now()
	trackers(l.out, &l.folds, infoHash, st.Trackers, &l.trackers, true)
	l.folds.flush(false)
	if l.out.live() {
		l.pace.at(now, st.Got)
		if now.Sub(l.began) >= redrawEvery {
			l.out.draw(func(width, height int, g glyphs, c colours) []string {
				return looking(st, l.pace.words(now, st.Size), now, width, height, g, c)
			})
		}
		return
	}
	first, due := l.at.IsZero(), now.Sub(l.at) >= lookingEvery
	if l.out.json {
		e := lookingEvent{
			infoHash, name, st.Peers, st.KnownPeers, st.DHTNodes, st.Got, st.Size, contactsOf(st.Contacts), causesOf(st.Waiting),
		}
		if first || due || !reflect.DeepEqual(e, l.told) {
			l.told, l.at = e, now
			l.out.event("looking", e)
		}
		return
	}
	if !first && !due {
		return
	}
	l.at = now
	if first {
		return // that it looks is said
	}
	text := []string{reached(st)}
	for _, cause := range st.Waiting {
		if cause.Kind != shoal.CauseNoPeers && (cause.Kind != shoal.CauseMetadata || cause.Of > 0) {
			text = append(text, words(cause, now))
		}
	}
	l.out.say("still looking for the metadata: %s", strings.Join(text, "; "))
}

// reached says whom a magnet knows.
func reached(st shoal.MagnetStats) string {
	text := count(st.Peers, "peer") + " connected, " + addresses(st.KnownPeers) + " known"
	if dialling := st.Contacts.Dialled - st.Contacts.Connected - st.Contacts.Refused - st.Contacts.TimedOut -
		st.Contacts.Unreachable - st.Contacts.Closed - st.Contacts.Failed; dialling > 0 {
		text += ", " + count(dialling, "attempt") + " under way"
	}
	if st.DHTNodes > 0 {
		text += ", " + count(st.DHTNodes, "DHT node")
	}
	return text
}

// looking draws the area of a terminal while metadata is looked for.
func looking(st shoal.MagnetStats, speed []string, now time.Time, width, height int, g glyphs, c colours) []string {
	out := []string{shorten(reached(st), width, g)}
	if st.Size > 0 {
		tail := fit(append([]string{size(st.Got) + " of " + size(st.Size)}, speed...), width-17)
		out = append([]string{barLine("metadata", st.Got, st.Size, tail, width, g, c)}, out...)
	}
	most := min(max(height-len(out)-1, 1), maxReasons)
	colour := c.busy
	for _, cause := range st.Waiting {
		if cause.Kind == shoal.CauseMetadata || cause.Kind == shoal.CauseNoPeers {
			continue // said above
		}
		for _, line := range wrap(words(cause, now), width, min(2, most), g) {
			out = append(out, colour+line+c.off)
			most--
		}
		if most == 0 {
			break
		}
		colour = c.faint
	}
	return out
}
