package storage

import (
	"math"
	"os"

	"golang.org/x/sys/windows"
)

// spaceOf queries the volume of an open folder. Windows has no separate bound on files.
func spaceOf(dir *os.File) (Space, error) {
	name, err := windows.UTF16PtrFromString(dir.Name())
	if err != nil {
		return Space{}, err
	}
	var free, total, all uint64
	if err := windows.GetDiskFreeSpaceEx(name, &free, &total, &all); err != nil {
		return Space{}, &os.PathError{Op: "free space", Path: dir.Name(), Err: err}
	}
	s := Space{Free: int64(min(free, math.MaxInt64)), Total: int64(min(total, math.MaxInt64))}
	var info windows.ByHandleFileInformation
	if windows.GetFileInformationByHandle(windows.Handle(dir.Fd()), &info) == nil {
		s.Volume = uint64(info.VolumeSerialNumber)
	}
	return s, nil
}
