package engine

import (
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"shoal/internal/block"
	"shoal/internal/disk"
	"shoal/internal/storage"
)

// device is what the torrents on one device share: buffers, and the workers that hash
// and write. A device that is slow, or hangs, has its own torrents wait for buffers, which
// their peers feel through the sockets; torrents elsewhere do not notice.
type device struct {
	disk   *disk.Disk
	budget *disk.Budget
	key    uint64
	users  int // torrents; guarded by devices.mu
}

// maxDevices bounds the devices with buffers and workers of their own. What is on further
// ones shares with the first.
const maxDevices = 8

// devices are those that torrents are on now. They have equal parts of the buffers. When
// one more comes, the others give up what is out beyond their new part as it comes back:
// so the buffers are never more than the sum of what each had when it came, 1 + 1/2 + 1/3
// and so on, 2.7 times for eight of which each hangs before the next one comes. Otherwise
// they are what Config.Buffers says (decision 0046).
type devices struct {
	mu     sync.Mutex
	mem    disk.Blocks
	all    map[uint64]*device
	gone   []*device // that have buffers out
	closed bool
}

// deviceAt gives the number of the device that a folder is on; 0 where the system does not tell.
func deviceAt(dir string) (key uint64) {
	if info, err := os.Stat(dir); err == nil {
		key, _ = storage.DeviceOf(info)
	}
	return key
}

// deviceOf gives the device of a torrent, which is a user of it from then on; nil when the
// engine is closed.
func (e *Engine) deviceOf(spec *Spec) *device {
	key := spec.Device
	if key == 0 && spec.Storage == nil && spec.Open == nil {
		key = deviceAt(spec.Dir)
	}
	return e.useDevice(key)
}

// useDevice gives a device, with one more user.
func (e *Engine) useDevice(key uint64) *device {
	d := &e.devices
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil
	}
	if d.all[key] == nil && len(d.all) >= maxDevices {
		key = d.first()
	}
	if d.all[key] == nil {
		if d.all == nil {
			d.all = make(map[uint64]*device)
		}
		b := disk.NewBudgetOf(&d.mem, e.cfg.Buffers/int64(len(d.all)+1))
		d.all[key] = &device{
			budget: b, key: key,
			disk: disk.New(disk.Config{Workers: e.cfg.Workers, Budget: b, Counters: e.files.Counters()}),
		}
		d.share(e.cfg.Buffers)
	}
	d.all[key].users++
	return d.all[key]
}

// first gives the one with the lowest number. d.mu is held.
func (d *devices) first() uint64 {
	var keys []uint64
	for key := range d.all {
		keys = append(keys, key)
	}
	return slices.Min(keys)
}

// share gives every device its part of the buffers. d.mu is held.
func (d *devices) share(bytes int64) {
	for _, one := range d.all {
		one.disk.Resize(bytes / int64(len(d.all)))
	}
}

// leaveDevice has a device one user less. After the last its workers end.
func (e *Engine) leaveDevice(one *device) {
	d := &e.devices
	d.mu.Lock()
	one.users--
	last := one.users == 0 && !d.closed
	if last {
		delete(d.all, one.key)
		d.gone = append(slices.DeleteFunc(d.gone, func(g *device) bool { return g.budget.InUse() == 0 }), one)
		if len(d.all) > 0 {
			d.share(e.cfg.Buffers)
		}
	}
	d.mu.Unlock()
	if last {
		one.disk.Close() // nobody is left to wait for
		one.budget.Retire()
	}
}

// closeDevices ends the workers. No torrent is left.
func (e *Engine) closeDevices() {
	e.devices.mu.Lock()
	defer e.devices.mu.Unlock()
	e.devices.closed = true
	for _, d := range e.devices.all {
		d.disk.Close()
	}
}

// buffersInUse gives the buffers that are out.
func (e *Engine) buffersInUse() (n int) {
	d := &e.devices
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

// DiskStats are the figures of all devices.
type DiskStats struct {
	Limit     int64        // bytes that block buffers may take
	Allocated int64        // bytes taken from the system for block buffers, of all devices together
	Spares    int64        // bytes of other buffers for payload that are kept for the next connection
	OpenFiles int          // of torrents
	Devices   []disk.Stats // of those that torrents are on now
}

// DiskStats gives the figures of now.
func (e *Engine) DiskStats() DiskStats {
	s := DiskStats{Limit: e.cfg.Buffers, Spares: e.spares.Bytes(), OpenFiles: e.files.OpenFiles()}
	d := &e.devices
	d.mu.Lock()
	defer d.mu.Unlock()
	s.Allocated = d.mem.Allocated()
	for _, one := range d.all {
		s.Devices = append(s.Devices, one.disk.Stats())
	}
	return s
}

// onDevice gives the device that an opening of a torrent's files is on. It is the torrent's,
// or another one of which the opening is a user then.
func (o *opening) onDevice() *device {
	t := o.t
	if t.spec.Storage != nil || t.spec.Open != nil || t.spec.onDevice {
		return t.device
	}
	d := t.e.useDevice(deviceAt(t.at.Load().abs))
	if d == nil {
		return t.device
	}
	if d == t.device {
		t.e.leaveDevice(d) // it was one already
		return d
	}
	o.moved = d
	return d
}

// buffers are those of the device that a torrent is on, for its connections. One that began
// with its info-hash has some before it is known where its files are.
type buffers struct{ of atomic.Pointer[disk.Budget] }

func newBuffers(d *device) *buffers {
	b := new(buffers)
	b.of.Store(d.budget)
	return b
}

// TryGet implements peerconn.Buffers, as do the others.
func (b *buffers) TryGet() *block.Block { return b.of.Load().TryGet() }

// Get waits where the torrent is now. Whoever waits has no peers any more when it leaves.
func (b *buffers) Get(done <-chan struct{}) *block.Block { return b.of.Load().Get(done) }

// Put gives a block back, to where it came from.
func (b *buffers) Put(blk *block.Block) { b.of.Load().Put(blk) }

// settleOn has a torrent use the device that its files are on now: the loop's affair. What
// its connections have on the way goes back where it came from.
func (t *Torrent) settleOn(d *device) {
	if d == nil || d == t.device {
		return
	}
	old := t.device
	t.connMu.Lock()
	t.device = d
	if t.conn != nil {
		t.conn.Buffers.(*buffers).of.Store(d.budget)
	}
	t.connMu.Unlock()
	t.tasks.Go(func() { t.e.leaveDevice(old) })
}
