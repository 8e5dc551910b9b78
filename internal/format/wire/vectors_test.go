package wire

import (
	"slices"
	"testing"

	"shoal/internal/testkit"
	"shoal/internal/value/bitfield"
)

var unhex = testkit.Unhex

// read does what a connection does with a message, in a torrent of so many pieces.
func read(b []byte, pieces uint32) (Message, error) {
	body := b[4:]
	if len(body) > 0 {
		if err := (Bounds{Pieces: pieces}).CheckLength(ID(body[0]), uint32(len(body))); err != nil {
			return Message{}, err
		}
	}
	return Parse(body)
}

// reencode writes a parsed message again.
func reencode(m Message, pieces uint32) []byte {
	switch m.ID {
	case KeepAlive:
		return AppendKeepAlive(nil)
	case Choke, Unchoke, Interested, NotInterested:
		return AppendSimple(nil, m.ID)
	case HaveAll, HaveNone:
		return AppendSimple(nil, m.ID)
	case Have:
		return AppendHave(nil, m.Piece)
	case Suggest:
		return AppendSuggest(nil, m.Piece)
	case AllowedFast:
		return AppendAllowedFast(nil, m.Piece)
	case Reject:
		return AppendReject(nil, m.Ref())
	case Bitfield:
		have, err := bitfield.FromWire(m.Body, pieces)
		if err != nil {
			return nil
		}
		return AppendBitfield(nil, have)
	case Request:
		return AppendRequest(nil, m.Ref())
	case Cancel:
		return AppendCancel(nil, m.Ref())
	case Piece:
		return AppendPieceHeader(nil, m.Ref())
	case Port:
		return AppendPort(nil, m.Port)
	case Extended:
		return AppendExtended(nil, m.Ext, m.Body)
	}
	return nil
}

// Messages of the base protocol and its extensions: what is ours is read, field
// by field, and written back byte for byte; what is not is skipped; what breaks
// a rule of lengths is refused before its body is read.
func TestVectorsOfMessages(t *testing.T) {
	// Refused by Bounds.CheckLength. Other invalid messages have the right length: a
	// message out of range is refused by Bounds.Check, and ids of other extensions
	// are skipped.
	refused := map[string]bool{
		"choke-with-payload": true, "bitfield-short": true, "piece-no-block": true, "port-long": true, "ltep-no-id": true,
	}
	var file struct {
		Vectors []struct {
			ID      string
			Valid   bool
			Message string `json:"message_hex"`
			Pieces  uint32 `json:"torrent_pieces"`
			Fields  struct {
				Type   string
				ID     *ID
				Index  uint32
				Begin  uint32
				Length uint32
				Block  *string `json:"block_hex"`
				Port   uint16
				Ext    *uint8  `json:"ext_id"`
				Dict   *string `json:"dict_hex"`
				Tail   string  `json:"tail_hex"`
				Pieces uint32
				Have   []uint32
			}
		}
	}
	testkit.Vectors(t, "peer-messages.json", &file)
	for _, v := range file.Vectors {
		t.Run(v.ID, func(t *testing.T) {
			b := unhex(t, v.Message)
			f := v.Fields
			m, err := read(b, max(v.Pieces, f.Pieces))
			if refused[v.ID] {
				if err == nil {
					t.Errorf("read as %+v", m)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !v.Valid {
				return
			}
			switch {
			case f.Type == "keep-alive":
				if m.ID != KeepAlive {
					t.Errorf("id %v", m.ID)
				}
			case m.ID != *f.ID:
				t.Fatalf("id %v, want %v", m.ID, *f.ID)
			}
			switch m.ID {
			case Have, Request, Cancel, Piece, Suggest, Reject, AllowedFast:
				length := f.Length
				if f.Block != nil {
					length = uint32(len(*f.Block) / 2)
				}
				if m.Piece != f.Index || m.Begin != f.Begin || m.Length != length {
					t.Errorf("read %+v, want %+v", m, f)
				}
			case Port:
				if m.Port != f.Port {
					t.Errorf("port %d, want %d", m.Port, f.Port)
				}
			case Extended:
				if m.Ext != *f.Ext || f.Dict != nil && string(m.Body) != string(unhex(t, *f.Dict+f.Tail)) {
					t.Errorf("read %d %q, want %+v", m.Ext, m.Body, f)
				}
			case Bitfield:
				have, err := bitfield.FromWire(m.Body, f.Pieces)
				if err != nil {
					t.Fatal(err)
				}
				if got := slices.Collect(have.Pieces()); !slices.Equal(got, f.Have) {
					t.Errorf("pieces %v, want %v", got, f.Have)
				}
			}
			if again := reencode(m, f.Pieces); again != nil && string(again) != string(b[:len(again)]) {
				t.Errorf("written again %x", again)
			} else if again == nil && names[m.ID] != "" {
				t.Errorf("%v cannot be written", m.ID)
			}
		})
	}
}

func TestVectorsOfHandshakes(t *testing.T) {
	var file struct {
		Vectors []struct {
			ID       string
			Valid    bool
			Reserved string `json:"reserved_hex"`
			Flags    []string
			InfoHash string `json:"info_hash_hex"`
			PeerID   string `json:"peer_id_hex"`
			Message  string `json:"message_hex"`
		}
	}
	testkit.Vectors(t, "handshake.json", &file)
	for _, v := range file.Vectors {
		t.Run(v.ID, func(t *testing.T) {
			b := unhex(t, v.Message)
			h, err := ParseHandshake(b)
			if v.ID == "short" {
				// Enough to be answered: the info-hash is in.
				if err != nil || h.InfoHash == [20]byte{} || h.PeerID != [20]byte{} || len(b) != InfoHashEnd {
					t.Errorf("%+v, %v", h, err)
				}
				return
			}
			if !v.Valid {
				if err == nil || CouldBeHandshake(b) {
					t.Errorf("read as %+v", h)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := Handshake{
				Reserved: Reserved(unhex(t, v.Reserved)), InfoHash: [20]byte(unhex(t, v.InfoHash)), PeerID: [20]byte(unhex(t, v.PeerID)),
			}
			if h != want {
				t.Errorf("read %+v, want %+v", h, want)
			}
			r := h.Reserved
			if r.DHT() != slices.Contains(v.Flags, "dht") || r.Fast() != slices.Contains(v.Flags, "fast") ||
				r.Extensions() != slices.Contains(v.Flags, "ltep") {
				t.Errorf("bits %x read as DHT %v, fast %v, extensions %v", r, r.DHT(), r.Fast(), r.Extensions())
			}
			if again := AppendHandshake(nil, h); string(again) != string(b) {
				t.Errorf("written again %x", again)
			}
		})
	}
}

func TestVectorsOfPeerIDs(t *testing.T) {
	want := map[string]string{
		"tr": "Transmission 4.0.5", "lt": "libtorrent (Rasterbar) 2.0.8", "qb": "qBittorrent 4.6.1", "ut": "uTorrent 3.5.5",
		"mainline": "Mainline 7.10.5", "shadow": "Shadow's 5.8.11", "xbt": "XBT debug 0.5.4", "bitcomet-old": "BitComet 0.56",
		"queen": "Queen Bee 1.0.0", "opera": "Opera build 7685", "rain": "rain 2.0.0", "random": "unknown client",
	}
	var file struct {
		Vectors []struct {
			ID     string
			PeerID string `json:"peer_id_hex"`
		}
	}
	testkit.Vectors(t, "peer-id.json", &file)
	for _, v := range file.Vectors {
		if got := ClientName([20]byte(unhex(t, v.PeerID))); got != want[v.ID] {
			t.Errorf("%s: %q, want %q", v.ID, got, want[v.ID])
		}
	}
	if len(file.Vectors) != len(want) {
		t.Errorf("%d vectors, %d answers", len(file.Vectors), len(want))
	}
}
