// Package content manages the files of one torrent on disk. It opens, finds and names them,
// checks what is in doubt, claims verified pieces, and moves, renames and verifies files, whether
// the torrent runs or not. It knows no peer and no swarm; it reaches the rest of the engine
// through a Host only (decision 0171).
//
// The loop of the torrent owns its Content. The loop calls the methods, and hands over each
// Report that comes from Host.Post. Opening, checking and moving run as tasks of the content. A
// method that any goroutine may call says so. Package filestate decides what happens when files
// fail, and package room whether the torrent fits on its volumes. Hashes decide whether a file
// found by its name is the torrent's.
//
// A session is one opening of the files: it lasts until they are closed, or in doubt again. A
// search finds files under other names than the torrent's. The torrents of an engine have one
// Shared together: open files, journals, devices, and the queue of tasks.
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
