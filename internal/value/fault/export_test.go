package fault

// Rows returns the number of error numbers that are known.
func Rows() int { return len(unix) }
