package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"reflect"
	"slices"
	"testing"

	"shoal/internal/value/block"
)

// six is a torrent of six pieces of two blocks each; the last has 300 bytes.
var six = Bounds{Pieces: 6, PieceLength: 2 * block.Size, LastPiece: 300}

// Decode answers with the first byte that decides and not before, and what follows a
// message changes nothing.
func TestDecode(t *testing.T) {
	magnet := Bounds{Pieces: 1000, NoMetadata: true}
	for _, c := range []struct {
		name   string
		bounds Bounds
		hex    string
		at     int // bytes after which Decode answers
		want   Message
		err    error
	}{
		{"keep-alive", six, "00000000", 4, Message{ID: KeepAlive}, nil},
		{"choke", six, "00000001 00", 5, Message{ID: Choke}, nil},
		{"choke with a body", six, "00000002 00 00", 5, Message{}, ErrLength},
		{"have", six, "00000005 04 00000005", 9, Message{ID: Have, Piece: 5}, nil},
		{"have of piece 6 of 6", six, "00000005 04 00000006", 9, Message{}, ErrRange},
		{"have of piece 6 without metadata", magnet, "00000005 04 00000006", 9, Message{ID: Have, Piece: 6}, nil},
		{"suggest of piece 6 of 6", six, "00000005 0d 00000006", 9, Message{}, ErrRange},
		{"allowed fast of piece 6 of 6", six, "00000005 11 00000006", 9, Message{}, ErrRange},
		{"bitfield", six, "00000002 05 fc", 6, Message{ID: Bitfield, Body: []byte{0xfc}}, nil},
		{"long bitfield", six, "00000003 05 fc00", 5, Message{}, ErrLength},
		{"bitfield without metadata", magnet, "00000003 05 fc00", 7, Message{ID: Bitfield, Body: []byte{0xfc, 0}}, nil},
		{"bitfield of 1008 pieces where 1000 are the most", magnet, "0000007f 05", 5, Message{}, ErrTooLong},
		{"request", six, "0000000d 06 00000001 00004000 00004000", 17, Message{ID: Request, Piece: 1, Begin: 0x4000, Length: 0x4000}, nil},
		{"request of the last bytes", six, "0000000d 06 00000005 00000000 0000012c", 17, Message{ID: Request, Piece: 5, Length: 300}, nil},
		{"request past the end", six, "0000000d 06 00000005 00000001 0000012c", 17, Message{}, ErrRange},
		{"request that wraps", six, "0000000d 06 00000000 ffffffff 00000002", 17, Message{}, ErrRange},
		{"request of nothing", six, "0000000d 06 00000000 00000000 00000000", 17, Message{}, ErrRange},
		{"request of two blocks", six, "0000000d 06 00000000 00000000 00008000", 17, Message{}, ErrRange},
		{"cancel of two blocks", six, "0000000d 08 00000000 00000000 00008000", 17, Message{ID: Cancel, Length: 0x8000}, nil},
		{"reject of piece 6 of 6", six, "0000000d 10 00000006 00000000 00004000", 17, Message{}, ErrRange},
		{"piece", six, "00004009 07 00000001 00004000", 13, Message{ID: Piece, Piece: 1, Begin: 0x4000, Length: 0x4000}, nil},
		{"last piece", six, "00000135 07 00000005 00000000", 13, Message{ID: Piece, Piece: 5, Length: 300}, nil},
		{"last piece with too much", six, "00000136 07 00000005 00000000", 13, Message{}, ErrRange},
		{"half a block", six, "00002009 07 00000000 00000000", 13, Message{}, ErrRange},
		{"a block at an odd offset", six, "00004009 07 00000000 00000001", 13, Message{}, ErrRange},
		{"piece without payload", six, "00000009 07", 5, Message{}, ErrLength},
		{"piece of more than a block", six, "0000400a 07", 5, Message{}, ErrTooLong},
		{"piece without metadata", magnet, "00004009 07", 5, Message{}, ErrRange},
		{"port", six, "00000003 09 1ae1", 7, Message{ID: Port, Port: 6881}, nil},
		{"extended", six, "00000004 14 00 6465", 8, Message{ID: Extended, Body: []byte("de")}, nil},
		{"extended without an id", six, "00000001 14", 5, Message{}, ErrLength},
		{"unknown", six, "00000003 63 0102", 7, Message{ID: 99, Body: []byte{1, 2}}, nil},
		{"unknown and too long", six, "00010001 63", 5, Message{}, ErrTooLong},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := unhex(t, c.hex)
			for k := range c.at {
				if m, n, err := c.bounds.Decode(b[:k]); n != 0 || err != nil || !reflect.DeepEqual(m, Message{}) {
					t.Fatalf("after %d bytes: %+v, %d, %v", k, m, n, err)
				}
			}
			for _, more := range [][]byte{b[c.at:], {0xff, 0xff, 0xff, 0xff, 0xff}} {
				m, n, err := c.bounds.Decode(slices.Concat(b[:c.at], more))
				if !errors.Is(err, c.err) || (c.err == nil) != (err == nil) || !reflect.DeepEqual(m, c.want) {
					t.Fatalf("%+v, %v, want %+v, %v", m, err, c.want, c.err)
				}
				if want := c.at; c.err == nil && n != want || c.err != nil && n != 0 {
					t.Errorf("it takes %d bytes, want %d", n, want)
				}
			}
		})
	}
}

// sizes is a geometry that counts nothing but sizes.
type sizes []uint32

func (s sizes) PieceSize(piece uint32) uint32 {
	if int(piece) < len(s) {
		return s[piece]
	}
	return 0
}

func TestBoundsOf(t *testing.T) {
	for _, c := range []struct {
		sizes sizes
		want  Bounds
	}{
		{nil, Bounds{}},
		{sizes{7}, Bounds{Pieces: 1, PieceLength: 7, LastPiece: 7}},
		{sizes{10, 10, 3}, Bounds{Pieces: 3, PieceLength: 10, LastPiece: 3}},
	} {
		if got := BoundsOf(c.sizes, uint32(len(c.sizes))); got != c.want {
			t.Errorf("%v: %+v, want %+v", c.sizes, got, c.want)
		}
	}
}

// plain cuts a stream as Decode does, with all of it at hand and one rule after another.
func plain(bd Bounds, b []byte) (messages []Message, failed bool) {
	for len(b) >= 5 || len(b) == 4 && binary.BigEndian.Uint32(b) == 0 {
		length := binary.BigEndian.Uint32(b)
		if length == 0 {
			messages, b = append(messages, Message{ID: KeepAlive}), b[4:]
			continue
		}
		if bd.CheckLength(ID(b[4]), length) != nil {
			return messages, true
		}
		whole := uint64(4) + uint64(length)
		isPiece := ID(b[4]) == Piece
		if isPiece {
			whole = PieceHeader
		}
		if uint64(len(b)) < whole {
			return messages, false
		}
		m, err := Parse(b[4:whole])
		if err != nil {
			return messages, true
		}
		if isPiece {
			m.Length = length - 9
		}
		if bd.Check(m) != nil {
			return messages, true
		}
		messages, b = append(messages, m), b[whole:]
		if isPiece {
			b = b[min(len(b), int(m.Length)):]
		}
	}
	return messages, false
}

// Decode cuts any stream, in parts of any size, into the messages that a plain reading of
// the whole gives, and fails where that fails. No number of a message is out of bounds.
func FuzzDecode(f *testing.F) {
	stream := AppendHave(AppendSimple(AppendKeepAlive(nil), Unchoke), 3)
	stream = AppendRequest(stream, block.Ref{Piece: 1, Begin: block.Size, Length: block.Size})
	stream = append(AppendPieceHeader(stream, block.Ref{Piece: 5, Length: 300}), make([]byte, 300)...)
	f.Add(stream, uint32(6), uint32(2*block.Size), uint32(300), false, uint8(7))
	f.Add(stream, uint32(1000), uint32(0), uint32(0), true, uint8(1))
	f.Add([]byte{0, 0, 0, 3, 5, 0xfc, 0, 0, 0, 0, 1, 0}, uint32(9), uint32(1), uint32(1), false, uint8(2))
	f.Fuzz(func(t *testing.T, stream []byte, pieces, length, last uint32, noMetadata bool, step uint8) {
		bd := Bounds{Pieces: pieces, PieceLength: length, LastPiece: last, NoMetadata: noMetadata}
		want, failed := plain(bd, stream)
		var got []Message
		var in []byte
		payload := 0
		for rest := stream; ; {
			k := min(int(step)+1, len(rest))
			in, rest = append(in, rest[:k]...), rest[k:]
			for {
				skipped := min(payload, len(in))
				in, payload = in[skipped:], payload-skipped
				m, n, err := bd.Decode(in)
				if err != nil {
					if !errors.Is(err, ErrTooLong) && !errors.Is(err, ErrLength) && !errors.Is(err, ErrRange) {
						t.Fatalf("another error: %v", err)
					}
					if !failed || len(got) != len(want) {
						t.Fatalf("%v after %d messages; a plain reading: %v after %d", err, len(got), failed, len(want))
					}
					return
				}
				if n == 0 {
					break
				}
				in = in[n:]
				if m.ID == Piece {
					payload = int(m.Length)
					if m.Piece >= pieces || m.Length > block.Size {
						t.Fatalf("out of bounds: %+v", m)
					}
				}
				m.Body = bytes.Clone(m.Body)
				got = append(got, m)
			}
			if len(rest) == 0 {
				break
			}
		}
		if failed || !slices.EqualFunc(got, want, func(a, b Message) bool {
			same := bytes.Equal(a.Body, b.Body)
			a.Body, b.Body = nil, nil
			return same && reflect.DeepEqual(a, b)
		}) {
			t.Fatalf("%+v, want %+v (fails: %v)", got, want, failed)
		}
	})
}
