package engine

import (
	"fmt"
	"net/netip"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"shoal/internal/files/content"
	"shoal/internal/files/storage"
	"shoal/internal/value/block"
	"shoal/metainfo"
)

// Devices have the buffers together, not each: as they come the others get less, and as
// they go, more. What comes after the eighth shares.
func TestDevicesShareBuffers(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		const buffers = 8 << 20
		e := w.engine(1, Config{Buffers: buffers})
		bound := func(devices int) {
			t.Helper()
			s := e.DiskStats()
			sum := int64(0)
			for _, d := range s.Devices {
				sum += d.Budget
				if d.Budget < buffers/content.MaxDevices {
					t.Errorf("with %d devices one has %d bytes", devices, d.Budget)
				}
			}
			if len(s.Devices) != devices || sum > buffers || sum < buffers-int64(devices)*block.Size {
				t.Errorf("%d devices have %d bytes together", len(s.Devices), sum)
			}
		}
		var all []*Torrent
		for n := range 10 {
			c := makeContent(t, fmt.Sprintf("on device %d", n), 16<<10, 100_000)
			all = append(all, add(t, e, Spec{Meta: c.meta, Storage: c.on(t, storage.NewMemFS()), Device: uint64(n + 1)}))
			bound(min(n+1, content.MaxDevices))
		}
		for n, l := range all {
			l.Stop(t.Context())
			if n < 9 {
				synctest.Wait()
				s := e.DiskStats()
				if len(s.Devices) == 0 {
					t.Errorf("none is left for %d torrents", 9-n)
				}
			}
		}
		if s := e.DiskStats(); len(s.Devices) != 0 {
			t.Errorf("%d devices are kept for nobody", len(s.Devices))
		}
	})
}

// A torrent that is moved to another volume uses the buffers and workers of that; what was
// on its way goes back where it came from, and nobody keeps those of the old one.
func TestMoveTakesTheDevice(t *testing.T) {
	to, err := os.MkdirTemp("/dev/shm", "shoal")
	if err != nil {
		t.Skip("there is no second device")
	}
	defer os.RemoveAll(to)
	if content.DeviceAt(to) == content.DeviceAt(t.TempDir()) {
		t.Skip("there is no second device")
	}
	bubble(t, func(t *testing.T, w *world) {
		k := w.kept(makeContent(t, "device", 64<<10, 4<<20))
		w.net.SetLink(hostAddr(100), hostAddr(1), slow)
		e, l := k.run(1, nil)
		begun(l, 10)
		old := l.content.Device()
		if err := l.Move(t.Context(), to, nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if s := e.DiskStats(); len(s.Devices) != 1 || l.content.Device() == old || l.content.Device().Key() != content.DeviceAt(to) {
			t.Errorf("it is on %d of %d devices", l.content.Device().Key(), len(s.Devices))
		}
		wait(t, l)
		k.c.same(t, to)
		if s := e.DiskStats(); s.Devices[0].Written == 0 || old.Budget().InUse() != 0 || old.Budget().Allocated() != 0 {
			t.Errorf("written there: %d bytes; %d buffers of the old one are out, %d bytes of it kept", s.Devices[0].Written, old.Budget().InUse(), old.Budget().Allocated())
		}
		// And back, as one of two there.
		c := makeContent(t, "the other", 16<<10, 100_000)
		c.write(t, k.dir)
		other := add(t, e, Spec{Meta: c.meta, Dir: k.dir, Peers: []netip.AddrPort{}})
		wait(t, other)
		if err := l.Move(t.Context(), k.dir, nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if s := e.DiskStats(); len(s.Devices) != 1 || l.content.Device() != other.content.Device() {
			t.Errorf("%d devices", len(s.Devices))
		}
		for left, tor := range []*Torrent{other, l} {
			tor.Stop(t.Context())
			if s := e.DiskStats(); len(s.Devices) != 1-left {
				t.Errorf("%d devices, %d torrents have left", len(s.Devices), left+1)
			}
		}
	})
}

// The metadata of a link comes while nothing is on any device; the files that come to be are
// on another one than the folder they belong in. The peers that gave the metadata give the
// files, too.
func TestMagnetOntoAnotherDevice(t *testing.T) {
	aside, err := os.MkdirTemp("/dev/shm", "shoal")
	if err != nil {
		t.Skip("there is no second device")
	}
	defer os.RemoveAll(aside)
	if content.DeviceAt(aside) == content.DeviceAt(t.TempDir()) {
		t.Skip("there is no second device")
	}
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "aside", 64<<10, 4<<20)
		w.seed(w.engine(1, Config{}), c)
		e := w.engine(2, Config{})
		m, dir := w.magnet(e, c, MagnetSpec{
			Peers: []netip.AddrPort{at(1)},
			Choose: func(*metainfo.Torrent) ([]uint8, *Paths, error) {
				return nil, &Paths{IncompleteDir: aside}, nil
			},
		})
		began := time.Now()
		waitFor(t, known(t, m), 10*time.Minute)
		if d := time.Since(began); d > time.Minute {
			t.Errorf("it took %v, although the peer was there", d)
		}
		c.onDisk(t, dir)
	})
}
