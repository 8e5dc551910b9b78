package engine

// totals holds the payload of earlier runs, and the payload of this run that the catalogue has.
// The mutex of librarian guards it.
//
//shoal:part
type totals struct {
	earlier Totals
	noted   Totals // payload of this run, as last stored
}

func (t *totals) restored(earlier Totals) { t.earlier = earlier }

// news notes the payload of this run, and reports whether it has changed.
func (t *totals) news(run Totals) bool {
	changed := run != t.noted
	t.noted = run
	return changed
}
