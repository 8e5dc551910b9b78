package catalogue

import (
	"bytes"

	"shoal/bencode"
	"shoal/internal/value/infohash"
	"shoal/metainfo"
)

// maxTries bounds the places in a damaged file where we look for an info dictionary.
const maxTries = 64

// salvage finds a torrent's metainfo in a damaged file: the body, if that is a torrent with this
// info-hash, or else its info dictionary, wherever it stands. exact reports that nothing is
// missing, as far as we can tell.
func salvage(b []byte, f frame, h infohash.Hash) (t *metainfo.Torrent, raw []byte, exact bool) {
	if t, raw := parseMetainfo(f.body, h); t != nil {
		return t, raw, true
	}
	const key = "4:info"
	rules := bencode.Options{Loose: true}
	for at, tries := 0, 0; tries < maxTries; tries++ {
		i := bytes.Index(b[at:], []byte(key))
		if i < 0 {
			return nil, nil, false
		}
		at += i + len(key)
		v, _, err := rules.ParsePrefix(b[at:])
		if err != nil || v.Kind() != bencode.Dict || infohash.Of(v.Raw()) != h {
			continue
		}
		t, raw := parseMetainfo(append(append([]byte("d"+key), v.Raw()...), 'e'), h)
		return t, raw, false
	}
	return nil, nil, false
}

// parseMetainfo returns the torrent in b, and a copy of b that it refers to; nil when b is not a
// torrent with this info-hash.
func parseMetainfo(b []byte, h infohash.Hash) (*metainfo.Torrent, []byte) {
	if len(b) == 0 {
		return nil, nil
	}
	raw := bytes.Clone(b)
	t, err := metainfo.Parse(raw)
	if err != nil || t.InfoHash != h {
		return nil, nil
	}
	return t, raw
}
