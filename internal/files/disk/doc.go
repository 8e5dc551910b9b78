// Package disk hashes and writes what peers send, and reads what they request. It decides nothing:
// the swarm decides which blocks we want, and storage where they lie.
//
// A peer's reader takes a buffer from the Budget and reads a block into it. The torrent's loop,
// which never looks inside, passes the block to Torrent.Store, which never blocks. The workers do
// the rest, one for each processor and each with one piece at a time:
//
//	          Store: a batch is there,
//	          or the piece is complete          a worker is free
//	resting ---------------------------> queued ----------------> running
//	   ^                                                             |
//	   +---- hashed up to the first gap; what is hashed is held -----+
//	                                                                 |
//	                 complete: compared, written with one call, reported
//
// A piece has a cursor: blocks before it are hashed. The worker hashes all contiguous blocks from
// the cursor while they are in its caches. Blocks stay in memory until the piece is complete, so
// that we never write a piece that does not match its hash; then one call writes them all. There
// are two exceptions:
//
//   - Pieces too large for that are written in runs, as they are hashed.
//   - When buffers run short, the worker writes what is there of the piece that holds the most of them, and reads blocks after a gap back when the cursor arrives.
//
// So blocks held here never block a reader forever, however small the budget is and however many
// pieces are begun.
//
// What can't be written is kept, within a bound, and Torrent.Retry writes it again. Until then the
// torrent writes nothing, and its pieces release their buffers only when a caller waits for one.
//
// One mutex guards the pieces and the queues. It is held for pointer moves, never while hashing,
// reading, writing or reporting.
//
// BEP 3 defines pieces, blocks and SHA-1. Decision 0040 says why pieces stay in memory.
package disk
