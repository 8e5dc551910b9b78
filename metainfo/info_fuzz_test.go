package metainfo

import (
	"bytes"
	"errors"
	"testing"
)

// FuzzParseInfo loads an info dictionary as peers send it: what loads is hashed as it is, and
// fits a torrent.
func FuzzParseInfo(f *testing.F) {
	for _, v := range loadVectors[torrentVector](f, "torrents.json") {
		if tor, err := Parse(v.Torrent); err == nil {
			f.Add(tor.Info.Raw)
		}
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		info, err := ParseInfo(in)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Offset < 0 || e.Offset > len(in) || Printable(err.Error()) != err.Error() {
				t.Fatalf("error %q", err)
			}
			return
		}
		if !bytes.Equal(info.Raw, in) {
			t.Fatal("what is hashed is not what came")
		}
		checkTorrent(t, &Torrent{Info: info, InfoHash: info.Hash})
	})
}
