package resume

// SetLogLimit has new versions written sooner.
func (j *Journal) SetLogLimit(n int64) { j.limit = n }
