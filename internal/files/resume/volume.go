package resume

import "time"

// Volume is what a file system makes of the attributes that files are told apart by. The
// zero value is one of a local disk: what a file's attributes say stays said.
type Volume struct {
	// LateTimes: the time of a file may change after a write to it has returned.
	LateTimes bool

	// MadeUp: numbers of files are invented as files are looked up, and another one after
	// the next mount says nothing. Also of every file system that is not known.
	MadeUp bool

	// LocalTimes: times are kept as a clock on the wall shows them, so all of them move when
	// the time zone does, or daylight saving begins.
	LocalTimes bool
}

// The granularities of times, in nanoseconds: of NTFS and SMB, of network file systems, of
// exFAT, of HFS and ext3 and most archives, of FAT.
var granularities = [...]int64{100, 1e3, 1e6, 10e6, 1e9, 2e9}

// sameTime reports whether a file's time is the one that was noted, perhaps cut to a coarser
// granularity: by another mount, by a copy to a volume that keeps less, by an archive. A cut
// time is never later, and a change never earlier, so the one does not hide the other.
func sameTime(noted, is int64) bool {
	if noted == is {
		return true
	}
	for _, g := range granularities {
		if cut := noted - is; cut > 0 && cut < g && is%g == 0 {
			return true
		}
	}
	return false
}

// zoneStep is what the offsets of time zones are multiples of, and zoneSpan how far two
// can be apart.
const (
	zoneStep = int64(15 * time.Minute)
	zoneSpan = int64(26 * time.Hour)
)

// zoneShift returns by how much the times of all files have moved because the volume keeps
// local times; 0 where they have not, or not all by the same.
func (v Volume) zoneShift(was, is []Identity) int64 {
	if !v.LocalTimes {
		return 0
	}
	shift, agree := int64(0), 0
	for i := range was {
		a, b := was[i], is[i]
		if !a.Exists || !b.Exists || a.Size != b.Size {
			continue
		}
		d := b.ModTime - a.ModTime
		near := (d + sign(d)*zoneStep/2) / zoneStep * zoneStep
		switch {
		case near < -zoneSpan || near > zoneSpan || !sameTime(a.ModTime, b.ModTime-near):
		case near == 0:
			return 0 // a file that has not moved: it is not the zone
		case shift == 0 || near == shift:
			shift, agree = near, agree+1
		default:
			return 0
		}
	}
	if agree == 0 {
		return 0
	}
	return shift
}

func sign(n int64) int64 {
	if n < 0 {
		return -1
	}
	return 1
}
