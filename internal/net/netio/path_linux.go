package netio

import (
	"time"

	"golang.org/x/sys/unix"
)

const tellsPath = true

func pathOf(fd uintptr) (Path, bool) {
	i, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return Path{}, false
	}
	p := Path{
		RTT:    time.Duration(i.Rtt) * time.Microsecond,
		Acked:  int64(i.Bytes_acked),
		Acks:   int64(i.Segs_in),
		Unsent: int64(i.Notsent_bytes),
	}
	if i.Min_rtt != ^uint32(0) { // none yet
		p.Least = time.Duration(i.Min_rtt) * time.Microsecond
	}
	return p, true
}
