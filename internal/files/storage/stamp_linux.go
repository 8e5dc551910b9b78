package storage

import (
	"os"
	"syscall"
)

// Stamp implements Stamper.
func (h *handle) Stamp() (Stamp, error) {
	var st syscall.Stat_t
	if err := syscall.Fstat(int(h.fd.Load()), &st); err != nil {
		return Stamp{}, os.NewSyscallError("fstat", err)
	}
	return Stamp{Device: uint64(st.Dev), Inode: st.Ino, Size: st.Size, ModTime: st.Mtim.Nano()}, nil
}
