package main

import (
	"hash/fnv"
	"io"
	"sync"

	"shoal"
)

// said keeps what people were told of each tracker, so that the same words come once in a
// command: while metadata is looked for, and of the torrent that it becomes. There are as
// many as the torrents name trackers. Safe for concurrent use.
type said struct {
	mu   sync.Mutex
	text map[string]string // by URL
}

// news notes the text and reports whether it differs from the one before.
func (s *said) news(url, text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.text[url] == text {
		return false
	}
	if s.text == nil {
		s.text = make(map[string]string)
	}
	s.text[url] = text
	return true
}

// trackers tells a program of every change since the sums of the last look, and people of what
// fails: of a tracker that many torrents have once.
func (o *output) trackers(f *folds, infoHash string, all []shoal.TrackerStats, sums *[]uint32, alone bool) {
	if len(*sums) != len(all) {
		*sums = make([]uint32, len(all))
	}
	for i, t := range all {
		h := fnv.New32a()
		io.WriteString(h, t.URL+" "+t.State+" "+t.Err+" "+t.Warning)
		if (*sums)[i] == h.Sum32() {
			continue
		}
		(*sums)[i] = h.Sum32()
		o.event("tracker", trackerEvent{infoHash, t.URL, t.State, t.Err, t.Warning})
		text := t.Err
		if t.State == "unsupported" {
			text = orElse(text, t.State)
		}
		if text == "" && t.Warning != "" {
			text = "it warns: " + t.Warning
		}
		if text == "" && !alone || !o.said.news(t.URL, text) {
			continue
		}
		if text != "" && !o.json {
			f.add("tracker", "tracker", "tracker "+printable(t.URL)+": "+printable(text), 0)
		}
	}
}
