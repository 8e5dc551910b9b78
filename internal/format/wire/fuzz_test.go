package wire

import (
	"errors"
	"testing"
)

// Whatever bytes come as a message, it is refused with one of the three errors
// or read; what is read, and is ours, is written back byte for byte.
func FuzzParse(f *testing.F) {
	f.Fuzz(func(t *testing.T, pieces uint32, body []byte) {
		pieces %= 1 << 16
		b := append([]byte{0, 0, byte(len(body) >> 8), byte(len(body))}, body...)
		if len(body) > 1<<16-1 {
			return
		}
		m, err := read(b, pieces)
		if err != nil {
			if !errors.Is(err, ErrLength) && !errors.Is(err, ErrTooLong) {
				t.Fatalf("another error: %v", err)
			}
			return
		}
		if again := reencode(m, pieces); again != nil && string(again) != string(b[:len(again)]) {
			t.Fatalf("read %x as %+v, written as %x", b, m, again)
		}
	})
}

// A handshake is refused or written back byte for byte, its client's name is
// printable, and no prefix of it was refused before.
func FuzzHandshake(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := ParseHandshake(b)
		for _, c := range ClientName(h.PeerID) {
			if c < ' ' || c > '~' {
				t.Fatalf("%x is named %q", h.PeerID, ClientName(h.PeerID))
			}
		}
		if err != nil {
			if !errors.Is(err, ErrProtocol) {
				t.Fatal(err)
			}
			return
		}
		for n := range len(b) {
			if !CouldBeHandshake(b[:n]) {
				t.Fatalf("refused after %d bytes", n)
			}
		}
		if again := AppendHandshake(nil, h); len(b) >= HandshakeLen && string(again) != string(b[:HandshakeLen]) {
			t.Fatalf("written as %x", again)
		}
	})
}

// Whatever an extension handshake says, its numbers keep their bounds, and what
// we can say ourselves comes back the same.
func FuzzExtensions(f *testing.F) {
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := parseExtensions(body)
		if err != nil {
			if e != (Extensions{}) {
				t.Fatalf("%v, and %+v", err, e)
			}
			return
		}
		if len(e.Client) > maxClient || e.Reqq > maxReqq || e.MetaBytes < 0 || e.YourIP.Is4In6() {
			t.Fatalf("out of bounds: %+v", e)
		}
		ours := Extensions{IDs: e.IDs, MetaBytes: e.MetaBytes, Client: e.Client, Reqq: e.Reqq, Port: e.Port, UploadOnly: e.UploadOnly, YourIP: e.YourIP}
		m, err := read(AppendExtensions(nil, ours), 0)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := parseExtensions(m.Body); err != nil || again != ours {
			t.Fatalf("written %+v, read again %+v: %v", ours, again, err)
		}
	})
}
