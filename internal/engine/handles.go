package engine

import "shoal/internal/files/storage"

// A process may have a bounded number of files and sockets open. Where that is little, less is
// done at the same time, so that nothing fails for want of a handle: a part is kept for what
// every process has (standard streams, listeners, the DHT, the state), a part for files of
// torrents, a part for what is open for moments (folders on the way to a file, journals,
// announces), and the rest is for peers.
const (
	ownHandles  = 18 // counted: streams, poller, two families of listeners and LSD, locks, folders
	leastShare  = 4
	plentiful   = 2048 // above, no bound of ours is near it
	partOfFiles = 4    // one in so many of the rest
)

// shares returns how many files, connections to peers, dials and handshakes there may be at
// the same time under a limit of handles.
func shares(limit int) (files, peers, dials, handshakes int) {
	rest := max(limit-ownHandles, 4*leastShare)
	files = max(rest/partOfFiles, leastShare)
	sockets := rest / 2
	dials, handshakes = max(sockets/6, 1), max(sockets/6, 1)
	peers = max(sockets-dials-handshakes, leastShare)
	return files, peers, dials, handshakes
}

// fit makes a configuration fit the limit of handles, and returns how many files may be open.
func (c *Config) fit(limit int) (files int) {
	if limit <= 0 || limit >= plentiful {
		return storage.DefaultOpenFiles
	}
	files, peers, dials, handshakes := shares(limit)
	c.Crowd, c.HalfOpen, c.Handshakes = min(c.Crowd, peers), min(c.HalfOpen, dials), min(c.Handshakes, handshakes)
	return min(files, storage.DefaultOpenFiles)
}
