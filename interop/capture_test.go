//go:build interop

package interop

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"shoal/metainfo"
)

// A recording is all packets of this network namespace from its start on.
type recording struct {
	t    *testing.T
	fd   int
	end  chan struct{}
	done sync.WaitGroup

	packets [][]byte // from the IP header on; of the goroutine until stop
}

// mostPackets bounds a recording, whose long packets are cut: what is looked for stands in
// short ones, or at the beginning.
const (
	mostPackets = 1 << 20
	cutAt       = 2048
)

// capture begins to record.
func capture(t *testing.T) *recording {
	t.Helper()
	const all = 0x0003 // ETH_P_ALL
	fd, err := syscall.Socket(syscall.AF_PACKET, syscall.SOCK_DGRAM, int(binary.NativeEndian.Uint16([]byte{0, all})))
	if err != nil {
		t.Fatal("capture:", err)
	}
	syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVBUF, 64<<20)
	tick := syscall.NsecToTimeval(int64(50 * time.Millisecond))
	if err := syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &tick); err != nil {
		t.Fatal("capture:", err)
	}
	r := &recording{t: t, fd: fd, end: make(chan struct{})}
	r.done.Go(func() {
		b := make([]byte, 64<<10)
		for {
			n, _, err := syscall.Recvfrom(fd, b, 0)
			if err == nil && len(r.packets) < mostPackets {
				r.packets = append(r.packets, bytes.Clone(b[:min(n, cutAt)]))
				continue
			}
			select {
			case <-r.end:
				return
			default:
			}
		}
	})
	return r
}

// seen is how many packets tell of an info-hash, and how many TCP packets offer or do the
// exchange of peers.
type seen struct{ packets, datagrams, connections, exchanges int }

// stop ends the recording and looks for an info-hash in it, raw and in hexadecimal.
func (r *recording) stop(hash [20]byte) (s seen) {
	r.t.Helper()
	close(r.end)
	r.done.Wait()
	syscall.Close(r.fd)
	text := []byte(hex.EncodeToString(hash[:]))
	for _, p := range r.packets {
		protocol := byte(0)
		switch {
		case len(p) > 20 && p[0]>>4 == 4:
			protocol = p[9]
		case len(p) > 40 && p[0]>>4 == 6:
			protocol = p[6]
		}
		s.packets++
		told := bytes.Contains(p, hash[:]) || bytes.Contains(bytes.ToLower(p), text)
		switch {
		case protocol == syscall.IPPROTO_UDP && told:
			s.datagrams++
		case protocol == syscall.IPPROTO_TCP && told:
			s.connections++
		}
		if protocol == syscall.IPPROTO_TCP && bytes.Contains(p, []byte("6:ut_pex")) {
			s.exchanges++
		}
	}
	if len(r.packets) == mostPackets {
		r.t.Error("capture: more packets than are kept")
	}
	return s
}

func infoHashOf(t *testing.T, torrent string) [20]byte {
	t.Helper()
	b, err := os.ReadFile(torrent)
	if err != nil {
		t.Fatal(err)
	}
	meta, err := metainfo.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return meta.InfoHash
}
