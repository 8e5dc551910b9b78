package wire

import (
	. "broken/bencode"                      // want floors: dot import
	_ "broken/internal/decide/swarm/picker" // want floors: of the higher floor decisions

	_ "crypto/rand" // want purity: as a *rand.Rand
	"fmt"
	_ "golang.org/x/sys/cpu" // want purity: not one of the pure imports
	_ "net"                  // want purity: only the shell knows sockets
)

// Say prints, where it should append.
func Say() {
	fmt.Println("x") // want purity: fmt.Println
	println("x")     // want purity: calls println
}
