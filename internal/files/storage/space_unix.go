//go:build linux || darwin || freebsd

package storage

import (
	"math"
	"math/bits"
	"os"
)

// times multiplies and saturates at MaxInt64: some network file systems claim 2^64 blocks.
func times(n uint64, unit int64) int64 {
	high, low := bits.Mul64(n, uint64(max(unit, 0)))
	if high > 0 || low > math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(low)
}

// withVolume adds the number of the volume.
func withVolume(dir *os.File, s Space) (Space, error) {
	info, err := dir.Stat()
	if err != nil {
		return Space{}, err
	}
	s.Volume, _ = DeviceOf(info)
	return s, nil
}
