package netio

import (
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

const tellsPath = true

// sioTCPInfo asks for version 0 of TCP_INFO.
const sioTCPInfo = 0xd8000027

// tcpInfo is TCP_INFO_v0.
type tcpInfo struct {
	State             uint32
	Mss               uint32
	ConnectionTimeMs  uint64
	TimestampsEnabled uint8
	_                 [3]uint8
	RttUs             uint32
	MinRttUs          uint32
	BytesInFlight     uint32
	Cwnd              uint32
	SndWnd            uint32
	RcvWnd            uint32
	RcvBuf            uint32
	BytesOut          uint64
	BytesIn           uint64
	BytesReordered    uint32
	BytesRetrans      uint32
	FastRetrans       uint32
	DupAcksIn         uint32
	TimeoutEpisodes   uint32
	SynRetrans        uint8
	_                 [3]uint8
}

func pathOf(fd uintptr) (Path, bool) {
	var version, got uint32
	var i tcpInfo
	err := windows.WSAIoctl(windows.Handle(fd), sioTCPInfo, (*byte)(unsafe.Pointer(&version)), uint32(unsafe.Sizeof(version)),
		(*byte)(unsafe.Pointer(&i)), uint32(unsafe.Sizeof(i)), &got, nil, 0)
	if err != nil || got < uint32(unsafe.Sizeof(i)) {
		return Path{}, false
	}
	return Path{
		RTT:   time.Duration(i.RttUs) * time.Microsecond,
		Least: time.Duration(i.MinRttUs) * time.Microsecond,
		Acked: max(int64(i.BytesOut)-int64(i.BytesInFlight)-int64(i.BytesRetrans), 0),
	}, true
}
