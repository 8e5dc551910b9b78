package engine

// totals is the payload of earlier runs, and what the catalogue has of this one. The mutex of
// memory guards it.
//
//shoal:part
type totals struct {
	earlier Totals
	noted   Totals // of this run, as last written
}

func (t *totals) restored(earlier Totals) { t.earlier = earlier }

// news notes the payload of this run and reports whether it has changed.
func (t *totals) news(run Totals) bool {
	changed := run != t.noted
	t.noted = run
	return changed
}
