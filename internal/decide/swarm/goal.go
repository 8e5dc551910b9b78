package swarm

// goal is what we last reported of the torrent's goal: peers, trackers and the engine learn
// of changes only.
//
//shoal:part
type goal struct {
	completed bool // the engine knows that the torrent is complete
	seeking   bool // peers know that we want something
	fetching  bool // trackers get "completed" for the last piece: one was missing when the torrent began
}

// begins starts over with the current state: completeness at the start is not news.
func (g *goal) begins(complete, needs, missing bool) {
	g.rebase(complete, needs)
	g.fetching = missing
}

// rebase is begins for a change before the torrent was started.
func (g *goal) rebase(complete, needs bool) { g.completed, g.seeking = complete, needs }

// completes reports whether the torrent has become complete.
func (g *goal) completes(complete bool) bool {
	news := complete && !g.completed
	g.completed = complete
	return news
}

// fetched reports, once, that the last missing piece came (BEP 3).
func (g *goal) fetched() bool {
	news := g.fetching
	g.fetching = false
	return news
}

// turns reports whether we have begun or ceased to want something.
func (g *goal) turns(needs bool) bool {
	news := needs != g.seeking
	g.seeking = needs
	return news
}
