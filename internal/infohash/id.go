package infohash

// ID is the identity of a torrent. A v1 torrent has V1, a v2 torrent has V2, a hybrid has
// both and belongs to two swarms that share its content (BEP 52). The part that is absent
// is zero.
type ID struct {
	V1 Hash
	V2 HashV2
}

// V1 is the identity of a torrent of BEP 3.
func V1(h Hash) ID { return ID{V1: h} }

// IsZero reports whether the ID names no torrent.
func (id ID) IsZero() bool { return id == ID{} }

// Hybrid reports whether the torrent has both hashes.
func (id ID) Hybrid() bool { return !id.V1.IsZero() && !id.V2.IsZero() }

// Wire returns the hash to open a connection with: the v1 hash where there is one, since
// every peer of a hybrid knows it, else the truncated v2 hash.
func (id ID) Wire() Hash {
	if !id.V1.IsZero() {
		return id.V1
	}
	return id.V2.Truncated()
}

// Swarms returns the hashes under which the torrent is announced, and by which an incoming
// handshake finds it: one, or two for a hybrid.
func (id ID) Swarms() []Hash {
	var hs []Hash
	if !id.V1.IsZero() {
		hs = append(hs, id.V1)
	}
	if !id.V2.IsZero() {
		hs = append(hs, id.V2.Truncated())
	}
	return hs
}

// String gives the v1 hash where there is one, else the whole v2 hash.
func (id ID) String() string {
	if !id.V1.IsZero() || id.V2.IsZero() {
		return id.V1.String()
	}
	return id.V2.String()
}
