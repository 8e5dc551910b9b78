// Package mono reads the clock, which it must not.
package mono

import (
	"sync" // want purity: needs no lock
	clk "time"
)

var mu sync.Mutex

// Now is what a pure package never offers.
func Now() int64 {
	mu.Lock()
	defer mu.Unlock()
	return clk.Now().UnixNano() // want purity: time.Now
}

// Later arms a timer.
func Later() { clk.AfterFunc(1, func() {}) } // want purity: time.AfterFunc
