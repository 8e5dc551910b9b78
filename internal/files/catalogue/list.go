package catalogue

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"

	"shoal/bencode"
	"shoal/internal/value/infohash"
	"shoal/metainfo"
)

// The names of the list. Both files are equal, except after a stop between the two writes.
var listNames = [...]string{"list", "list.copy"}

// A row of the list:
//
//	info-hash   20 bytes
//	flags       1 byte
//	uploaded    8 bytes
//	downloaded  8 bytes
//	sum         4 bytes, CRC-32C of the above
//
// A row is newer than the torrent's entry when the list has a higher rev.
const (
	rowSize     = 20 + 1 + 8 + 8 + 4
	flagStopped = 1
	flagRemoved = 2 // its entry will be removed, or is already
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// row is what we keep in memory about a torrent.
type row struct {
	State
	flags byte  // unknown flags
	place int64 // place in the list

	gone     bool // hidden: its entry can't be read, or it is removed
	removed  bool
	unlisted bool // put after the last write of the list
	fresh    bool // it has no entry yet
	linkOnly bool // its entry has no metainfo
}

// list is the content of a list file.
type list struct {
	whole    bool // nothing in it is damaged
	known    bool // rev and the fields after it are valid
	rev      uint64
	settings Settings
	unknown  []metainfo.Entry
	order    []infohash.Hash
	rows     map[infohash.Hash]*row
}

// parseList reads a list, or the undamaged part of one.
func parseList(f frame, damage error) list {
	l := list{rows: map[infohash.Hash]*row{}, whole: damage == nil}
	b := f.body
	for ; len(b) >= rowSize; b = b[rowSize:] {
		n := rowSize - 4
		if crc32.Checksum(b[:n], castagnoli) != binary.BigEndian.Uint32(b[n:]) {
			l.whole = false
			continue
		}
		h := infohash.Hash(b[:20])
		r := &row{flags: b[20] &^ (flagStopped | flagRemoved)}
		r.Stopped, r.removed = b[20]&flagStopped != 0, b[20]&flagRemoved != 0
		r.Uploaded = int64(min(binary.BigEndian.Uint64(b[21:]), maxCount))
		r.Downloaded = int64(min(binary.BigEndian.Uint64(b[29:]), maxCount))
		l.add(h, r)
	}
	l.known = f.fields != nil && l.parseFields(f.fields) == nil
	l.whole = l.whole && l.known && len(b) == 0
	return l
}

// add appends a row, unless the torrent has one.
func (l *list) add(h infohash.Hash, r *row) {
	if l.rows[h] == nil {
		l.order = append(l.order, h)
		r.place = int64(len(l.order))
		l.rows[h] = r
	}
}

// newer reports whether a row is newer than an entry written at rev. A list whose rev is lost
// counts as newer.
func (l *list) newer(rev uint64) bool { return !l.known || l.rev >= rev }

// better returns the newer of two whole lists, the one that is whole, or both combined.
func better(a, b list) list {
	switch {
	case a.whole && b.whole && b.rev > a.rev:
		return b
	case a.whole:
		return a
	case b.whole:
		return b
	}
	if b.known && (!a.known || b.rev > a.rev) {
		a, b = b, a
	}
	for _, h := range b.order {
		a.add(h, b.rows[h])
	}
	return a
}

func (l *list) parseFields(b []byte) error {
	v, err := bencode.Parse(b)
	if err != nil {
		return err
	}
	r := fieldReader{}
	for key, v := range v.Entries() {
		switch string(key) {
		case "rev":
			l.rev = uint64(r.count(v))
		case "settings":
			r.failed = r.failed || v.Kind() != bencode.Dict
			l.settings = Settings{}
			for key, v := range v.Entries() {
				l.settings[string(key)] = r.text(v)
			}
		default:
			l.unknown = append(l.unknown, metainfo.Entry{Key: string(key), Raw: slices.Clone(v.Raw())})
		}
	}
	if r.failed || v.Kind() != bencode.Dict {
		return errForm
	}
	return nil
}

// loadList reads both lists, and returns the newest whole one, or else what is left. It returns an
// error when the system can't read either: we must not forget which torrents were stopped because
// of that.
func (c *Catalogue) loadList(names []string) (l list, problems []Problem, err error) {
	found, read := 0, 0
	var failed error
	l.rows = map[infohash.Hash]*row{}
	for _, name := range listNames {
		if !slices.Contains(names, name) {
			continue
		}
		found++
		b, err := c.read(name, nil)
		if err != nil {
			failed = errors.Join(failed, err)
			problems = append(problems, Problem{File: name, Text: "the list can't be read", Err: err})
			continue
		}
		read++
		f, err := unseal(b, kindList)
		if err == errNewer {
			return list{}, nil, ErrNewer
		}
		this := parseList(f, err)
		switch {
		case !this.whole:
			problems = append(problems, Problem{File: name, Text: "the list is damaged"})
		case f.corrected:
			problems = append(problems, Problem{File: name, Text: "one byte of the list was wrong; shoal corrected it"})
		}
		l = better(this, l)
	}
	if found > 0 && read == 0 {
		return list{}, nil, fmt.Errorf("read the list of torrents: %w", failed)
	}
	for i := range problems {
		p := &problems[i]
		if !l.whole {
			p.Loss = Some
			p.Text += "; settings may be lost, and for some torrents their place, totals, and whether they were stopped: check them"
		} else if found == len(listNames) {
			p.Text += "; nothing is lost, the copy is intact"
		}
		if c.looksOn {
			continue
		}
		if p.Aside, err = c.copyAside(p.File); err != nil {
			c.inTheWay[p.File] = true
			p.Err = cmp.Or(p.Err, err)
		}
	}
	c.listDirty = found < len(listNames) || len(problems) > 0
	return l, problems, nil
}

// appendList appends the current list.
func (c *Catalogue) appendList(b []byte) []byte {
	rows := make([]byte, 0, len(c.rows)*rowSize)
	for _, h := range c.order() {
		r := c.rows[h]
		if r.fresh {
			continue
		}
		r.unlisted = false
		at := len(rows)
		rows = append(rows, h[:]...)
		flags := r.flags
		if r.Stopped {
			flags |= flagStopped
		}
		if r.removed {
			flags |= flagRemoved
		}
		rows = append(rows, flags)
		rows = binary.BigEndian.AppendUint64(rows, uint64(r.Uploaded))
		rows = binary.BigEndian.AppendUint64(rows, uint64(r.Downloaded))
		rows = binary.BigEndian.AppendUint32(rows, crc32.Checksum(rows[at:], castagnoli))
	}
	return seal(b, kindList, func(b []byte) []byte {
		w := fieldWriter{Writer: bencode.NewWriter(b), unknown: c.unknown}
		w.BeginDict()
		w.count("rev", int64(c.rev))
		if len(c.settings) > 0 {
			w.key("settings").BeginDict()
			for _, k := range slices.Sorted(maps.Keys(c.settings)) {
				w.Key(k)
				w.String(c.settings[k])
			}
			w.End()
		}
		return w.end()
	}, rows)
}

// compareHashes orders info-hashes where any order will do.
func compareHashes(a, b infohash.Hash) int { return slices.Compare(a[:], b[:]) }

// order returns the torrents in the order of the list.
func (c *Catalogue) order() []infohash.Hash {
	return slices.SortedFunc(maps.Keys(c.rows), func(a, b infohash.Hash) int {
		return cmp.Compare(c.rows[a].place, c.rows[b].place)
	})
}
