package resume_test

import "flag"

// sweep has the tests under the race detector, too, try every call, and all tests more
// combinations.
var sweep = flag.Bool("sweep", false, "stop and fail at every call, whatever it takes")

// next gives the call to stop or fail at after the n-th. The race detector looks for other
// things than what a stop leaves, and takes ten times as long: it gets a sample.
func next(n int) int {
	if raced && !*sweep {
		return n + 7
	}
	return n + 1
}

// coarse gives a larger step, where two calls are combined.
func coarse(step int) int {
	switch {
	case *sweep:
		return (step + 3) / 4
	case raced:
		return 3 * step
	}
	return step
}
