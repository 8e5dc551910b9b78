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
	errNewer  = errors.New("the file has the format of a newer shoal")
	errDamage = errors.New("the file does not match its checksum")
)

// frame is the parts of a file. They are slices of it.
type frame struct {
	fields    []byte // nil when damaged
	body      []byte // in a damaged file: the bytes where the body should be
	corrected bool   // one byte was wrong, and is corrected
}

// seal appends a file; fill appends its fields.
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

// headSum returns the sum of magic, lengths and fields, which b ends with.
func headSum(b []byte) uint64 {
	return crc64.Update(crc64.Checksum(b[:16], ecma), ecma, b[headerSize:])
}

// unseal splits a file into its parts, and corrects one wrong byte. The error is errNewer, or
// errDamage with what is left.
func unseal(b []byte, kind byte) (frame, error) {
	if len(b) < frameSize {
		return frame{}, errDamage
	}
	whole := b[:len(b)-sumSize]
	var f frame
	off := crc64.Checksum(whole, ecma) ^ binary.BigEndian.Uint64(b[len(whole):])
	f.corrected = off != 0 && correct(b, off)
	if string(b[:6]) == "shoal"+string(kind) && b[7] == '\n' && b[6] > version && b[6] <= '9' {
		return frame{}, errNewer
	}
	fields, body := binary.BigEndian.Uint32(b[8:]), binary.BigEndian.Uint32(b[12:])
	if uint64(fields) > uint64(len(b)-headerSize) { // a file without a body may be cut in its last sum
		return frame{}, errDamage
	}
	head := b[:headerSize+fields]
	f.body = b[len(head):min(uint64(len(head))+uint64(body), uint64(len(b)))]
	if string(b[:8]) != "shoal"+string(kind)+string(version)+"\n" || headSum(head) != binary.BigEndian.Uint64(b[16:]) {
		return f, errDamage
	}
	f.fields = head[headerSize:]
	if off != 0 && !f.corrected || len(head)+len(f.body) != len(whole) {
		return f, errDamage
	}
	return f, nil
}

// correct finds the one wrong byte that explains the difference between the sum of b and the sum at
// the end of b, and corrects it.
//
// The difference that a byte makes depends on the change and on how many bytes follow. So correct
// undoes one step after another from the end, until a single change explains what is left. It
// mistakes larger damage in a file of 1 MiB for one byte once in 2^36.
func correct(b []byte, off uint64) bool {
	whole := b[:len(b)-sumSize]
	if k := (bits.Len64(off) - 1) / 8; off&^(0xff<<(8*k)) == 0 {
		b[len(b)-1-k] ^= byte(off >> (8 * k)) // the sum itself is wrong
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

// undo maps the highest byte of a difference to the index that the step added last. Each byte
// occurs once, since the polynomial has its highest bit set.
var undo = func() (t [256]byte) {
	for i, x := range ecma {
		t[x>>56] = byte(i)
	}
	return t
}()
