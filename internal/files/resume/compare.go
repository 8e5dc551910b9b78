package resume

import (
	"time"

	"shoal/internal/value/bitfield"
)

// Verdict says what a journal is worth, given how the files lie on disk now.
type Verdict struct {
	Trusted *bitfield.Bitfield // claimed, and the files are unchanged: no need to hash
	Doubt   *bitfield.Bitfield // may be there, or be damaged: hash these before saying anything about them

	// Missing are the files that existed and are gone; their claimed pieces are in neither set.
	// FolderGone says that the folder is another one than before and contains none of the files: an
	// unmounted volume. With either, the caller writes nothing and leaves the journal alone until
	// the files are back, or the user decides otherwise.
	Missing    []int
	FolderGone bool

	Changed []int    // files that differ from their notes
	How     []string // for each of Changed, the difference
}

// A write whose end was not noted has set the file's time soon after its noted beginning. File
// times come from the last tick of the system's clock, so the time can even be a little earlier.
const (
	slackBefore = 20 * time.Millisecond
	slackAfter  = 25 * time.Millisecond
)

// Compare decides which claims still hold. A file that still has its noted size and time vouches
// for its pieces, whatever its inode number: so does a copy that keeps the time. So does a file
// that only our own unfinished work has changed. In the same run of the system that is the write
// whose end was not noted, recognised by its time. After a loss of power it is any change older
// than the start of the system, because the last notes can be lost. The pieces of every other
// existing file are in doubt, claimed or not, and so are pieces that were written and not yet
// claimed. When the journal is damaged, all pieces are in doubt.
//
// No claim holds for bytes that do not exist, whatever the journal says: in a missing file without
// bytes in the part file, or past the end of a file.
func (lo *Loaded) Compare(now Seen) Verdict {
	l, st := lo.lay, lo.st
	v := Verdict{Trusted: st.have.Clone(), Doubt: st.doubts()}
	lost, unfounded := bitfield.New(l.Geometry.Pieces), bitfield.New(l.Geometry.Pieces)
	anyThere := false
	shift := now.Volume.zoneShift(st.files, now.Files)
	for i := range l.Files {
		if !kept(&l.Files[i]) {
			continue
		}
		was, is := st.files[i], now.Files[i]
		is.ModTime -= shift
		if !lo.same && !st.clean {
			was.Exists = st.safe[i].Exists // later notes can be lost
		}
		anyThere = anyThere || is.Exists
		switch {
		case i == l.part():
			// Its bytes can lie in files of their own by now, so it never counts as missing.
			if !is.same(st.files[i]) || is.Exists != was.Exists {
				l.mark(v.Doubt, i)
			}
		case !is.Exists && was.Exists:
			v.Missing = append(v.Missing, i)
			l.mark(lost, i)
		case !is.Exists:
			// The file was never noted as existing, so a claim can only mean bytes in the part
			// file.
			l.markAbsent(unfounded, i, l.Part && now.Files[l.part()].Exists)
		case is.same(st.files[i]), lo.ours(i, is, now.Volume):
			l.markBehind(unfounded, i, is.Size, l.Part && now.Files[l.part()].Exists)
		default:
			v.Changed, v.How = append(v.Changed, i), append(v.How, lo.how(i, is))
			l.mark(v.Doubt, i)
		}
	}
	v.FolderGone = !now.Folder.Exists || lo.Found && st.folder.Exists && !anyThere && !st.folder.sameFile(now.Folder, now.Volume)
	without(v.Doubt, lost)
	without(v.Trusted, lost)
	without(v.Trusted, unfounded)
	without(v.Trusted, v.Doubt)
	return v
}

// Same is Compare for one file: it reports whether file i matches its last note, or only our own
// unfinished work has changed it since.
func (lo *Loaded) Same(i int, now Seen) bool {
	is := now.Files[i]
	return is.Exists && lo.st.files[i].Exists && (is.same(lo.st.files[i]) || lo.ours(i, is, now.Volume))
}

// SamePlace reports whether the folder is the one that contained all noted files, and not the mount
// point of an absent volume. Mount points lie on the system's disks, whose folders keep their inode
// numbers; each start of the system assigns device numbers again. Where the inode numbers are
// invented, the folder is a volume of its own.
func (lo *Loaded) SamePlace(now Seen) bool {
	was := lo.st.folder
	for _, id := range lo.st.files {
		if id.Exists && id.Device != was.Device {
			return false // they lay on a volume that was mounted in the folder
		}
	}
	return now.Folder.Exists && (now.Volume.MadeUp || was.Device == now.Folder.Device || !lo.same && was.Inode == now.Folder.Inode)
}

// how describes how file i differs from its note, and says when an unclean end explains it.
func (lo *Loaded) how(i int, is Identity) string {
	how := is.differs(lo.st.files[i])
	if !lo.st.clean {
		how += ", and shoal did not end in order"
	}
	return how
}

// PerhapsOurs reports whether file i can be one that we were writing when the power failed,
// although we noted nothing about it: we did not end in order, and the file changed about when the
// last note reached the device. What the user put there before or after is older or younger.
func (lo *Loaded) PerhapsOurs(is Identity) bool {
	return !lo.same && !lo.st.clean && is.ModTime <= lo.boot.Start.UnixNano() &&
		is.ModTime >= lo.noted-int64(unnoted) && is.ModTime <= lo.noted+int64(unnoted)
}

// unnoted is how long notes can take to reach the device: a group of pieces is committed after
// DefaultEvery, a slow device takes longer, and the system writes times later than bytes.
const unnoted = time.Minute

// ours reports whether a change of file i can only be our own.
func (lo *Loaded) ours(i int, is Identity, v Volume) bool {
	st, e := lo.st, &lo.lay.Files[i]
	if st.clean {
		return false
	}
	if !lo.same {
		safe := st.safe[i]
		return safe.sameFile(is, v) && is.Size >= safe.Size && is.ModTime >= safe.ModTime &&
			is.ModTime <= lo.boot.Start.UnixNano()
	}
	w := st.writing
	if w.n == 0 || w.off >= e.Offset+e.Length || w.off+w.n <= e.Offset {
		return false
	}
	was := st.files[i]
	end := min(w.off+w.n, e.Offset+e.Length) - e.Offset // end of the write, in the file
	return (was.sameFile(is, v) || !was.Exists) &&
		is.Size >= was.Size && is.Size <= max(was.Size, end) &&
		is.ModTime >= w.at-int64(slackBefore) && is.ModTime <= w.at+int64(slackAfter)
}
