// Package resume keeps what survives a restart: for each torrent a journal, a
// small file in a folder of state, that says which pieces are verified and
// durable and what their files looked like when they were written. It decides
// no fate of a piece; it says which claims still hold, which pieces have to be
// hashed again, and which files are gone.
//
// The order of writing is held by construction:
//
//	Guard.WriteV     a note "I write here now"; the data; a note "the file looks so now"
//	Journal.Verified the piece matches its hash; nothing is claimed yet
//	Journal.Commit   sync of data and new names; then the record; then its sync
//
// so that a claim in the journal is never ahead of the data, and a write to a
// claimed piece never ahead of the claim's withdrawal. A new version of a journal
// is a new file: written, synced, renamed over the old one, its folder synced.
// Nothing in a journal is ever overwritten, and nothing is removed before its
// successor is in place.
//
// A Journal and a Guard belong to one torrent and may be used from several
// goroutines; a Committer groups the commits of a torrent, with a goroutine while
// there is something to commit and none otherwise.
//
// Files may have names of the user's (Journal.Rename), which the journal keeps: whoever
// opens it takes the layout from it, and calls FinishRenames before anything is looked at.
//
// The notes are not synced, and cost a write to the page cache each. They are what
// makes a stop by kill exact: the last note tells the file's identity to the
// nanosecond, so our own unfinished work and somebody else's edit are told apart
// without hashing, and the pieces that were written and not claimed yet are
// known. After a loss of power the notes since the last commit may be lost; then
// a change of a file that was open for writing is taken for our own if it is
// older than the start of the system.
// Decision 0060 says why.
package resume
