//go:build darwin || freebsd

package resume

import "golang.org/x/sys/unix"

// VolumeAt returns how far the attributes of the file system at path identify files.
func VolumeAt(path string) Volume {
	var st unix.Statfs_t
	if unix.Statfs(path, &st) != nil {
		return Volume{MadeUp: true}
	}
	v := Volume{LateTimes: st.Flags&unix.MNT_LOCAL == 0, MadeUp: true}
	switch unix.ByteSliceToString(fsType(&st)) {
	case "apfs", "hfs", "ufs", "zfs":
		v.MadeUp = v.LateTimes
	case "msdos", "msdosfs", "exfat":
		v.LocalTimes = true
	}
	return v
}

// fsType returns the name of the file system.
func fsType(st *unix.Statfs_t) []byte {
	name := make([]byte, 0, len(st.Fstypename))
	for _, c := range st.Fstypename {
		name = append(name, byte(c))
	}
	return name
}
