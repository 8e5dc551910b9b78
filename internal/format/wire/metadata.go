package wire

import (
	"encoding/binary"
	"errors"
	"fmt"

	"shoal/bencode"
)

// MetadataPiece is how many bytes of the metadata one message carries (BEP 9); the last piece
// may be shorter.
const MetadataPiece = 16 << 10

// MaxMetadata bounds the metadata that we request or serve, in bytes: the limit of deployed
// clients.
const MaxMetadata = 30 << 20

// MetadataType is the kind of a ut_metadata message.
type MetadataType uint8

// Types of BEP 9. Others must be ignored.
const (
	MetadataRequest MetadataType = iota
	MetadataData
	MetadataReject
	MetadataUnknown
)

// Metadata is one ut_metadata message (BEP 9).
type Metadata struct {
	Type  MetadataType
	Piece uint32
	Total int64  // data: size of the whole metadata; 0: absent
	Data  []byte // data: a view, valid until the next read
}

// ErrExtension is returned for an extension message that can't be parsed. Deployed clients
// ignore such a message, and so does the swarm.
var ErrExtension = errors.New("malformed extension message")

// ParseMetadata reads a ut_metadata message: a dictionary, followed by the bytes of a data
// message. Types that BEP 9 does not know are MetadataUnknown. The error is ErrExtension.
func ParseMetadata(body []byte) (Metadata, error) {
	v, rest, err := bencode.Options{Lenient: true, MaxDepth: 4, MaxTokens: 32}.ParsePrefix(body)
	if err != nil {
		return Metadata{}, fmt.Errorf("%w: ut_metadata: %w", ErrExtension, err)
	}
	kind, ok := v.Get("msg_type").Int()
	if !ok {
		return Metadata{}, fmt.Errorf("%w: ut_metadata without a type", ErrExtension)
	}
	if kind < 0 || kind > int64(MetadataReject) {
		return Metadata{Type: MetadataUnknown}, nil
	}
	m := Metadata{Type: MetadataType(kind)}
	piece, ok := v.Get("piece").Int()
	if !ok || piece < 0 || piece > MaxMetadata/MetadataPiece {
		return Metadata{}, fmt.Errorf("%w: ut_metadata without a valid piece", ErrExtension)
	}
	m.Piece = uint32(piece)
	if m.Type == MetadataData {
		if n, ok := v.Get("total_size").Int(); ok && n > 0 {
			m.Total = n
		}
		m.Data = rest
	}
	return m, nil
}

// AppendMetadata appends a ut_metadata message. id is the one that the receiver
// announced.
func AppendMetadata(b []byte, id uint8, m Metadata) []byte {
	at := len(b)
	b = append(b, 0, 0, 0, 0, byte(Extended), id)
	w := bencode.NewWriter(b)
	w.BeginDict()
	w.Key("msg_type")
	w.Int(int64(m.Type))
	w.Key("piece")
	w.Int(int64(m.Piece))
	if m.Type == MetadataData {
		w.Key("total_size")
		w.Int(m.Total)
	}
	w.End()
	b = append(w.Finish(), m.Data...)
	binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	return b
}
