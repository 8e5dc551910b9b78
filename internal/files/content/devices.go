package content

import (
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"shoal/internal/files/disk"
	"shoal/internal/files/storage"
	"shoal/internal/value/block"
)

// Device is what the torrents on one device share: buffers, and the workers that hash and write. When
// a device is slow or hangs, its torrents wait for buffers, and their peers wait at the sockets.
// Torrents on other devices do not notice.
type Device struct {
	disk   *disk.Disk
	budget *disk.Budget
	key    uint64
	users  int // number of torrents; guarded by devices.mu
}

// MaxDevices bounds the devices with their own buffers and workers. Further devices share those of
// the first one.
const MaxDevices = 8

// devices are the devices that torrents are on now. They have equal parts of the buffers. When one
// more comes, the others give up what exceeds their new part as it comes back. So the buffers never
// exceed the sum of the parts that each device had when it came, 1 + 1/2 + 1/3 and so on: 2.7 times
// SharedConfig.Buffers for eight devices, when each hangs before the next one comes. Otherwise they
// take what SharedConfig.Buffers says (decision 0046).
type devices struct {
	buffers  int64 // bytes for all devices together
	workers  int   // workers of each device
	counters *storage.Counters

	mu     sync.Mutex
	mem    disk.Blocks
	all    map[uint64]*Device
	gone   []*Device // devices without torrents that still have buffers out
	closed bool
}

// DeviceAt returns the number of the device that a folder is on; 0 where the system does not tell.
func DeviceAt(dir string) (key uint64) {
	if info, err := os.Stat(dir); err == nil {
		key, _ = storage.DeviceOf(info)
	}
	return key
}

// Enter makes the content a user of the device of its folder, or of the one in its options. It returns
// false when the engine is closed. Leave or Close ends that.
func (c *Content) Enter() bool {
	key := c.opt.Device
	if key == 0 && c.InFolder() {
		key = DeviceAt(c.at.Load().given)
	}
	c.device = c.shared.useDevice(key)
	if c.device == nil {
		return false
	}
	c.buffers.of.Store(c.device.budget)
	return true
}

// Leave is Close for a content that was never started.
func (c *Content) Leave() { c.shared.leaveDevice(c.device) }

// useDevice returns a device and counts one more user of it.
func (s *Shared) useDevice(key uint64) *Device {
	d := &s.devices
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil
	}
	if d.all[key] == nil && len(d.all) >= MaxDevices {
		key = d.first()
	}
	if d.all[key] == nil {
		if d.all == nil {
			d.all = make(map[uint64]*Device)
		}
		b := disk.NewBudgetOf(&d.mem, d.buffers/int64(len(d.all)+1))
		d.all[key] = &Device{
			budget: b, key: key,
			disk: disk.New(disk.Config{Workers: d.workers, Budget: b, Counters: d.counters}),
		}
		d.split(d.buffers)
	}
	d.all[key].users++
	return d.all[key]
}

// first returns the device with the lowest number. d.mu is held.
func (d *devices) first() uint64 {
	var keys []uint64
	for key := range d.all {
		keys = append(keys, key)
	}
	return slices.Min(keys)
}

// split sets each device's part of the buffers. d.mu is held.
func (d *devices) split(bytes int64) {
	for _, one := range d.all {
		one.disk.Resize(bytes / int64(len(d.all)))
	}
}

// leaveDevice counts one user less of a device. When none is left its workers end.
func (s *Shared) leaveDevice(one *Device) {
	d := &s.devices
	d.mu.Lock()
	one.users--
	last := one.users == 0 && !d.closed
	if last {
		delete(d.all, one.key)
		d.gone = append(slices.DeleteFunc(d.gone, func(g *Device) bool { return g.budget.InUse() == 0 }), one)
		if len(d.all) > 0 {
			d.split(d.buffers)
		}
	}
	d.mu.Unlock()
	if last {
		one.disk.Close() // nobody waits for it any more
		one.budget.Retire()
	}
}

// closeDevices ends the workers. No torrent is left.
func (s *Shared) closeDevices() {
	s.devices.mu.Lock()
	defer s.devices.mu.Unlock()
	s.devices.closed = true
	for _, d := range s.devices.all {
		d.disk.Close()
	}
}

// BuffersInUse returns how many buffers are out.
func (s *Shared) BuffersInUse() (n int) {
	d := &s.devices
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, one := range d.all {
		n += one.budget.InUse()
	}
	for _, one := range d.gone {
		n += one.budget.InUse()
	}
	return n
}

// DiskStats returns the figures of the devices that torrents are on now, and the bytes taken from the
// system for block buffers of all devices together.
func (s *Shared) DiskStats() (devices []disk.Stats, allocated int64) {
	d := &s.devices
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, one := range d.all {
		devices = append(devices, one.disk.Stats())
	}
	return devices, d.mem.Allocated()
}

// onDevice returns the device of an opening of the torrent's files. It is the device of the torrent,
// or another one, of which the opening becomes a user.
func (o *session) onDevice() *Device {
	c := o.c
	if c.opt.Storage != nil || c.opt.Open != nil || c.opt.Device != 0 {
		return c.device
	}
	d := c.shared.useDevice(DeviceAt(c.at.Load().abs))
	if d == nil {
		return c.device
	}
	if d == c.device {
		c.shared.leaveDevice(d) // the torrent is a user already
		return d
	}
	o.moved = d
	return d
}

// Device returns the device that the files are on. Only the loop may call it.
func (c *Content) Device() *Device { return c.device }

// Key returns the number of the device.
func (d *Device) Key() uint64 { return d.key }

// Budget returns the buffers of the device.
func (d *Device) Budget() *disk.Budget { return d.budget }

// Buffers are the buffers of the device that a torrent is on, for its connections. A magnet needs some
// before we know where its files go.
type Buffers struct{ of atomic.Pointer[disk.Budget] }

// Buffers returns the buffers of the device that the files are on, whichever that is. Any goroutine
// may use them.
func (c *Content) Buffers() *Buffers { return &c.buffers }

// TryGet implements peerconn.Buffers, as the other methods do.
func (b *Buffers) TryGet() *block.Block { return b.of.Load().TryGet() }

// Get waits for a buffer of the torrent's present device. A connection that waits is closed before the
// torrent leaves the device.
func (b *Buffers) Get(done <-chan struct{}) *block.Block { return b.of.Load().Get(done) }

// Put returns a block to the device that it came from.
func (b *Buffers) Put(blk *block.Block) { b.of.Load().Put(blk) }

// settleOn makes the content use the device that its files are on now. Blocks that its connections
// still hold go back to the old one.
func (c *Content) settleOn(d *Device) {
	if d == nil || d == c.device {
		return
	}
	old := c.device
	c.device = d
	c.buffers.of.Store(d.budget)
	c.tasks.Go(func() { c.shared.leaveDevice(old) })
}
