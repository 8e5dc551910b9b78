package wire

import (
	"errors"
	"math"
	"net/netip"
	"strings"
	"testing"

	"shoal/internal/value/bitfield"
	"shoal/internal/value/block"
)

// What may be read: the exact length for ids that are known, at most MaxBody
// for those that are skipped.
func TestCheckLength(t *testing.T) {
	const pieces = 1313 // a bitfield of 165 bytes
	for _, c := range []struct {
		id     ID
		length uint32
		want   error
	}{
		{Choke, 1, nil},
		{Choke, 0, ErrLength},
		{Choke, 2, ErrLength},
		{Choke, MaxBody + 1, ErrTooLong},
		{Unchoke, 1, nil},
		{Unchoke, 2, ErrLength},
		{Interested, 1, nil},
		{Interested, 2, ErrLength},
		{NotInterested, 1, nil},
		{NotInterested, 2, ErrLength},
		{Have, 5, nil},
		{Have, 4, ErrLength},
		{Have, 6, ErrLength},
		{Have, math.MaxUint32, ErrTooLong},
		{Request, 13, nil},
		{Request, 12, ErrLength},
		{Request, 14, ErrLength},
		{Cancel, 13, nil},
		{Cancel, 12, ErrLength},
		{Cancel, 14, ErrLength},
		{Port, 3, nil},
		{Port, 2, ErrLength},
		{Port, 5, ErrLength},
		{Bitfield, 166, nil},
		{Bitfield, 165, ErrLength},
		{Bitfield, 167, ErrLength},
		{Bitfield, 1, ErrLength},
		{Bitfield, math.MaxUint32, ErrTooLong},
		{Piece, 9, ErrLength},
		{Piece, 8, ErrLength},
		{Piece, 0, ErrLength},
		{Piece, 10, nil},
		{Piece, 9 + block.Size, nil},
		{Piece, 10 + block.Size, ErrTooLong},
		{Piece, math.MaxUint32, ErrTooLong},
		{Extended, 1, ErrLength},
		{Extended, 2, nil},
		{Extended, MaxBody, nil},
		{Extended, MaxBody + 1, ErrTooLong},
		{13, 5, nil},
		{14, 1, nil},
		{255, 1, nil},
		{255, MaxBody, nil},
		{255, MaxBody + 1, ErrTooLong},
		{99, math.MaxUint32, ErrTooLong},
	} {
		if err := (Bounds{Pieces: pieces}).CheckLength(c.id, c.length); !errors.Is(err, c.want) || c.want == nil && err != nil {
			t.Errorf("%v of %d bytes: %v, want %v", c.id, c.length, err, c.want)
		}
	}

	// A torrent of very many pieces has a bitfield longer than any other message.
	const many = 2 << 20
	want := uint32(1 + many/8)
	if err := (Bounds{Pieces: many}).CheckLength(Bitfield, want); err != nil {
		t.Error(err)
	}
	if err := (Bounds{Pieces: many}).CheckLength(Bitfield, want+1); !errors.Is(err, ErrTooLong) {
		t.Error(err)
	}
	if err := (Bounds{Pieces: math.MaxUint32}).CheckLength(Bitfield, 1<<29+1); err != nil {
		t.Error(err)
	}
}

// A body shorter than its message, though CheckLength forbids it, is an error.
func TestParseShort(t *testing.T) {
	for _, body := range []string{
		"\x04", "\x04\x00\x00\x00", "\x06", "\x06\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", "\x07\x00\x00\x00\x00\x00\x00\x00",
		"\x08\x00\x00\x00", "\x09", "\x09\x00", "\x14",
	} {
		if m, err := Parse([]byte(body)); !errors.Is(err, ErrLength) {
			t.Errorf("%x: %+v, %v", body, m, err)
		}
	}
}

// An id of 255 is an unknown message, not a keep-alive.
func TestNoIDIsKeepAlive(t *testing.T) {
	m, err := Parse([]byte{255})
	if err != nil || m.ID == KeepAlive || m.ID.String() != "unknown (255)" {
		t.Errorf("%v, %v", m.ID, err)
	}
	if m, _ := Parse(nil); m.ID != KeepAlive || m.ID.String() != "keep-alive" {
		t.Errorf("an empty body is %v", m.ID)
	}
}

// A stream may be refused at its first wrong byte.
func TestCouldBeHandshake(t *testing.T) {
	whole := string(AppendHandshake(nil, Handshake{}))
	for n := range len(whole) {
		if !CouldBeHandshake([]byte(whole[:n])) {
			t.Errorf("refused after %d bytes", n)
		}
	}
	for _, s := range []string{"\x12", "\x13bit", "GET / HTTP/1.1", "\x13BitTorrent protocoL"} {
		if CouldBeHandshake([]byte(s)) {
			t.Errorf("%q was not refused", s)
		}
	}
	if _, err := ParseHandshake([]byte(whole[:InfoHashEnd-1])); !errors.Is(err, ErrProtocol) {
		t.Error(err)
	}
	if r := (Reserved{}).WithDHT().WithExtensions(); r != (Reserved{5: 0x10, 7: 0x01}) {
		t.Errorf("%x", r)
	}
}

func TestExtensions(t *testing.T) {
	want := Extensions{Client: "shoal 0.1.0", Reqq: 512, Port: 6881, UploadOnly: true, YourIP: netip.MustParseAddr("192.0.2.7")}
	m, err := read(AppendExtensions(nil, want), 0)
	if err != nil || m.ID != Extended || m.Ext != 0 {
		t.Fatalf("%+v, %v", m, err)
	}
	// Keys in order, and an m that says: no extension messages.
	if s := string(m.Body); !strings.HasPrefix(s, "d1:mde1:pi6881e4:reqqi512e11:upload_onlyi1e1:v") {
		t.Errorf("%q", s)
	}
	got, err := parseExtensions(append(m.Body, "bytes after it"...))
	if err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}

	for _, c := range []struct {
		body string
		want Extensions
	}{
		{"de", Extensions{}},
		{"d1:pi0e4:reqqi0ee", Extensions{}},
		{"d1:pi65536e4:reqqi-5e1:vi3ee", Extensions{}},
		{"d4:reqqi9999999999ee", Extensions{Reqq: maxReqq}},
		{"d6:yourip3:abce", Extensions{}},
		{"d11:upload_onlyi1ee", Extensions{UploadOnly: true}},
		{"d13:metadata_sizei31235ee", Extensions{MetaBytes: 31235}},
		{"d13:metadata_sizei-1ee", Extensions{}},
		{"d6:yourip16:\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xc0\x00\x02\x07e", Extensions{YourIP: want.YourIP}},
		{"d1:v100:" + strings.Repeat("x", 100) + "e", Extensions{Client: strings.Repeat("x", maxClient)}},
	} {
		if got, err := parseExtensions([]byte(c.body)); err != nil || got != c.want {
			t.Errorf("%s: %+v, %v", c.body, got, err)
		}
	}
	for _, body := range []string{"", "x", "d1:v", "d1:v5:abce", strings.Repeat("l", 100)} {
		e := want
		if err := e.Update([]byte(body)); err == nil || e != want {
			t.Errorf("%q: %+v, %v", body, e, err)
		}
	}
}

// Before the metadata a bitfield can have any length within the bound, and a payload none.
func TestCheckLengthWithoutMetadata(t *testing.T) {
	bounds := Bounds{Pieces: 1000, NoMetadata: true}
	for _, c := range []struct {
		id     ID
		length uint32
		want   error
	}{
		{Bitfield, 1, nil},
		{Bitfield, 126, nil},
		{Bitfield, 127, ErrTooLong},
		{Piece, 9 + 16384, ErrRange},
		{Have, 5, nil},
		{Have, 6, ErrLength},
		{Extended, MaxBody, nil},
		{Extended, MaxBody + 1, ErrTooLong},
		{200, 1 << 30, ErrTooLong},
	} {
		if err := bounds.CheckLength(c.id, c.length); !errors.Is(err, c.want) {
			t.Errorf("%v of %d bytes: %v", c.id, c.length, err)
		}
	}
}

// BEP 10: a later handshake adds to an earlier one.
func TestExtensionsAdd(t *testing.T) {
	var e Extensions
	for _, body := range []string{"d4:reqqi250e1:v3:abce", "d11:upload_onlyi1ee", "d1:pi6882ee"} {
		if err := e.Update([]byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	if want := (Extensions{Client: "abc", Reqq: 250, Port: 6882, UploadOnly: true}); e != want {
		t.Errorf("%+v", e)
	}
	if err := e.Update([]byte("d11:upload_onlyi0ee")); err != nil || e.UploadOnly {
		t.Error("upload_only cannot be taken back")
	}
}

// The receive and send paths allocate nothing per message.
func TestAllocs(t *testing.T) {
	have := bitfield.New(1313)
	buf := make([]byte, 0, 1024)
	ref := block.Ref{Piece: 7, Begin: 32768, Length: block.Size}
	stream := AppendPieceHeader(AppendExtended(AppendPort(AppendBitfield(AppendRequest(AppendHave(AppendSimple(
		AppendKeepAlive(nil), Unchoke), 3), ref), have), 6881), 0, []byte("de")), ref)
	bounds := Bounds{Pieces: 1313, PieceLength: 1 << 20, LastPiece: 1}
	if n := testing.AllocsPerRun(100, func() {
		for b := stream; len(b) > 0; {
			_, n, err := bounds.Decode(b)
			if n == 0 || err != nil {
				t.Fatal(n, err)
			}
			b = b[n:]
		}
	}); n != 0 {
		t.Errorf("reading allocates %v times", n)
	}
	if n := testing.AllocsPerRun(100, func() {
		b := AppendHandshake(buf, Handshake{})
		b = AppendKeepAlive(b)
		b = AppendSimple(b, Choke)
		b = AppendHave(b, 1)
		b = AppendBitfield(b, have)
		b = AppendRequest(b, ref)
		b = AppendCancel(b, ref)
		b = AppendPieceHeader(b, ref)
		AppendPort(b, 6881)
	}); n != 0 {
		t.Errorf("writing allocates %v times", n)
	}
}
