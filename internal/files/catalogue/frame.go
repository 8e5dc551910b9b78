package catalogue

import (
	"encoding/binary"
	"errors"
	"hash/crc64"
	"math/bits"
)

// A file of the catalogue:
//
//	magic    8 bytes, "shoal", a letter for the kind, a digit for the version, "\n"
//	lengths  4 bytes each, of fields and body
//	sum      8 bytes, CRC-64 of magic, lengths and fields
//	fields   a dictionary in bencode
//	body     the metainfo of a torrent, the rows of the list
//	sum      8 bytes, CRC-64 of all that is before it
//
// Every version of a file ends with such a sum.
const (
	kindEntry = 't'
	kindList  = 'l'

	version    = '1'
	sumSize    = 8
	headerSize = 8 + 4 + 4 + sumSize
	frameSize  = headerSize + sumSize
)

var ecma = crc64.MakeTable(crc64.ECMA)

var (
	errNewer  = errors.New("it is in the form of a newer version")
	errDamage = errors.New("it does not match its sum")
)

// frame is a file that was read. Its parts are parts of the file.
type frame struct {
	fields []byte // nil when they are damaged
	body   []byte // when the file is damaged: what lies where the body should be
	mended bool   // one byte was wrong
}

// seal appends a file, whose fields are appended by fill.
func seal(b []byte, kind byte, fill func([]byte) []byte, body []byte) []byte {
	at := len(b)
	b = append(b, "shoal"...)
	b = append(b, kind, version, '\n')
	b = append(b, make([]byte, headerSize-8)...)
	b = fill(b)
	binary.BigEndian.PutUint32(b[at+8:], uint32(len(b)-at-headerSize))
	binary.BigEndian.PutUint32(b[at+12:], uint32(len(body)))
	binary.BigEndian.PutUint64(b[at+16:], headSum(b[at:]))
	b = append(b, body...)
	return binary.BigEndian.AppendUint64(b, crc64.Checksum(b[at:], ecma))
}

// headSum is the sum of magic, lengths and fields, which end b.
func headSum(b []byte) uint64 {
	return crc64.Update(crc64.Checksum(b[:16], ecma), ecma, b[headerSize:])
}

// unseal takes a file apart, and puts right one byte of it that is wrong. The error is
// errNewer, or errDamage with what is left.
func unseal(b []byte, kind byte) (frame, error) {
	if len(b) < frameSize {
		return frame{}, errDamage
	}
	whole := b[:len(b)-sumSize]
	var f frame
	off := crc64.Checksum(whole, ecma) ^ binary.BigEndian.Uint64(b[len(whole):])
	f.mended = off != 0 && mend(b, off)
	if string(b[:6]) == "shoal"+string(kind) && b[7] == '\n' && b[6] > version && b[6] <= '9' {
		return frame{}, errNewer
	}
	fields, body := binary.BigEndian.Uint32(b[8:]), binary.BigEndian.Uint32(b[12:])
	if uint64(fields) > uint64(len(whole)-headerSize) {
		return frame{}, errDamage
	}
	head := b[:headerSize+fields]
	f.body = b[len(head):min(uint64(len(head))+uint64(body), uint64(len(b)))]
	if string(b[:8]) != "shoal"+string(kind)+string(version)+"\n" || headSum(head) != binary.BigEndian.Uint64(b[16:]) {
		return f, errDamage
	}
	f.fields = head[headerSize:]
	if off != 0 && !f.mended || len(head)+len(f.body) != len(whole) {
		return f, errDamage
	}
	return f, nil
}

// mend finds the one byte that, when it is wrong, accounts for the difference of the
// sum that was made of b from the one that b ends with, and puts it right.
//
// The difference that a byte makes depends on the change and on how many bytes come
// behind it. So one step after another is undone from the end, until what is
// left is what a single change makes. More damage than one byte in a file of a
// mebibyte is taken for one byte once in 2^36.
func mend(b []byte, off uint64) bool {
	whole := b[:len(b)-sumSize]
	if k := (bits.Len64(off) - 1) / 8; off&^(0xff<<(8*k)) == 0 {
		b[len(b)-1-k] ^= byte(off >> (8 * k)) // the sum itself
		return true
	}
	for i := len(whole) - 1; i >= 0; i-- {
		x := undo[off>>56]
		off ^= ecma[x]
		if off == 0 {
			whole[i] ^= x
			return true
		}
		off = off<<8 | uint64(x)
	}
	return false
}

// undo gives, for the highest byte of a difference, the index of the step's last
// addition. Each byte occurs once, since the polynomial has its highest bit set.
var undo = func() (t [256]byte) {
	for i, x := range ecma {
		t[x>>56] = byte(i)
	}
	return t
}()
