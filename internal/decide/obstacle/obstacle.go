// Package obstacle decides why a torrent does not move: it takes how things stand, and
// returns what they wait for, the nearest cause first. It is a function of its argument;
// since when a cause holds is carried over from the causes before.
//
// It is called for each snapshot of a torrent that has something to do, and for nothing
// else. A torrent that moves, or is complete, waits for nothing.
package obstacle

import "shoal/internal/value/mono"

// Kind says what is waited for.
type Kind uint8

// The kinds.
const (
	None             Kind = iota
	Files                 // writes fail, or a part of the data can't be read: Err; tried again at Next
	FilesGone             // the files were there and are not: Err; looked for at Next
	Paused                // by the user
	Queued                // for its turn in the line
	Metadata              // N of Of bytes of the metadata have come; Of is 0 until a peer has said it
	MetadataTooLarge      // it has N bytes, and at most Of are fetched
	Silent                // N peers were asked and nothing comes, since Since
	Choked                // all N peers that have something we want let us wait
	Lacking               // N peers are connected and have nothing that we want
	Nobody                // N of Of missing pieces are at no connected peer and no web seed
	WebSeedLacks          // the web seed What lacks N files, or has them with another length: Err
	WebSeed               // the web seed What fails: Err; asked again at Next, or never
	NoPeers               // none is connected: N addresses are known, Of of them are being dialled; Next is dialled then
	Closed                // N of Of handshakes were closed by the other side
	NoAnswer              // N of Of dials came to nothing otherwise
	Tracker               // the tracker What fails: Err; asked again at Next, or never
	Asking                // the tracker What was asked and has not answered yet
	NoWay                 // no tracker is named and there is no DHT: peers have to come by themselves
	NoNodes               // no node of the DHT answers
	Unreached             // we listen at port N, and nobody has connected to it yet
)

// Cause is one thing that a torrent waits for. Fields that a kind does not name are zero.
type Cause struct {
	Kind  Kind
	N, Of int64
	What  string // a URL
	Err   string // what went wrong
	Since mono.Time
	Next  mono.Time // of the next try; zero when there is none, or nobody knows
}

// State is what a torrent is doing, as far as it matters here.
type State uint8

// The states.
const (
	Other    State = iota // it is complete, wants nothing, or is being checked
	Fetching              // pieces are missing
	Bare                  // only the info-hash is known
	Held                  // the files fail
	Missing               // the files are not there
	Resting               // the user paused it
	InLine                // it waits for its turn
)

// Facts are how things stand.
type Facts struct {
	State State
	Err   string    // with Held and Missing
	Retry mono.Time // when that is tried again

	Moving   bool      // payload came in the last seconds
	LastData mono.Time // when it came last; zero before the first

	Peers, Known, Dialling int
	NextDial               mono.Time
	Useful                 int // peers that have something we want
	Choking, Asked         int // of these: let us wait; were asked
	Missing, Nobody        int64
	Dials                  Dials

	Trackers []Source
	WebSeeds []Source

	Private bool // its peers come from trackers alone
	DHT     bool // there is one
	Nodes   int  // that it knows
	Port    uint16
	Reached bool // some peer has connected to us

	Meta Meta // with Bare
}

// Dials counts what became of attempts to reach peers.
type Dials struct {
	Begun, Closed int64
	Unanswered    int64 // refused, not reached, not in time, or not a peer
}

// Source is a tracker or a web seed.
type Source struct {
	URL    string
	Err    string    // of the last request, if it failed
	Alive  bool      // it has answered well, or was not asked yet
	Asking bool      // a request is under way
	Next   mono.Time // of the next request, if it failed; mono.Never: none

	Lacks   int64 // files that a web seed does not have as they should be
	LackErr string
}

// Meta is how far the metadata has come.
type Meta struct {
	Got, Size    int64
	Sources      int // peers that have it, of a size that is fetched
	TooLarge     int // peers that say a larger one
	TooLargeSize int64
	Limit        int64 // of the size
}

// Of returns what a torrent waits for.
func Of(f *Facts) []Cause {
	switch f.State {
	case Held:
		return []Cause{{Kind: Files, Err: f.Err, Next: f.Retry}}
	case Missing:
		return []Cause{{Kind: FilesGone, Err: f.Err, Next: f.Retry}}
	case Resting:
		return []Cause{{Kind: Paused}}
	case InLine:
		return []Cause{{Kind: Queued}}
	case Bare:
		return f.bare()
	case Fetching:
		if !f.Moving {
			return f.still()
		}
	}
	return nil
}

// bare returns what a magnet waits for.
func (f *Facts) bare() (all []Cause) {
	if f.Meta.Sources == 0 && f.Meta.TooLarge > 0 {
		all = append(all, Cause{Kind: MetadataTooLarge, N: f.Meta.TooLargeSize, Of: f.Meta.Limit})
	} else {
		all = append(all, Cause{Kind: Metadata, N: f.Meta.Got, Of: f.Meta.Size})
	}
	switch {
	case f.Peers == 0:
		all = append(all, f.alone())
	case f.Meta.Sources == 0 && f.Meta.TooLarge == 0:
		all = append(all, Cause{Kind: Lacking, N: int64(f.Peers)})
	default:
		return all
	}
	return append(all, f.ways()...)
}

// still returns why nothing comes.
func (f *Facts) still() (all []Cause) {
	alive := false
	for _, w := range f.WebSeeds {
		alive = alive || w.Alive
	}
	switch {
	case f.Asked > 0:
		all = append(all, Cause{Kind: Silent, N: int64(f.Asked), Since: f.LastData})
	case f.Useful > 0:
		all = append(all, Cause{Kind: Choked, N: int64(f.Choking)})
		if f.Choking < f.Useful { // some let us ask, and are asked with the next flush
			all = all[:0]
		}
	case f.Peers > 0:
		all = append(all, Cause{Kind: Lacking, N: int64(f.Peers)})
	case !alive:
		all = append(all, f.alone())
	}
	if f.Nobody > 0 && (f.Peers > 0 || len(f.WebSeeds) > 0) {
		all = append(all, Cause{Kind: Nobody, N: f.Nobody, Of: f.Missing})
	}
	for _, w := range f.WebSeeds {
		if w.Lacks > 0 {
			all = append(all, Cause{Kind: WebSeedLacks, What: w.URL, N: w.Lacks, Err: w.LackErr})
		}
		if w.Err != "" && (w.Lacks == 0 || w.Err != w.LackErr || !w.Alive) {
			all = append(all, Cause{Kind: WebSeed, What: w.URL, Err: w.Err, Next: known(w.Next)})
		}
	}
	if f.Useful == 0 && (!alive || f.Nobody > 0) {
		all = append(all, f.ways()...)
	}
	return all
}

func (f *Facts) alone() Cause {
	return Cause{Kind: NoPeers, N: int64(f.Known), Of: int64(f.Dialling), Next: known(f.NextDial)}
}

// ways returns why no more peers come.
func (f *Facts) ways() (all []Cause) {
	if n := f.Dials.Closed; n > 0 {
		all = append(all, Cause{Kind: Closed, N: n, Of: f.Dials.Begun})
	}
	if n := f.Dials.Unanswered; n > 0 {
		all = append(all, Cause{Kind: NoAnswer, N: n, Of: f.Dials.Begun})
	}
	for _, t := range f.Trackers {
		switch {
		case t.Err != "":
			all = append(all, Cause{Kind: Tracker, What: t.URL, Err: t.Err, Next: known(t.Next)})
		case t.Asking:
			all = append(all, Cause{Kind: Asking, What: t.URL})
		}
	}
	dht := f.DHT && !f.Private
	switch {
	case dht && f.Nodes == 0:
		all = append(all, Cause{Kind: NoNodes})
	case !dht && len(f.Trackers) == 0:
		all = append(all, Cause{Kind: NoWay})
	}
	if !f.Reached && f.Port != 0 {
		all = append(all, Cause{Kind: Unreached, N: int64(f.Port)})
	}
	return all
}

// known returns a time, and zero where it is never.
func known(t mono.Time) mono.Time {
	if t == mono.Never {
		return 0
	}
	return t
}

// Carry sets since when each cause holds: since before, where it was among those, else
// since now.
func Carry(before, causes []Cause, now mono.Time) {
	for i := range causes {
		c := &causes[i]
		if !c.Since.IsZero() {
			continue
		}
		c.Since = now
		for _, b := range before {
			if b.Kind == c.Kind && b.What == c.What {
				c.Since = b.Since
			}
		}
	}
}
