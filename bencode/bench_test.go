package bencode

import (
	"strings"
	"testing"
)

func BenchmarkParsePing(b *testing.B) {
	in := []byte("d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe")
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParsePeers(b *testing.B) {
	in := []byte("d1:rd2:id20:abcdefghij01234567895:token8:aoeusnth6:valuesl" +
		strings.Repeat("6:axje.u", 50) + "ee1:t2:aa1:y1:re")
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseFiles(b *testing.B) {
	in := []byte("l" + strings.Repeat("d6:lengthi12345e4:pathl6:folder8:file.binee", 100_000) + "e")
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWritePing(b *testing.B) {
	buf := make([]byte, 0, 128)
	b.ReportAllocs()
	for b.Loop() {
		buf = writePing(buf[:0])
	}
}
