package resume

import (
	"time"

	"shoal/internal/value/bitfield"
)

// Verdict is what a journal is worth, given how the files lie on disk now.
type Verdict struct {
	Trusted *bitfield.Bitfield // claimed, and the files are as they were: no need to hash
	Doubt   *bitfield.Bitfield // may be there, or be spoilt: to be hashed before anything is said of them

	// Missing are the files that were there and are not; what was claimed of them
	// is in neither set. FolderGone says that the folder is another one than it was,
	// and holds none of the files: a volume that is not mounted. With either, nothing
	// is to be written and the journal is left alone until they are back, or the
	// user wants it otherwise.
	Missing    []int
	FolderGone bool

	Changed []int    // files that are not as they were noted
	How     []string // of each of these, in what
}

// A write whose end was not noted has set the file's time soon after it was noted
// to begin. The time of files is that of the last tick of the system's clock, so
// it may even be a little earlier.
const (
	slackBefore = 20 * time.Millisecond
	slackAfter  = 25 * time.Millisecond
)

// Compare tells which claims still hold. A file that is as it was noted last
// vouches for its pieces, whatever its number: a copy that keeps the time does, too. So does
// one that only our own unfinished work has
// changed: in the same run of the system the write whose end was not noted, told
// by its time; after a loss of power, whatever is older than the start of the
// system, since the last notes may be lost. The pieces of any other file that is
// there are in doubt, claimed or not, as are those that were written and not
// claimed yet. When the journal was damaged, all are.
//
// No claim holds over bytes that are not there, whatever the journal says: over a file
// that does not exist and has no bytes in the part file, or behind the end of a file.
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
			was.Exists = st.safe[i].Exists // what came after may be lost
		}
		anyThere = anyThere || is.Exists
		switch {
		case i == l.part():
			// What was in it may lie in files of its own by now, so it is never missed.
			if !is.same(st.files[i]) || is.Exists != was.Exists {
				l.mark(v.Doubt, i)
			}
		case !is.Exists && was.Exists:
			v.Missing = append(v.Missing, i)
			l.mark(lost, i)
		case !is.Exists:
			// It was never noted as there, so a claim can only be of bytes in the part file.
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

// Same reports whether file i is as it was noted last, or only our own unfinished work has
// changed it since: Compare for one file.
func (lo *Loaded) Same(i int, now Seen) bool {
	is := now.Files[i]
	return is.Exists && lo.st.files[i].Exists && (is.same(lo.st.files[i]) || lo.ours(i, is, now.Volume))
}

// SamePlace reports whether the folder is the one that held all files that were noted, and
// not the mount point of a volume that is not there. Mount points lie on the disks of the
// system, whose folders keep their numbers; numbers of devices are given out anew at each
// start of the system. Where a folder's numbers are made up, it is a volume of its own.
func (lo *Loaded) SamePlace(now Seen) bool {
	was := lo.st.folder
	for _, id := range lo.st.files {
		if id.Exists && id.Device != was.Device {
			return false // they lay on a volume that was mounted in the folder
		}
	}
	return now.Folder.Exists && (now.Volume.MadeUp || was.Device == now.Folder.Device || !lo.same && was.Inode == now.Folder.Inode)
}

// how says in what file i is not as it was noted, and when that is no wonder.
func (lo *Loaded) how(i int, is Identity) string {
	how := is.differs(lo.st.files[i])
	if !lo.st.clean {
		how += ", and shoal did not end in order"
	}
	return how
}

// PerhapsOurs reports whether file i may be one that we were writing when the power was lost,
// although nothing of it was noted: we did not end in order, and it was changed about when the
// last note reached the device. What the user put there before or since is older or younger.
func (lo *Loaded) PerhapsOurs(is Identity) bool {
	return !lo.same && !lo.st.clean && is.ModTime <= lo.boot.Start.UnixNano() &&
		is.ModTime >= lo.noted-int64(unnoted) && is.ModTime <= lo.noted+int64(unnoted)
}

// unnoted is how long notes may be on their way to the device: a group of pieces is committed
// after DefaultEvery, a slow device takes longer, and the system writes times later than bytes.
const unnoted = time.Minute

// ours reports whether a change of file i can only have been our own doing.
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
	w := st.open
	if w.n == 0 || w.off >= e.Offset+e.Length || w.off+w.n <= e.Offset {
		return false
	}
	was := st.files[i]
	end := min(w.off+w.n, e.Offset+e.Length) - e.Offset // of the write, in the file
	return (was.sameFile(is, v) || !was.Exists) &&
		is.Size >= was.Size && is.Size <= max(was.Size, end) &&
		is.ModTime >= w.at-int64(slackBefore) && is.ModTime <= w.at+int64(slackAfter)
}
