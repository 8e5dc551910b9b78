// Package resume keeps what survives a restart: for each torrent a journal, a small file in the
// folder of state. It says which pieces are verified and durable, and what their files looked like
// when they were written. The package does not decide what happens to a piece. It reports which
// claims still hold, which pieces have to be hashed again, and which files are gone.
//
// The code enforces the order of writing:
//
//	Guard.WriteV     a note "I write here now"; the data; a note "the file looks so now"
//	Journal.Verified the piece matches its hash; nothing is claimed yet
//	Journal.Commit   sync of data and new names; then the record; then its sync
//
// A claim in the journal is therefore never ahead of the data, and a write to a claimed piece never
// ahead of the claim's withdrawal. A new version of a journal is a new file: written, synced,
// renamed over the old one, its folder synced. Nothing in a journal is ever overwritten, and
// nothing is removed before its successor is in place.
//
// A Journal and a Guard belong to one torrent and are safe for concurrent use. A Committer groups
// the commits of a torrent; it has a goroutine only while there is something to commit.
//
// The user can rename files (Journal.Rename). The journal keeps the names: its opener takes the
// layout from it, and calls FinishRenames before looking at any file.
//
// The notes are not synced; each costs a write to the page cache. They make a stop by kill exact.
// The last note has the file's identity to the nanosecond, so we tell our own unfinished work from
// somebody else's edit without hashing, and we know which pieces were written and not yet claimed.
// After a loss of power the notes since the last commit can be lost. Then a change of a file that
// was open for writing counts as our own if it is older than the start of the system. Decision 0060
// has the reasons.
package resume
