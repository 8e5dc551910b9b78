package resume

import "time"

// Volume says how far a file system's attributes identify files. The zero value is a local disk:
// its attributes stay as reported.
type Volume struct {
	// LateTimes: the time of a file can change after a write to it has returned.
	LateTimes bool

	// MadeUp: the file system invents inode numbers as it looks files up, so another number after
	// the next mount means nothing. Also set for unknown file systems.
	MadeUp bool

	// LocalTimes: times follow the wall clock, so all of them move when the time zone changes or
	// daylight saving begins.
	LocalTimes bool
}

// The granularities of times, in nanoseconds: NTFS and SMB; network file systems; exFAT; HFS, ext3
// and most archives; FAT.
var granularities = [...]int64{100, 1e3, 1e6, 10e6, 1e9, 2e9}

// sameTime reports whether a file's time is the noted one, perhaps cut to a coarser granularity: by
// another mount, a copy to a coarser volume, or an archive. Cutting never makes a time later, and a
// change never makes it earlier, so neither hides the other.
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

// zoneStep divides the offsets of all time zones, and zoneSpan is the largest distance between two
// of them.
const (
	zoneStep = int64(15 * time.Minute)
	zoneSpan = int64(26 * time.Hour)
)

// zoneShift returns by how much the times of all files have moved because the volume keeps local
// times; 0 where they have not moved, or not all by the same amount.
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
			return 0 // one file has not moved: the zone is not the reason
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
