package engine

import "shoal/internal/files/storage"

// The system limits the files and sockets that a process can have open. Under a low limit the
// engine does less at the same time, so that nothing fails for lack of a handle. One part is for
// what every process has (standard streams, listeners, the DHT, the state), one for files of
// torrents, one for what is open briefly (folders on the way to a file, journals, announces),
// and the rest is for peers.
const (
	ownHandles  = 18 // counted: streams, poller, two families of listeners and LSD, locks, folders
	leastShare  = 4
	plentiful   = 2048 // limit from which none of our bounds comes near it
	partOfFiles = 4    // files of torrents get 1/partOfFiles of the rest
)

// shares returns how many files, peer connections, dials and handshakes can be open at the
// same time under a limit of handles.
func shares(limit int) (files, peers, dials, handshakes int) {
	rest := max(limit-ownHandles, 4*leastShare)
	files = max(rest/partOfFiles, leastShare)
	sockets := rest / 2
	dials, handshakes = max(sockets/6, 1), max(sockets/6, 1)
	peers = max(sockets-dials-handshakes, leastShare)
	return files, peers, dials, handshakes
}

// fit lowers a configuration to fit the limit of handles, and returns how many files may be open.
func (c *Config) fit(limit int) (files int) {
	if limit <= 0 || limit >= plentiful {
		return storage.DefaultOpenFiles
	}
	files, peers, dials, handshakes := shares(limit)
	c.Crowd, c.HalfOpen, c.Handshakes = min(c.Crowd, peers), min(c.HalfOpen, dials), min(c.Handshakes, handshakes)
	return min(files, storage.DefaultOpenFiles)
}
