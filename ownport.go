package shoal

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Range of the port that OwnPort chooses. Many private trackers refuse 6881 to 6889, which
// providers used to slow down, so the port is in the private range (RFC 6335: 49152 to 65535). It
// is above the ports that Linux uses for outgoing connections, which would take it now and then.
const (
	firstPort = 61000
	lastPort  = 65535
)

// OwnPort returns the port on which an Engine listens when Config.Listen is not set. It is random
// at first and kept in StateDir, so that a router's rule for it stays right. Without a StateDir,
// or when it can't be written, each call returns another port (decision 0142).
func OwnPort(stateDir string) uint16 {
	if stateDir == "" {
		return drawPort()
	}
	name := filepath.Join(stateDir, "port")
	if port, ok := keptPort(name); ok {
		return port
	}
	port := drawPort()
	text := []byte(strconv.Itoa(int(port)) + "\n")
	if os.MkdirAll(stateDir, 0o700) != nil {
		return port
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		if other, ok := keptPort(name); ok {
			return other // another program has just drawn it
		}
		_ = os.WriteFile(name, text, 0o600) // it holds something else
		return port
	}
	if err == nil {
		_, _ = f.Write(text) // where that fails it is drawn again next time
		_ = f.Close()
	}
	return port
}

// keptPort reads a port that was kept: one that a person has written there counts, too.
func keptPort(name string) (uint16, bool) {
	b, err := os.ReadFile(name)
	if err != nil || len(b) > 16 {
		return 0, false
	}
	port, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 16)
	return uint16(port), err == nil && port != 0
}

func drawPort() uint16 {
	var b [4]byte
	rand.Read(b[:])
	return uint16(firstPort + binary.BigEndian.Uint32(b[:])%(lastPort-firstPort+1))
}
