package engine

import (
	"crypto/sha1"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"shoal/metainfo"
)

// manyFiles makes a torrent of n files of one byte, whose metadata is large.
func manyFiles(t *testing.T, n int) payload {
	t.Helper()
	c := payload{files: map[string][]byte{}}
	var files []metainfo.NewFile
	for i := range n {
		files = append(files, metainfo.NewFile{Path: []string{fmt.Sprintf("%06d %s", i, strings.Repeat("x", 200))}, Length: 1})
	}
	draft, err := metainfo.NewDraft("many files", files, 16<<10)
	if err != nil {
		t.Fatal(err)
	}
	c.data = make([]byte, n)
	var hashes []byte
	for all := c.data; len(all) > 0; {
		k := min(len(all), 16<<10)
		sum := sha1.Sum(all[:k])
		hashes = append(hashes, sum[:]...)
		all = all[k:]
	}
	info, err := draft.Info(hashes)
	if err != nil {
		t.Fatal(err)
	}
	c.meta = &metainfo.Torrent{Info: info, InfoHash: info.Hash}
	return c
}

// An idle seed sends a peer its metadata as fast as the network takes it. What has come, what
// the limit is and what is beyond it are told on the way.
func TestLargeMetadata(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := manyFiles(t, 20_000)
		size := int64(len(c.meta.Info.Raw))
		if size < 4<<20 {
			t.Fatalf("the metadata has %d bytes, too few for this test", size)
		}
		w.seed(w.engine(1, Config{}), c)
		small := w.engine(3, Config{MaxMetadata: size - 1})
		stuck, _ := w.magnet(small, c, MagnetSpec{Peers: []netip.AddrPort{at(1)}, Only: true})
		e := w.engine(2, Config{})
		began := time.Now()
		m, _ := w.magnet(e, c, MagnetSpec{Peers: []netip.AddrPort{at(1)}, Only: true})
		if err := m.WaitMetadata(t.Context()); err != nil {
			t.Fatal(err)
		}
		// Sixteen parts a round trip of 10 ms; at 320 KiB/s it would take 14 s.
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%d bytes took %v", size, took)
		}
		time.Sleep(time.Second) // snapshots are made now and then
		if p := m.Stats().Metadata; p.Got != size || p.Size != size {
			t.Errorf("at the end: %+v", p)
		}
		if p := stuck.Stats().Metadata; p.Sources != 0 || p.TooLarge != 1 || p.TooLargeSize != size || p.Limit != size-1 {
			t.Errorf("beyond the limit: %+v", p)
		}
	})
}

// A limit of the upload holds for metadata, too.
func TestMetadataUnderALimit(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := manyFiles(t, 5_000)
		size := int64(len(c.meta.Info.Raw))
		const limit = 256 << 10
		w.seed(w.engine(1, Config{Limits: Limits{Up: limit}}), c)
		e := w.engine(2, Config{})
		began := time.Now()
		m, _ := w.magnet(e, c, MagnetSpec{Peers: []netip.AddrPort{at(1)}, Only: true})
		if err := m.WaitMetadata(t.Context()); err != nil {
			t.Fatal(err)
		}
		due := time.Duration(size) * time.Second / limit
		if took := time.Since(began); took < due*3/4 || took > due*3/2+2*time.Second {
			t.Errorf("%d bytes at %d a second took %v, due is %v", size, limit, took, due)
		}
	})
}
