package resume

import "golang.org/x/sys/unix"

// The file systems without a constant in package unix.
const (
	exfatMagic    = 0x2011bab0
	ntfs3Magic    = 0x7366746e
	zfsMagic      = 0x2fc12fc1
	bcachefsMagic = 0xca451a4e
	jfsMagic      = 0x3153464a
)

// VolumeAt returns how far the attributes of the file system at path identify files.
func VolumeAt(path string) Volume {
	var st unix.Statfs_t
	if unix.Statfs(path, &st) != nil {
		return Volume{MadeUp: true}
	}
	switch uint32(st.Type) {
	case unix.NFS_SUPER_MAGIC, unix.SMB_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC,
		unix.CEPH_SUPER_MAGIC, unix.AFS_SUPER_MAGIC, unix.AFS_FS_MAGIC, unix.CODA_SUPER_MAGIC, unix.V9FS_MAGIC:
		return Volume{LateTimes: true, MadeUp: true}
	case unix.FUSE_SUPER_MAGIC: // FAT among others, on a system without a driver of its own
		return Volume{LateTimes: true, MadeUp: true, LocalTimes: true}
	case unix.MSDOS_SUPER_MAGIC, exfatMagic:
		return Volume{MadeUp: true, LocalTimes: true}
	case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.F2FS_SUPER_MAGIC,
		unix.TMPFS_MAGIC, unix.RAMFS_MAGIC, unix.NILFS_SUPER_MAGIC, unix.REISERFS_SUPER_MAGIC,
		ntfs3Magic, zfsMagic, bcachefsMagic, jfsMagic:
		return Volume{}
	}
	return Volume{MadeUp: true} // overlays and unknown file systems
}
