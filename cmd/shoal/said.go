package main

import "sync"

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
