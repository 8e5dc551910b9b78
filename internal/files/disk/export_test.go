package disk

// SetBatch has a worker woken for that many contiguous blocks. It is called before the
// first Store.
func (d *Disk) SetBatch(blocks uint32) { d.batch = blocks }
