// Package content is what lies on disk of a torrent: it opens the files, finds and names them,
// checks what is in doubt, claims what is verified, and moves, renames and verifies them while
// the torrent runs or when nobody runs it. It knows no peer and no swarm; what it asks of the
// world is a Host (decision 0171).
//
// A Content belongs to a loop, that of its torrent. The loop calls its methods, and hands it
// each Report that comes from Host.Post. Opening, checking and moving run as tasks of the
// content; what may be called by any goroutine says so. What to do when files fail is decided
// by filestate, whether something fits on a volume by room; what an opening finds by names is
// decided by hashes.
//
// A session is one opening of the files, from the look at what lies there to the next doubt.
// A search finds files under other names than the torrent's. What all torrents of an engine
// have together is a Shared: open files, journals, devices, and the turns of tasks.
//
// # Files that fail
//
// Failures go to filestate.Machine, which decides (decisions 0045 and 0073):
//
//	a write fails (ENOSPC and others)    the disk keeps the piece in memory; Swarm.Hold: we
//	                                     request nothing and serve what we have;
//	                                     disk.Torrent.Retry after 5 s, then later and later
//	one file is refused (fault.Refuse)   it is left out, the others continue (decision 0136)
//	a file changed, a read or a sync     Swarm.Suspend; the files are closed, opened again,
//	fails, the folder is another one     and checked where in doubt; then Swarm.Lost and
//	                                     Swarm.Regained
//	the files are gone                   missing: looked for every 5 s
//	some can't be read or claimed        we serve what we can, and try again
package content
