package resume

import (
	"encoding/binary"
	"fmt"
	"slices"

	"shoal/internal/value/bitfield"
)

// version is that of the format. Version 1 had no part file and no names of the user's; we read it,
// too. We read no other version.
const (
	version      = 2
	firstVersion = 1
)

// maxDir bounds the path of the folder, in bytes: no system accepts longer ones.
const maxDir = 1 << 15

// state is the sum of a journal's records.
type state struct {
	boot   string   // run of the system in which all of it was written
	dir    string   // folder of the files
	folder Identity // identity of dir

	have    *bitfield.Bitfield // claimed: verified, and durable
	doubt   *bitfield.Bitfield // may have been written and not claimed; nil for none
	files   []Identity         // identities as last noted
	safe    []Identity         // identities before the last commit synced them; can alias files
	writing write              // write in progress; length 0 when there is none

	names naming // names of files that differ from the torrent's; nil for none

	clean bool // nothing was noted since everything was durable
}

// write is a write to the files.
type write struct {
	off, n int64
	at     int64 // time of its start; nanoseconds since 1970
}

// newState returns the state of a torrent about which nothing is known.
func newState(l *Layout) *state {
	files := make([]Identity, len(l.Files))
	return &state{have: bitfield.New(l.Geometry.Pieces), files: files, safe: files, clean: true}
}

// anyDoubt reports whether a piece is in doubt.
func (s *state) anyDoubt() bool { return s.doubt != nil && !s.doubt.None() }

// doubts returns the set of the pieces in doubt.
func (s *state) doubts() *bitfield.Bitfield {
	if s.doubt == nil {
		return bitfield.New(s.have.Len())
	}
	return s.doubt.Clone()
}

// inDoubt reports whether a piece is in doubt.
func (s *state) inDoubt(p uint32) bool { return s.doubt != nil && s.doubt.Has(p) }

// setDoubt puts a piece in doubt.
func (s *state) setDoubt(p uint32) {
	if s.doubt == nil {
		s.doubt = bitfield.New(s.have.Len())
	}
	s.doubt.Set(p)
}

// apart separates the arrays of files and safe, before one of them changes.
func (s *state) apart() {
	if len(s.files) > 0 && &s.files[0] == &s.safe[0] {
		s.files = slices.Clone(s.files)
	}
}

// The flags of a snapshot.
const (
	flagClean = 1 << iota
	flagDoubt // the pieces in doubt follow
	flagOpen  // the write in progress follows
	flagSafe  // the files before the last commit follow
	flagPart  // the last file is the part file
	flagNames // the user's names follow
	allFlags  = 1<<iota - 1
)

// appendSnapshot appends the payload of a snapshot.
func (s *state) appendSnapshot(b []byte, l *Layout) []byte {
	flags := byte(0)
	set := func(flag byte, on bool) bool {
		if on {
			flags |= flag
		}
		return on
	}
	set(flagClean, s.clean)
	doubt, open := set(flagDoubt, s.anyDoubt()), set(flagOpen, s.writing.n > 0)
	differ := set(flagSafe, !sameAll(s.files, s.safe))
	set(flagPart, l.Part)
	named := set(flagNames, len(s.names) > 0)

	b = append(b, version, flags)
	b = append(b, l.InfoHash[:]...)
	b = binary.AppendUvarint(b, uint64(l.Geometry.Total))
	b = binary.AppendUvarint(b, uint64(l.Geometry.PieceLength))
	b = appendString(b, s.boot)
	b = appendString(b, s.dir)
	b = appendIdentity(b, s.folder)
	b = s.have.AppendWire(b)
	if doubt {
		b = s.doubt.AppendWire(b)
	}
	if open {
		b = s.writing.append(b)
	}
	b = appendFiles(b, l, s.files)
	if differ {
		b = appendFiles(b, l, s.safe)
	}
	if named {
		b = s.names.append(b)
	}
	return b
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func sameAll(a, b []Identity) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func appendFiles(b []byte, l *Layout, ids []Identity) []byte {
	for i := range l.Files {
		if kept(&l.Files[i]) {
			b = appendIdentity(b, ids[i])
		}
	}
	return b
}

func (w write) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(w.off))
	b = binary.AppendUvarint(b, uint64(w.n))
	return binary.AppendVarint(b, w.at)
}

// parseSnapshot reads the payload of a snapshot. The error says what is wrong.
func parseSnapshot(payload []byte, l *Layout) (*state, error) {
	in := &input{b: payload}
	v, flags := in.byte(), in.byte()
	if v != version && v != firstVersion {
		return nil, fmt.Errorf("format %d is unknown", v)
	}
	total, length := uint64(0), uint64(0)
	hash := in.bytes(len(l.InfoHash))
	total, length = in.uint(1<<63-1), in.uint(1<<32-1)
	if in.failed || string(hash) != string(l.InfoHash[:]) ||
		int64(total) != l.Geometry.Total || uint32(length) != l.Geometry.PieceLength {
		return nil, fmt.Errorf("the journal belongs to another torrent")
	}
	s := newState(l)
	s.clean = flags&flagClean != 0
	s.boot = string(in.bytes(int(in.uint(maxBootID))))
	s.dir = string(in.bytes(int(in.uint(maxDir))))
	s.folder = in.identity()
	s.have = in.bitfield(l)
	if flags&flagDoubt != 0 {
		s.doubt = in.bitfield(l)
	}
	if flags&flagOpen != 0 {
		s.writing = in.write(l)
	}
	whole := *l
	if v == firstVersion && l.Part {
		whole.Files, flags = l.Files[:l.part()], flags|flagPart
	}
	in.files(&whole, s.files)
	if flags&flagSafe != 0 {
		s.apart()
		in.files(&whole, s.safe)
	}
	if flags&flagNames != 0 {
		s.names = in.names(l)
	}
	if !in.done() || flags&^byte(allFlags) != 0 || (flags&flagPart != 0) != l.Part {
		return nil, fmt.Errorf("the snapshot is ill-formed")
	}
	return s, nil
}

func (in *input) bitfield(l *Layout) *bitfield.Bitfield {
	f, err := bitfield.FromWire(in.bytes(bitfield.WireLen(l.Geometry.Pieces)), l.Geometry.Pieces)
	if err != nil {
		in.fail()
		return nil
	}
	return f
}

func (in *input) write(l *Layout) write {
	off := in.uint(uint64(l.Geometry.Total))
	n := in.uint(uint64(l.Geometry.Total) - off)
	if n == 0 {
		in.fail()
	}
	return write{int64(off), int64(n), in.int()}
}

func (in *input) files(l *Layout, ids []Identity) {
	for i := range l.Files {
		if kept(&l.Files[i]) {
			ids[i] = in.identity()
		}
	}
}

// begin records the start of a write. The pieces that it touches are no longer claimed.
func (s *state) begin(w write, l *Layout) {
	s.clean, s.writing = false, w
	for p, last := l.pieces(w.off, w.n); p < last; p++ {
		s.have.Clear(p)
		s.setDoubt(p)
	}
}

// commit records pieces as durable.
func (s *state) commit(pieces []uint32) {
	s.clean = false
	for _, p := range pieces {
		s.have.Set(p)
		if s.doubt != nil {
			s.doubt.Clear(p)
		}
	}
}

// apply applies a record. It reports whether the record is well-formed.
func (s *state) apply(r record, l *Layout) bool {
	in := &input{b: r.payload}
	s.apart()
	switch r.kind {
	case kindBegin:
		if w := in.write(l); !in.failed {
			s.begin(w, l)
		}
	case kindEnd:
		in.identities(l, s.files)
		s.writing = write{}
	case kindCommit:
		var pieces []uint32
		for n := in.uint(uint64(l.Geometry.Pieces)); n > 0 && !in.failed; n-- {
			p := in.uint(uint64(l.Geometry.Pieces))
			if p >= uint64(l.Geometry.Pieces) {
				in.fail()
			}
			pieces = append(pieces, uint32(p))
		}
		in.identities(l, s.safe)
		if in.done() {
			s.commit(pieces)
		}
	default:
		return false
	}
	return in.done()
}

// appendChanged appends the identities of some of the files.
func appendChanged(b []byte, files []int, ids []Identity) []byte {
	b = binary.AppendUvarint(b, uint64(len(files)))
	for _, i := range files {
		b = binary.AppendUvarint(b, uint64(i))
		b = appendIdentity(b, ids[i])
	}
	return b
}

func (in *input) identities(l *Layout, ids []Identity) {
	for n := in.uint(uint64(len(l.Files))); n > 0 && !in.failed; n-- {
		i := in.uint(uint64(len(l.Files)))
		id := in.identity()
		if in.failed || i >= uint64(len(l.Files)) || !kept(&l.Files[i]) {
			in.fail()
			return
		}
		ids[i] = id
	}
}
