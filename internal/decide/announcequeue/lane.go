package announcequeue

import "container/list"

// Worth says which announces of one class to one tracker go first. On exit there may be no
// time for all of them.
type Worth uint8

// Values of Worth, the least first.
const (
	Curious Worth = iota // a scrape, which tells the tracker nothing
	Plain
	Counted   // it reports bytes that the tracker has not heard of
	Completes // it says that a torrent is complete
	worths
)

// lane holds the announces of one class that wait for one tracker: those worth most first, and
// equal ones in order of arrival.
type lane struct{ by [worths]list.List } // *announce values

// first returns the announce whose turn it is; nil if none waits.
func (l *lane) first() *announce {
	for w := worths; w > 0; w-- {
		if e := l.by[w-1].Front(); e != nil {
			return e.Value.(*announce)
		}
	}
	return nil
}
