package resume

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// A journal is a sequence of records. The first is a snapshot, which was durable before the file
// got its name; the rest are what came after.
//
//	magic   4 bytes
//	length  4 bytes, of the body
//	sum     4 bytes, CRC-32C of info-hash, length and body
//	body    kind      1 byte
//	        sequence  uvarint, 0 for the snapshot
//	        synced    uvarint, the length of the file that was durable by then
//	        payload   as its kind says
//
// The sum includes the info-hash, so that a file under the wrong name counts for nothing. It
// detects any changed run of up to 32 bits, and so any changed byte.
type kind byte

const (
	kindSnapshot kind = iota + 1
	kindBegin         // start of a write: offset, length, time
	kindEnd           // end of a write: what the files look like
	kindCommit        // durable pieces, and what the files looked like before the sync
	kindAside         // in a file of its own: where incomplete files lie
)

const (
	magic      = "SRJ1"
	headerSize = 12
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func sum(infoHash *[20]byte, length, body []byte) uint32 {
	s := crc32.Update(0, castagnoli, infoHash[:])
	s = crc32.Update(s, castagnoli, length)
	return crc32.Update(s, castagnoli, body)
}

// appendRecord appends a record; fill appends its payload.
func appendRecord(b []byte, infoHash *[20]byte, k kind, seq uint64, synced int64, fill func([]byte) []byte) []byte {
	at := len(b)
	b = append(b, magic...)
	b = append(b, make([]byte, headerSize-len(magic))...)
	b = append(b, byte(k))
	b = binary.AppendUvarint(b, seq)
	b = binary.AppendUvarint(b, uint64(synced))
	b = fill(b)
	header, body := b[at:at+headerSize], b[at+headerSize:]
	binary.BigEndian.PutUint32(header[4:], uint32(len(body)))
	binary.BigEndian.PutUint32(header[8:], sum(infoHash, header[4:8], body))
	return b
}

// record is a record that was read.
type record struct {
	kind    kind
	seq     uint64
	synced  int64
	payload []byte
	size    int // length of the whole record in the file
}

var (
	errShort = errors.New("ends within a record") // means the file
	errSum   = errors.New("a record does not match its sum")
)

// parseRecord reads the record at the start of b. The error is errShort when b can be the first
// part of a record.
func parseRecord(b []byte, infoHash *[20]byte) (record, error) {
	if n := min(len(b), len(magic)); string(b[:n]) != magic[:n] {
		return record{}, errSum
	}
	if len(b) < headerSize {
		return record{}, errShort
	}
	length := binary.BigEndian.Uint32(b[4:])
	if uint64(length) > uint64(len(b)-headerSize) {
		return record{}, errShort
	}
	body := b[headerSize : headerSize+int(length)]
	if sum(infoHash, b[4:8], body) != binary.BigEndian.Uint32(b[8:]) {
		return record{}, errSum
	}
	r := record{size: headerSize + len(body)}
	in := input{b: body}
	r.kind, r.seq, r.synced = kind(in.byte()), in.uint(1<<62), int64(in.uint(1<<62))
	r.payload = in.b
	if in.failed {
		return record{}, errSum
	}
	return r, nil
}

// maxTries bounds the search for a record after a damaged one.
const maxTries = 1 << 16

// vouchedFor reports whether a record after offset at was written when the bytes at that offset
// were durable; with any, whether a whole record follows at all. Then the journal was damaged
// later, not cut off by a stop.
func vouchedFor(b []byte, at int, infoHash *[20]byte, any bool) bool {
	for from, tries := at+1, 0; tries < maxTries; tries++ {
		i := bytes.Index(b[min(from, len(b)):], []byte(magic))
		if i < 0 {
			return false
		}
		from += i
		r, err := parseRecord(b[from:], infoHash)
		if err == nil && (any || r.synced > int64(at)) {
			return true
		}
		from++
	}
	return true // no journal of ours looks like this
}

// input reads a payload. After a failure everything reads as zero.
type input struct {
	b      []byte
	failed bool
}

func (in *input) fail() { in.b, in.failed = nil, true }

func (in *input) byte() byte {
	if len(in.b) == 0 {
		in.fail()
		return 0
	}
	c := in.b[0]
	in.b = in.b[1:]
	return c
}

// uint reads a number that is at most max.
func (in *input) uint(max uint64) uint64 {
	v, n := binary.Uvarint(in.b)
	if n <= 0 || v > max {
		in.fail()
		return 0
	}
	in.b = in.b[n:]
	return v
}

func (in *input) int() int64 {
	v, n := binary.Varint(in.b)
	if n <= 0 {
		in.fail()
		return 0
	}
	in.b = in.b[n:]
	return v
}

// bytes returns the next n bytes without copying them.
func (in *input) bytes(n int) []byte {
	if n > len(in.b) {
		in.fail()
		return nil
	}
	b := in.b[:n]
	in.b = in.b[n:]
	return b
}

// done reports whether everything was read without a failure.
func (in *input) done() bool { return !in.failed && len(in.b) == 0 }

func appendIdentity(b []byte, id Identity) []byte {
	if !id.Exists {
		return append(b, 0)
	}
	b = append(b, 1)
	b = binary.AppendUvarint(b, id.Device)
	b = binary.AppendUvarint(b, id.Inode)
	b = binary.AppendVarint(b, id.Size)
	return binary.AppendVarint(b, id.ModTime)
}

func (in *input) identity() Identity {
	switch in.byte() {
	case 0:
		return Identity{}
	case 1:
		return Identity{true, in.uint(1<<64 - 1), in.uint(1<<64 - 1), in.int(), in.int()}
	}
	in.fail()
	return Identity{}
}
