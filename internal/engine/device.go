package engine

import (
	"os"

	"shoal/internal/disk"
	"shoal/internal/storage"
)

// device is what the torrents on one device share: buffers, and the workers that hash
// and write. A device that is slow, or hangs, has its own torrents wait for buffers, which
// their peers feel through the sockets; torrents elsewhere do not notice.
type device struct {
	disk   *disk.Disk
	budget *disk.Budget
}

// maxDevices bounds the devices with buffers of their own, and so their memory. What is
// on further ones shares with the first.
const maxDevices = 8

// deviceOf gives the device of a torrent; nil when the engine is closed.
func (e *Engine) deviceOf(spec *Spec) *device {
	key := spec.Device
	if key == 0 && spec.Storage == nil && spec.Open == nil {
		if info, err := os.Stat(spec.Dir); err == nil {
			key, _ = storage.DeviceOf(info)
		}
	}
	e.deviceMu.Lock()
	defer e.deviceMu.Unlock()
	if e.devicesClosed {
		return nil
	}
	if d := e.devices[key]; d != nil {
		return d
	}
	if len(e.devices) >= maxDevices {
		key = 0
		if d := e.devices[key]; d != nil {
			return d
		}
	}
	b := disk.NewBudget(e.cfg.Buffers)
	d := &device{budget: b, disk: disk.New(disk.Config{Workers: e.cfg.Workers, Budget: b, Counters: e.files.Counters()})}
	if e.devices == nil {
		e.devices = make(map[uint64]*device)
	}
	e.devices[key] = d
	return d
}

// closeDevices ends the workers. No torrent is left.
func (e *Engine) closeDevices() {
	e.deviceMu.Lock()
	defer e.deviceMu.Unlock()
	e.devicesClosed = true
	for _, d := range e.devices {
		d.disk.Close()
	}
}

// buffersInUse gives the buffers that are out.
func (e *Engine) buffersInUse() (n int) {
	e.deviceMu.Lock()
	defer e.deviceMu.Unlock()
	for _, d := range e.devices {
		n += d.budget.InUse()
	}
	return n
}
