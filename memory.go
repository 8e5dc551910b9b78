package shoal

// MemoryStats says how much memory an engine uses for the data of torrents. All sizes are in
// bytes.
type MemoryStats struct {
	Limit   int64 // limit of Buffers: Config.BufferBytes
	Buffers int64 // block buffers allocated
	InUse   int64 // of Buffers, those that have a block on its way to or from disk
	Stalled int64 // of Buffers, those that have a block that could not be written yet
	Checks  int64 // buffers of checks
	Spares  int64 // upload buffers, in use or kept for the next peer

	OpenFiles int // number of open files of torrents
	Devices   int // number of devices that torrents are on; each has a part of the block buffers
}

// Memory returns the memory in use now. Buffers is above Limit only when a device hangs with all
// of its buffers in use, and a torrent on another device is added.
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
