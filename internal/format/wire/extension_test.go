package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"testing"

	"shoal/internal/testkit"
)

// The messages of extensions, field by field, and written back byte for byte
// where we would write them so.
func TestVectorsOfExtensions(t *testing.T) {
	var file struct {
		Vectors []struct {
			ID      string
			Valid   bool
			Message string `json:"message_hex"`
			Fields  struct {
				Ext     uint8  `json:"ext_id"`
				Tail    string `json:"tail_hex"`
				Value   int
				Type    *uint8 `json:"msg_type"`
				Addr    string
				Err     uint32 `json:"err_code"`
				Added   []string
				Flags   []int `json:"added_flags"`
				Added6  []string
				Flags6  []int `json:"added6_flags"`
				Dropped []string
			}
		}
	}
	testkit.Vectors(t, "peer-messages.json", &file)
	seen := 0
	for _, v := range file.Vectors {
		if !v.Valid {
			continue
		}
		f := v.Fields
		message := unhex(t, v.Message)
		m, err := read(message, 0)
		if err != nil || m.ID != Extended {
			continue
		}
		seen++
		var again []byte
		switch v.ID {
		case "ltep-handshake", "ltep-handshake-disable":
			e, err := parseExtensions(m.Body)
			if err != nil {
				t.Error(err)
			}
			if v.ID == "ltep-handshake" && (e.IDs[UTMetadata] != 2 || e.IDs[UTPex] != 1 || e.MetaBytes != 31235) {
				t.Errorf("%s: %+v", v.ID, e)
			}
			e = Extensions{IDs: IDs{UTMetadata: 2, UTPex: 1}}
			if e.Update(m.Body) != nil || (v.ID == "ltep-handshake-disable") == e.IDs.Speaks(UTMetadata) || !e.IDs.Speaks(UTPex) {
				t.Errorf("%s: %+v", v.ID, e)
			}
			continue
		case "ut-metadata-request", "ut-metadata-data":
			got, err := ParseMetadata(m.Body)
			want := Metadata{Type: MetadataRequest}
			if v.ID == "ut-metadata-data" {
				want = Metadata{Type: MetadataData, Piece: 1, Total: 16389, Data: unhex(t, f.Tail)}
			}
			if err != nil || got.Type != want.Type || got.Piece != want.Piece || got.Total != want.Total || !bytes.Equal(got.Data, want.Data) {
				t.Errorf("%s: %+v, %v", v.ID, got, err)
			}
			again = AppendMetadata(nil, f.Ext, got)
		case "ut-pex", "ut-pex-drop-only":
			got, err := ParsePex(m.Body)
			if err != nil {
				t.Error(err)
			}
			var want Pex
			for i, a := range f.Added {
				want.Added = append(want.Added, PexPeer{netip.MustParseAddrPort(a), uint8(f.Flags[i])})
			}
			for i, a := range f.Added6 {
				want.Added = append(want.Added, PexPeer{netip.MustParseAddrPort(a), uint8(f.Flags6[i])})
			}
			for _, a := range f.Dropped {
				want.Dropped = append(want.Dropped, netip.MustParseAddrPort(a))
			}
			if !slices.Equal(got.Added, want.Added) || !slices.Equal(got.Dropped, want.Dropped) {
				t.Errorf("%s: %+v, want %+v", v.ID, got, want)
			}
			again = AppendPex(nil, f.Ext, got)
			if p, err := ParsePex(again[6:]); err != nil || !slices.Equal(p.Added, got.Added) || !slices.Equal(p.Dropped, got.Dropped) {
				t.Errorf("%s: written %q", v.ID, again)
			}
			continue
		case "upload-only-message":
			got, err := ParseUploadOnly(m.Body)
			if err != nil || got != (f.Value != 0) {
				t.Errorf("%s: %v, %v", v.ID, got, err)
			}
			again = AppendExtended(nil, f.Ext, onlyBody(got))
		case "holepunch-rendezvous-v4", "holepunch-error-not-connected":
			got, err := ParsePunch(m.Body)
			if err != nil || got != (Punch{PunchType(*f.Type), netip.MustParseAddrPort(f.Addr), PunchErr(f.Err)}) {
				t.Errorf("%s: %+v, %v", v.ID, got, err)
			}
			again = AppendPunch(nil, f.Ext, got)
			if got.Type != PunchError {
				if short, err := ParsePunch(m.Body[:8]); err != nil || short != got {
					t.Errorf("%s without an error code: %+v, %v", v.ID, short, err)
				}
			}
		default:
			t.Errorf("%s: no test", v.ID)
			continue
		}
		if !bytes.Equal(again, message) {
			t.Errorf("%s: written again %x", v.ID, again)
		}
	}
	if seen == 0 {
		t.Error("no vectors")
	}
}

// What arrives is told by our ids, what is sent carries theirs: the two tables
// have nothing to do with each other.
func TestIDsOfBothSides(t *testing.T) {
	theirs, err := parseExtensions([]byte("d1:md11:lt_donthavei9e6:ut_pexi300e11:ut_metadatai-1e11:upload_onlyi255eee"))
	if err != nil || theirs.IDs != (IDs{DontHave: 9, UploadOnly: 255}) {
		t.Errorf("%+v, %v", theirs.IDs, err)
	}
	for _, x := range sortedExtensions {
		got, ok := Arrived(OurIDs(x)[x])
		if !ok || got != x || extensionNames[x] == "" {
			t.Errorf("%v arrives as %v", x, got)
		}
	}
	for _, id := range []uint8{0, uint8(numExtensions), 255} {
		if x, ok := Arrived(id); ok {
			t.Errorf("id %d is %v", id, x)
		}
	}
	if !slices.IsSortedFunc(sortedExtensions[:], func(a, b Extension) int { return bytes.Compare([]byte(a.String()), []byte(b.String())) }) {
		t.Error("out of order")
	}
	all := Extensions{IDs: OurIDs(sortedExtensions[:]...), MetaBytes: 7, Reqq: 1}
	m, err := read(AppendExtensions(nil, all), 0)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := parseExtensions(m.Body); err != nil || again != all {
		t.Errorf("%q: %+v, %v", m.Body, again, err)
	}
}

func TestExtensionMessagesThatCannotBe(t *testing.T) {
	parse := map[string]func([]byte) error{
		"metadata":   func(b []byte) error { _, err := ParseMetadata(b); return err },
		"pex":        func(b []byte) error { _, err := ParsePex(b); return err },
		"donthave":   func(b []byte) error { _, err := ParseDontHave(b); return err },
		"uploadonly": func(b []byte) error { _, err := ParseUploadOnly(b); return err },
		"punch":      func(b []byte) error { _, err := ParsePunch(b); return err },
	}
	for _, c := range [][2]string{
		{"metadata", ""},
		{"metadata", "de"},
		{"metadata", "d8:msg_typei0ee"},
		{"metadata", "d8:msg_typei0e5:piecei-1ee"},
		{"metadata", "d8:msg_typei1e5:piecei4294967296ee"},
		{"pex", "l"},
		{"pex", "d5:added5:12345e"},
		{"pex", "d8:dropped617:12345678901234567e"},
		{"donthave", "abc"},
		{"uploadonly", ""},
		{"punch", "\x00"},
		{"punch", "\x00\x00\x7f\x00\x00\x01\x1a"},
		{"punch", "\x00\x01\x7f\x00\x00\x01\x1a\xe1"},
		{"punch", "\x03\x00\x7f\x00\x00\x01\x1a\xe1"},
		{"punch", "\x00\x02\x7f\x00\x00\x01\x1a\xe1"},
	} {
		if err := parse[c[0]]([]byte(c[1])); !errors.Is(err, ErrExtension) {
			t.Errorf("%s %q: %v", c[0], c[1], err)
		}
	}
	// What can't be read in part is read as far as it says something.
	if m, err := ParseMetadata([]byte("d8:msg_typei7ee")); err != nil || m.Type != MetadataUnknown {
		t.Errorf("%+v, %v", m, err)
	}
	if m, err := ParsePex([]byte("d5:added6:abcdef7:added.f2:xye")); err != nil || len(m.Added) != 1 || m.Added[0].Flags != 0 {
		t.Errorf("%+v, %v", m, err)
	}
	many := make([]byte, 0, 64<<10)
	many = append(many, "d5:added60000:"...)
	many = append(many, make([]byte, 60000)...)
	if m, err := ParsePex(append(many, 'e')); err != nil || len(m.Added) != MaxPexPeers {
		t.Errorf("%d peers, %v", len(m.Added), err)
	}
}

// Whatever bytes come as an extension message, they are refused with one error or
// read within bounds, and what is read is written back the same.
func FuzzExtensionMessages(f *testing.F) {
	f.Add(uint8(UTMetadata), []byte("d8:msg_typei1e5:piecei1e10:total_sizei16389eehello"))
	f.Add(uint8(UTPex), []byte("d5:added6:abcdef7:added.f1:\x126:added618:0123456789abcdefgh8:added6.f1:\x007:dropped6:ghijkle"))
	f.Add(uint8(DontHave), []byte("\x00\x00\x00\x07"))
	f.Add(uint8(UploadOnly), []byte("\x01"))
	f.Add(uint8(Holepunch), []byte("\x02\x00\x7f\x00\x00\x01\x1a\xe1\x00\x00\x00\x02"))
	f.Fuzz(func(t *testing.T, id uint8, body []byte) {
		x, ok := Arrived(id)
		if !ok || len(body) > MaxBody {
			return
		}
		var err error
		var same bool
		switch x {
		case UTMetadata:
			var m, again Metadata
			if m, err = ParseMetadata(body); err == nil && m.Type != MetadataUnknown {
				again, err = ParseMetadata(AppendMetadata(nil, id, m)[6:])
				same = m.Type == again.Type && m.Piece == again.Piece && m.Total == again.Total && bytes.Equal(m.Data, again.Data)
			}
			same = same || m.Type == MetadataUnknown
		case UTPex:
			var m, again Pex
			if m, err = ParsePex(body); err == nil {
				if len(m.Added) > MaxPexPeers || len(m.Dropped) > MaxPexPeers {
					t.Fatalf("%d added, %d dropped", len(m.Added), len(m.Dropped))
				}
				again, err = ParsePex(AppendPex(nil, id, m)[6:])
				same = len(m.Added) == len(again.Added) && len(m.Dropped) == len(again.Dropped)
			}
		case DontHave:
			var m uint32
			if m, err = ParseDontHave(body); err == nil {
				same = bytes.Equal(binary.BigEndian.AppendUint32(nil, m), body)
			}
		case UploadOnly:
			var m, again bool
			if m, err = ParseUploadOnly(body); err == nil {
				again, err = ParseUploadOnly(onlyBody(m))
				same = m == again
			}
		case Holepunch:
			var m, again Punch
			if m, err = ParsePunch(body); err == nil {
				again, err = ParsePunch(AppendPunch(nil, id, m)[6:])
				same = m == again
			}
		}
		if err != nil && !errors.Is(err, ErrExtension) {
			t.Fatalf("another error: %v", err)
		}
		if err == nil && !same {
			t.Fatalf("%v %q is not written as it was read", x, body)
		}
	})
}

// parseExtensions reads the first extension handshake of a peer.
func parseExtensions(body []byte) (e Extensions, err error) {
	err = e.Update(body)
	return e, err
}

// onlyBody is the body of an upload_only message.
func onlyBody(only bool) []byte {
	if only {
		return []byte{1}
	}
	return []byte{0}
}
