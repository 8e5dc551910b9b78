package storage

import (
	"runtime"
	"sync"
)

const (
	// lookWindow is the number of names that are looked at before their results are passed on. It
	// bounds the memory of a look at any number of files, and is large beside the cost of starting
	// goroutines.
	lookWindow = 2048
	// leastApart is the number of names from which on a second core is worth its goroutine.
	leastApart = 256
)

// looked is a name, and what a look at it has found.
type looked struct {
	index int
	name  string
	at    Look
	err   error
}

// lookInWindows is LookAll with a function that looks at names that follow one another. It calls
// that function on all cores, and name and each in order, on the caller's goroutine.
func lookInWindows(n int, name func(int) string, each func(int, Look, error), look func([]looked)) {
	window := make([]looked, 0, min(n, lookWindow))
	for i := 0; i < n; {
		for window = window[:0]; i < n && len(window) < lookWindow; i++ {
			if at := name(i); at != "" {
				window = append(window, looked{index: i, name: at})
			}
		}
		onCores(len(window), leastApart, func(from, to int) { look(window[from:to]) })
		for k := range window {
			each(window[k].index, window[k].at, window[k].err)
		}
	}
}

// onCores calls do for parts of n things that follow one another, on all cores; no part is smaller
// than least, but for the last one.
func onCores(n, least int, do func(from, to int)) {
	cores := max(min(runtime.GOMAXPROCS(0), (n+least-1)/least), 1)
	var wg sync.WaitGroup
	for k := 1; k < cores; k++ {
		wg.Go(func() { do(n*k/cores, n*(k+1)/cores) })
	}
	do(0, n/cores)
	wg.Wait()
}
