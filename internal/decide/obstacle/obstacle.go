// Package obstacle decides why a torrent does not move: it takes the facts, and returns what
// the torrent waits for, the nearest cause first. It is a function of its argument; Carry
// keeps since when a cause holds.
//
// The engine calls it for each snapshot of a torrent that has something to do. A torrent that
// moves, or is complete, waits for nothing.
package obstacle

import "shoal/internal/value/mono"

// Kind is what a torrent waits for.
type Kind uint8

// Values of Kind.
const (
	None             Kind = iota
	Files                 // writes fail, or part of the data is unreadable: Err; next try at Next
	FilesGone             // the files were there and are gone: Err; next look at Next
	Paused                // the user paused it
	Queued                // it waits for its turn in the queue
	Metadata              // N of Of bytes of the metadata are here; Of is 0 until a peer has named the size
	MetadataTooLarge      // the metadata has N bytes, and we fetch at most Of
	Silent                // N peers have requests of ours and send nothing, since Since
	Choked                // all N peers that have something we want choke us
	Lacking               // N peers are connected and have nothing that we want
	Nobody                // no connected peer and no web seed has N of the Of missing pieces
	WebSeedLacks          // the web seed What lacks N files, or has them with another length: Err
	WebSeed               // the web seed What fails: Err; next try at Next, or never
	NoPeers               // no peer is connected: N addresses are known, we dial Of of them; next dial at Next
	Closed                // the other side closed N of Of handshakes
	NoAnswer              // N of Of dials failed otherwise
	Tracker               // the tracker What fails: Err; next try at Next, or never
	Asking                // the tracker What has not answered yet
	NoWay                 // no tracker is named and there is no DHT: peers must come by themselves
	NoNodes               // no node of the DHT answers
	Unreached             // we listen at port N, and no peer has connected to it yet
)

// Cause is one thing that a torrent waits for. Fields that a kind does not name are zero.
type Cause struct {
	Kind  Kind
	N, Of int64
	What  string // a URL
	Err   string // what went wrong
	Since mono.Time
	Next  mono.Time // time of the next try; zero: none, or unknown
}

// State is what a torrent is doing, as far as it matters here.
type State uint8

// Values of State.
const (
	Other      State = iota // it is complete, wants nothing, or is checking
	Fetching                // pieces are missing
	NoMetadata              // only the info-hash is known
	Stalled                 // writes fail
	Missing                 // the files are gone
	Resting                 // the user paused it
	InLine                  // it waits for its turn
)

// Facts are what Of looks at.
type Facts struct {
	State State
	Err   string    // with Stalled and Missing
	Retry mono.Time // time of the next try with Stalled and Missing

	Moving   bool      // payload came in the last seconds
	LastData mono.Time // time of the latest payload; zero: none yet

	Peers, Known, Dialling int
	NextDial               mono.Time
	Useful                 int // peers that have something we want
	Choking, Asked         int // of Useful: those that choke us; those with requests of ours
	Missing, Nobody        int64
	Dials                  Dials

	Trackers []Source
	WebSeeds []Source

	Private bool // its peers come from trackers and the user only
	DHT     bool // the engine has a DHT node
	Nodes   int  // nodes that it knows
	Port    uint16
	Reached bool // a peer has connected to us

	Meta Meta // with Bare
}

// Dials counts the outcomes of attempts to reach peers.
type Dials struct {
	Begun, Closed int64
	Unanswered    int64 // refused, unreachable, timed out, or not a peer
}

// Source is a tracker or a web seed.
type Source struct {
	URL    string
	Err    string    // error of the last request
	Alive  bool      // it has answered well, or was not asked yet
	Asking bool      // a request is running
	Next   mono.Time // time of the next request after a failure; mono.Never: none

	Lacks   int64 // files that a web seed lacks or has with another length
	LackErr string
}

// Meta is how much of the metadata we have.
type Meta struct {
	Got, Size    int64
	Sources      int // peers that have it, in a size that we fetch
	TooLarge     int // peers that name a larger size
	TooLargeSize int64
	Limit        int64 // largest size that we fetch
}

// Of returns what a torrent waits for.
func Of(f *Facts) []Cause {
	switch f.State {
	case Stalled:
		return []Cause{{Kind: Files, Err: f.Err, Next: f.Retry}}
	case Missing:
		return []Cause{{Kind: FilesGone, Err: f.Err, Next: f.Retry}}
	case Resting:
		return []Cause{{Kind: Paused}}
	case InLine:
		return []Cause{{Kind: Queued}}
	case NoMetadata:
		return f.noMetadata()
	case Fetching:
		if !f.Moving {
			return f.still()
		}
	}
	return nil
}

// noMetadata returns what a magnet waits for.
func (f *Facts) noMetadata() (all []Cause) {
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
	return append(all, f.whyNoPeers()...)
}

// still returns why nothing arrives.
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
		if f.Choking < f.Useful { // some let us request, and get requests with the next flush
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
		all = append(all, f.whyNoPeers()...)
	}
	return all
}

func (f *Facts) alone() Cause {
	return Cause{Kind: NoPeers, N: int64(f.Known), Of: int64(f.Dialling), Next: known(f.NextDial)}
}

// whyNoPeers returns why no more peers come.
func (f *Facts) whyNoPeers() (all []Cause) {
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

// known returns a time, or zero for mono.Never.
func known(t mono.Time) mono.Time {
	if t == mono.Never {
		return 0
	}
	return t
}

// Carry sets since when each cause holds: since before if it was among those, else since now.
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
