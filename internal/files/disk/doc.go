// Package disk hashes and writes what peers send, and reads what they ask for.
// It decides nothing: which blocks are wanted is the affair of the swarm, where
// they lie is that of storage.
//
// A block goes from a peer's reader, which took its buffer from the Budget,
// through the torrent loop, which never looks inside, to Torrent.Store, which
// never waits. Workers, as many as there are processors, do the rest, each with
// one piece at a time:
//
//	          Store: a batch is there,
//	          or the piece is complete          a worker is free
//	resting ---------------------------> queued ----------------> running
//	   ^                                                             |
//	   +---- hashed up to the first gap; what is hashed is held -----+
//	                                                                 |
//	                 complete: compared, written with one call, reported
//
// A piece has a cursor: blocks before it are hashed. The worker hashes all
// contiguous blocks from the cursor while they are in its caches. Blocks stay in
// memory until the piece is complete, so that a piece that does not match its
// hash is never written; then all go out with one call. There are two
// exceptions. Pieces too large to be held are written in runs, as they are
// hashed. And when buffers run short, the piece that holds the most of them is
// written as far as it is there; blocks behind a gap are read back when the
// cursor arrives. So blocks held here never keep a reader waiting for good,
// however small the budget is and however many pieces are begun.
//
// What can't be written is kept, within a bound, and written again by Torrent.Retry.
// Until then the torrent writes nothing, and its pieces give up their buffers only when
// somebody waits for one.
//
// One mutex guards the pieces and the queues. It is held for pointer moves, never
// while hashing, reading, writing or reporting.
//
// BEP 3 gives pieces, blocks and SHA-1.
// Decision 0040 says why.
package disk
