package ui

import "sync"

// Latest keeps the words that were last printed of each tracker, so that they come once in a
// command: while metadata is looked for, and of the torrent that it becomes. There are as
// many as the torrents name trackers. Safe for concurrent use.
type Latest struct {
	mu   sync.Mutex
	text map[string]string // by URL
}

// Changed notes the text and reports whether it differs from the one before.
func (s *Latest) Changed(url, text string) bool {
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
