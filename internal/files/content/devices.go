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

// Device is what the torrents on one device share: buffers, and the workers that hash
// and write. A device that is slow, or hangs, has its own torrents wait for buffers, which
// their peers feel through the sockets; torrents elsewhere do not notice.
type Device struct {
	disk   *disk.Disk
	budget *disk.Budget
	key    uint64
	users  int // torrents; guarded by devices.mu
}

// MaxDevices bounds the devices with buffers and workers of their own. What is on further
// ones shares with the first.
const MaxDevices = 8

// devices are those that torrents are on now. They have equal parts of the buffers. When
// one more comes, the others give up what is out beyond their new part as it comes back:
// so the buffers are never more than the sum of what each had when it came, 1 + 1/2 + 1/3
// and so on, 2.7 times for eight of which each hangs before the next one comes. Otherwise
// they are what SharedConfig.Buffers says (decision 0046).
type devices struct {
	buffers  int64 // bytes, of all together
	workers  int   // of each
	counters *storage.Counters

	mu     sync.Mutex
	mem    disk.Blocks
	all    map[uint64]*Device
	gone   []*Device // that have buffers out
	closed bool
}

// DeviceAt returns the number of the device that a folder is on; 0 where the system does not tell.
func DeviceAt(dir string) (key uint64) {
	if info, err := os.Stat(dir); err == nil {
		key, _ = storage.DeviceOf(info)
	}
	return key
}

// Enter makes the content a user of the device that its folder is on, or that of its options;
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

// Leave is Close of a content that was never started.
func (c *Content) Leave() { c.shared.leaveDevice(c.device) }

// useDevice returns a device, with one more user.
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

// first returns the one with the lowest number. d.mu is held.
func (d *devices) first() uint64 {
	var keys []uint64
	for key := range d.all {
		keys = append(keys, key)
	}
	return slices.Min(keys)
}

// split sets the part of the buffers that every device has. d.mu is held.
func (d *devices) split(bytes int64) {
	for _, one := range d.all {
		one.disk.Resize(bytes / int64(len(d.all)))
	}
}

// leaveDevice has a device one user less. After the last its workers end.
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
		one.disk.Close() // nobody is left to wait for
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

// DiskStats returns the figures of the devices that torrents are on now, and the bytes taken
// from the system for block buffers, of all devices together.
func (s *Shared) DiskStats() (devices []disk.Stats, allocated int64) {
	d := &s.devices
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, one := range d.all {
		devices = append(devices, one.disk.Stats())
	}
	return devices, d.mem.Allocated()
}

// onDevice returns the device that an opening of a torrent's files is on. It is the torrent's,
// or another one of which the opening is a user then.
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
		c.shared.leaveDevice(d) // it was one already
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

// Buffers are those of the device that a torrent is on, for its connections. One that began
// with its info-hash has some before it is known where its files are.
type Buffers struct{ of atomic.Pointer[disk.Budget] }

// Buffers returns the buffers of the device that the files are on, wherever that is. Any
// goroutine may use them.
func (c *Content) Buffers() *Buffers { return &c.buffers }

// TryGet implements peerconn.Buffers, as do the others.
func (b *Buffers) TryGet() *block.Block { return b.of.Load().TryGet() }

// Get waits where the torrent is now. A connection that waits is closed before the torrent
// leaves the device.
func (b *Buffers) Get(done <-chan struct{}) *block.Block { return b.of.Load().Get(done) }

// Put returns a block to where it came from.
func (b *Buffers) Put(blk *block.Block) { b.of.Load().Put(blk) }

// settleOn makes the content use the device that its files are on now. What its connections
// have on the way goes back where it came from.
func (c *Content) settleOn(d *Device) {
	if d == nil || d == c.device {
		return
	}
	old := c.device
	c.device = d
	c.buffers.of.Store(d.budget)
	c.tasks.Go(func() { c.shared.leaveDevice(old) })
}
