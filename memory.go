package shoal

// MemoryStats is the memory that an engine has taken for the bytes of torrents, and where
// it is. All sizes are in bytes.
type MemoryStats struct {
	Limit   int64 // what block buffers may take together: Config.BufferBytes
	Buffers int64 // block buffers taken from the system, and kept
	InUse   int64 // of those, that hold a block on its way
	Stalled int64 // of those, that hold what could not be written yet
	Checks  int64 // buffers of checks, and kept
	Spares  int64 // upload buffers, in use or kept for the next peer

	OpenFiles int // of torrents
	Devices   int // that torrents are on; each has its part of the block buffers
}

// Memory returns the current figures. More than Limit is taken only when a device hangs with
// all its buffers in use, and a torrent on another one comes then.
func (e *Engine) Memory() MemoryStats {
	d := e.e.DiskStats()
	s := MemoryStats{Limit: d.Limit, Buffers: d.Allocated, Spares: d.Spares, OpenFiles: d.OpenFiles, Devices: len(d.Devices)}
	for _, one := range d.Devices {
		s.InUse += one.InUse
		s.Stalled += int64(one.Stalled) * blockSize
		s.Checks += one.Scratch
	}
	return s
}

const blockSize = 16 << 10
