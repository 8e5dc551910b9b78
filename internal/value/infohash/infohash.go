// Package infohash holds the names of torrents: the 20-byte info-hash of BitTorrent v1
// (BEP 3) and the 32-byte one of v2 (BEP 52). Both are plain values that can be compared and
// used as map keys.
package infohash

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// Hash is the SHA-1 of an info dictionary as it was sent. Handshakes, trackers and the DHT
// carry twenty bytes, whatever the version of the torrent.
type Hash [sha1.Size]byte

// Of returns the v1 info-hash of the raw bytes of an info dictionary.
func Of(info []byte) Hash { return sha1.Sum(info) }

// ParseHex reads 40 hexadecimal digits of either case.
func ParseHex(s string) (Hash, error) {
	var h Hash
	err := parseHex(h[:], s)
	return h, err
}

// String returns 40 lower-case hexadecimal digits.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// IsZero reports whether h is the zero value, which stands for no hash.
func (h Hash) IsZero() bool { return h == Hash{} }

// MarshalText returns the text of String.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads what ParseHex reads.
func (h *Hash) UnmarshalText(text []byte) error {
	p, err := ParseHex(string(text))
	if err == nil {
		*h = p
	}
	return err
}

// HashV2 is the SHA-256 of an info dictionary as it was sent.
type HashV2 [sha256.Size]byte

// OfV2 returns the v2 info-hash of the raw bytes of an info dictionary.
func OfV2(info []byte) HashV2 { return sha256.Sum256(info) }

// ParseHexV2 reads 64 hexadecimal digits of either case.
func ParseHexV2(s string) (HashV2, error) {
	var h HashV2
	err := parseHex(h[:], s)
	return h, err
}

// String returns 64 lower-case hexadecimal digits.
func (h HashV2) String() string { return hex.EncodeToString(h[:]) }

// IsZero reports whether h is the zero value, which stands for no hash.
func (h HashV2) IsZero() bool { return h == HashV2{} }

func parseHex(dst []byte, s string) error {
	if len(s) != 2*len(dst) {
		return fmt.Errorf("parse info-hash: %d characters, want %d", len(s), 2*len(dst))
	}
	if _, err := hex.Decode(dst, []byte(s)); err != nil {
		clear(dst)
		return fmt.Errorf("parse info-hash: %w", err)
	}
	return nil
}
