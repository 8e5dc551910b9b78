package ui

import (
	"strings"
	"sync"
	"time"
	"unicode"
)

// foldWithin is how long lines of a kind gather before they are printed: what happens to many
// files or torrents at once is one line with a count. Nobody notices a third of a second.
const foldWithin = 300 * time.Millisecond

// fewLines is how many lines of a kind are printed one by one.
const fewLines = 3

// Folds gathers lines for people, so that a flood of one kind becomes one line. Safe for
// concurrent use.
type Folds struct {
	Say func(line string)
	Now func() time.Time

	mu  sync.Mutex
	all []*fold
}

// A fold is the lines of one kind.
type fold struct {
	key, noun string
	since     time.Time
	n         int
	lines     []string // the first of them
}

// Add takes a line about one of what noun names. kind tells kinds of lines apart; more says
// how many others it stands for.
func (f *Folds) Add(kind, noun, line string, more int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	key := kind + " " + shape(line)
	for _, o := range f.all {
		if o.key == key {
			o.add(line, more)
			return
		}
	}
	o := &fold{key: key, noun: noun, since: f.Now()}
	o.add(line, more)
	f.all = append(f.all, o)
}

func (o *fold) add(line string, more int) {
	o.n += 1 + more
	if len(o.lines) < fewLines {
		o.lines = append(o.lines, line)
	}
}

// Flush tells what has gathered for long enough; all of it with now.
func (f *Folds) Flush(now bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	at := f.Now()
	kept := f.all[:0]
	for _, o := range f.all {
		if !now && at.Sub(o.since) < foldWithin {
			kept = append(kept, o)
			continue
		}
		if o.n <= len(o.lines) {
			for _, l := range o.lines {
				f.Say(l)
			}
			continue
		}
		f.Say(Count(o.n, o.noun) + ": " + o.lines[0] + ", and so on")
	}
	clear(f.all[len(kept):])
	f.all = kept
}

// shape is what lines of one kind have in common: the words behind the name that they begin
// with, without numbers.
func shape(line string) string {
	first := len(line)
	for _, verb := range []string{" was ", " is ", " are ", " waits", " goes on", " did "} {
		if i := strings.LastIndex(line, verb); i > 0 {
			first = min(first, i)
		}
	}
	if i := strings.Index(line, ": "); first == len(line) && i > 0 {
		first = i
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return -1
		}
		return r
	}, line[first:])
}
