// Package swarm runs things side by side.
package swarm

// Run starts and waits.
func Run(in chan int) int { // want purity: a channel type
	go func() { in <- 1 }() // want purity: a go statement // want purity: a send
	select {                // want purity: a select statement
	case v := <-in: // want purity: a receive
		return v
	}
}
