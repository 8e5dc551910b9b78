// Package fault says what each error of a file system means for a torrent: its kind, what a
// user can do about it, and what follows for the file and for the torrent. It knows error
// numbers only by name, so it is the same on every system (decision 0136).
package fault

import "fmt"

// Kind sorts failures by what can be done about them.
type Kind uint8

// The kinds of failure.
const (
	Other        Kind = iota // none of those below
	NoSpace                  // the volume, or the user's share of it, is full
	NoPermission             // the system does not allow it
	ReadOnly                 // the volume is mounted read-only
	TooManyFiles             // the process or the system has no file handles left
	Missing                  // the file does not exist, or ends too early
	IO                       // the device failed
	Unsafe                   // the existing entry is not a plain file of this torrent alone
	TooLarge                 // the file system holds no file of this length
	BadName                  // the file system refuses the name
	Gone                     // the volume was detached, or its server does not answer
	Busy                     // another program, or the system, holds the file
	NoMemory                 // the system has no memory for it
	Unsupported              // the file system can't do this at all
	NoFiles                  // the file system takes no more files, whatever room it has for bytes
)

// Then is what follows from a failure.
type Then uint8

// The consequences.
const (
	// Hold: all files of the torrent take no writes. Received pieces stay in memory and are
	// written again later; we serve what we have.
	Hold Then = iota
	// Refuse: this file can't be kept here; the other files can.
	Refuse
	// Slow: wait until a handle or memory is free.
	Slow
	// Look: the contents of the files are unknown until they are opened and hashed again.
	Look
	// Missed: wait for the file.
	Missed
	// Ignore: continue without it.
	Ignore
)

var thens = [...]string{"hold", "refuse", "slow", "look", "missed", "ignore"}

// String returns the consequence as a word.
func (t Then) String() string { return thens[t] }

var kinds = [...]struct {
	name, advice string
	then         Then
}{
	Other:        {"failure", "", Hold},
	NoSpace:      {"no space", "free some space, or choose another folder", Hold},
	NoPermission: {"no permission", "allow this user to read and write there, or choose another folder", Refuse},
	ReadOnly:     {"read-only", "mount the volume writable, or choose another folder", Hold},
	TooManyFiles: {"too many open files", "raise the limit on open files", Slow},
	Missing:      {"missing", "bring the file back, or check the torrent again", Missed},
	IO:           {"device failure", "look at the health of the disk, then check the torrent again", Look},
	Unsafe:       {"unsafe", "move what is there out of the way, choose another folder, or leave the file out with --skip", Refuse},
	TooLarge:     {"too large", "too large for this file system, or for the limit of this process (ulimit -f): FAT32 holds files below 4 GiB; choose a folder on another one, or leave the file out with --skip", Refuse},
	BadName:      {"name refused", "this file system does not take that name: rename the file with --rename, or leave it out with --skip", Refuse},
	Gone:         {"volume gone", "attach the volume again, or look after the server that it is on", Look},
	Busy:         {"in use", "another program or the system holds it: end that, and it goes on by itself", Hold},
	NoMemory:     {"out of memory", "end some programs; it goes on by itself", Slow},
	Unsupported:  {"not supported", "this file system can't do that: choose a folder on another one", Hold},
	NoFiles:      {"no more files", "the file system takes no more files, whatever room it has for bytes (no inodes are left, df -i): remove files that you don't need, however small, or choose a folder on another one", Hold},
}

// String returns the kind in two or three words.
func (k Kind) String() string {
	if int(k) < len(kinds) {
		return kinds[k].name
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Advice returns what a user can do about it; empty when nothing general helps.
func (k Kind) Advice() string {
	if int(k) < len(kinds) {
		return kinds[k].advice
	}
	return ""
}

// Then returns what follows from a failure of the kind.
func (k Kind) Then() Then {
	if int(k) < len(kinds) {
		return kinds[k].then
	}
	return Hold
}

// Fault is what one error number means.
type Fault struct {
	Kind   Kind
	Advice string // more exact than that of the kind; empty: that of the kind
}

// Words returns what a user can do about it.
func (f Fault) Words() string {
	if f.Advice != "" {
		return f.Advice
	}
	return f.Kind.Advice()
}

// Of returns what a Unix error number means, by its name, such as "ENOSPC". op is what we
// attempted, such as "open" or "write".
func Of(op, name string) Fault {
	if name == "EINVAL" {
		switch op {
		case "read", "write", "sync", "truncate", "make executable": // operations on a file that is open, or exists
			return Fault{Kind: Unsupported}
		}
	}
	return unix[name]
}

// fat32 is the length of the longest file that FAT32 holds.
const fat32 = 4<<30 - 1

// TooLong returns what "file too large" means for a file of this length. limit is how long a
// file of this process may be; below 0: no limit, or unknown.
func TooLong(length, limit int64) Fault {
	switch {
	case limit >= 0 && length > limit:
		return Fault{TooLarge, fmt.Sprintf("longer than this process may make a file, %d bytes: raise that limit (ulimit -f), or leave the file out with --skip", limit)}
	case length <= fat32:
		return Fault{TooLarge, "longer than this file system, or a limit of the system, allows, though FAT32 would hold it: choose a folder on another one, or leave the file out with --skip"}
	case limit < 0:
		return Fault{Kind: TooLarge}
	}
	return Fault{TooLarge, "too large for this file system: FAT32 holds files below 4 GiB; choose a folder on another one, or leave the file out with --skip"}
}

// OfWindows returns what an error code of Windows means (winerror.h).
func OfWindows(code uint32) Fault { return windows[code] }
