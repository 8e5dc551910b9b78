// Package engine is the shell around the deciding packages: it owns the list of
// torrents, the port that serves them all, the dials and handshakes, the DHT
// node, the disk workers and the limits that torrents share. For each torrent
// with something to do it runs one loop, which hands events to the swarm and
// performs the effects that the swarm returns (decision 0007).
//
// # Who owns what, and how it ends
//
// The list of torrents has one mutex, and so has the inbox of each torrent; both are
// held briefly, never across a blocking call. Everything else of a torrent belongs to
// its loop. Others see an immutable snapshot.
//
// A connection has one owner: the handshake, then the event that brings it to the
// loop, then its peerconn.Conn, which the loop keeps among its peers until the reader
// reports its end. An owner that cannot pass a connection on closes it. The same holds
// for block buffers: when a torrent ends, its inbox returns those that are left.
//
// # From add to swarm
//
// Engine.Add lists the torrent and queues its opening, a task: eight run at once, and
// two of them at most are long checks.
//
//  1. The opening decides which folder the files are in; incomplete files may be in
//     another. resume.Open reads the journal, which knows what files are called. A
//     rename that was interrupted is finished. Missing files are searched for under the
//     names that other clients use. storage.OpenIn lays the torrent out; nothing is
//     created. resume.Look sees the files as they are, and Loaded.Compare says which
//     claims still hold, what is in doubt and what is gone. If all files are gone the
//     torrent waits for them (missing), and nothing is created in their place.
//  2. disk.Torrent.CheckPieces hashes what is in doubt, and nothing else. A found file
//     without a fitting piece is dropped, and the opening starts over without it.
//     Guard.Adopt makes what was found durable and claims it; a seed, which writes
//     nothing, does that later, in its turn. Folders and empty files are created, and
//     files that are wanted now leave the part file.
//  3. The loop gets the verified pieces. Torrent.start makes the swarm.Swarm, accepts
//     incoming connections and calls Swarm.Start: trackers get started, the DHT is
//     searched. Until then connections for the info-hash are closed without a byte.
//
// With Config.Remember, New itself adds the torrents of the last run from the catalogue
// (decision 0063). specOf makes of an entry what Add takes, and Torrent.keep makes the
// entry; a choice that survives a restart has a line in both.
//
// While the torrent runs, resume.Committer syncs and claims verified pieces in groups.
// Each write goes through resume.Guard, which notes it before and after; each read is
// judged there by how the open file looks when the read is done.
//
// Package content says what follows when files fail.
//
// # To the end
//
// Torrent.Stop, Engine.Close or a failure of the storage ends a torrent, always in this
// order, since each step needs the one before:
//
//  1. no more incoming connections;
//  2. the context ends dials, lookups and announces;
//  3. Swarm.Stop: effects Drop for all peers, and Announce with stopped for the trackers
//     that know us;
//  4. connections are closed, and nothing can be posted any more;
//  5. readers, writers and tasks end, the farewells to trackers within five seconds, or
//     when the context of Stop or Close ends;
//  6. disk.Torrent.Close waits for the workers; the inbox returns its buffers;
//  7. files are closed, the engine forgets the torrent, and the last event is sent.
//
// After that nothing runs, and the info-hash can be added again. Engine.Close stops all
// torrents at once, then the listener, the DHT node (which saves its table) and the workers.
//
// A torrent that becomes complete continues: effect Complete, then a task syncs and claims
// everything (Committer.Flush), and only then Wait returns (decision 0043).
//
// # An idle torrent has no goroutine
//
// A torrent without a connection, a dial, a rate to publish or an event parks: its loop
// ends and leaves a timer for Swarm.Deadline. A post, or the timer, starts a loop again. The
// swarm does not notice (decision 0064).
//
// # A read of missing data
//
// shoal.Reader (reader.go of the module, and fs.go for a whole torrent) calls
// Reader.ReadAt, which makes the piece and those ahead urgent and waits for it. Swarm.Urge
// and the picker fetch these first and in order; one choice in eight stays rarest first,
// and a late block is asked of a second peer (decision 0071).
//
// # The queue, and pauses
//
//  1. The torrent reports what it wants when that changes: to download, to seed, or
//     nothing while it is checked or stalled.
//  2. quota.Queue decides, with the rates of running torrents, which ones run; the loop
//     of a torrent whose turn changed is woken.
//  3. Swarm.SuspendFor ends or begins everything; connections are refused or accepted; the
//     loop parks.
//  4. quota.Seeding says whether the torrent has seeded enough; then it is paused or removed.
//
// # From a magnet link to its files
//
//  1. Engine.AddMagnet makes a Torrent with a swarm without metadata (decision 0088), and puts
//     it on the list and, with its link, in the catalogue (decision 0191). It dials,
//     announces and searches like any other. Its connections do not check piece numbers
//     (wire.Bounds.NoMetadata).
//  2. The swarm keeps what peers say about their pieces. Extension handshakes tell
//     metadata.Machine which peers have metadata of which claimed size. It requests
//     parts, bans liars, and in the end emits effect Metadata.
//  3. The metadata is parsed only now that its hash is right. If it is private,
//     Swarm.Private drops the peers that no tracker named. The files are chosen,
//     identity.learned shows the metadata to other goroutines, and
//     peerconn.Torrent.SetBounds makes connections check piece numbers.
//  4. The catalogue gets the metadata with the choices in the form for known files, and then
//     the files are opened as above. At the end of that Torrent.start calls Swarm.Known:
//     what peers said counts now, and the same connections carry requests.
package engine
