//go:build !linux && !darwin && !windows

package netio

const tellsPath = false

func pathOf(uintptr) (Path, bool) { return Path{}, false }
