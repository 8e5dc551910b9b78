package wire

import (
	"fmt"
	"net/netip"

	"shoal/bencode"
)

// Extensions is what a peer says in the handshake of the extension protocol
// (BEP 10). Keys that are absent or of a wrong type are zero.
type Extensions struct {
	Client     string     // "v": name and version, the peer's bytes; printers clean them
	Reqq       uint32     // "reqq": how many requests it keeps for us; 0 when not said
	Port       uint16     // "p": the port it listens on; 0 when not said
	YourIP     netip.Addr // "yourip": our address as it sees us; one vote, never truth
	UploadOnly bool       // "upload_only" (BEP 21): it wants nothing
	MetaBytes  int64      // "metadata_size" (BEP 9); 0 when not said
}

// maxClient bounds the client name that is kept of a peer.
const maxClient = 64

// maxReqq bounds what a peer may claim to keep: far more than is ever asked.
const maxReqq = 1 << 16

// ParseExtensions reads the dictionary of an extension handshake. Bytes after
// the dictionary are ignored, as deployed clients do.
func ParseExtensions(body []byte) (Extensions, error) {
	var e Extensions
	err := e.Update(body)
	return e, err
}

// Update reads a further extension handshake of the same peer. It adds to what
// was said before (BEP 10): keys that are absent or unusable change nothing. A
// dictionary that does not parse changes nothing either, and is an error.
func (e *Extensions) Update(body []byte) error {
	v, _, err := bencode.Options{Lenient: true, MaxDepth: 8, MaxTokens: 1024}.ParsePrefix(body)
	if err != nil {
		return fmt.Errorf("extension handshake: %w", err)
	}
	if s, ok := v.Get("v").Bytes(); ok {
		e.Client = string(s[:min(len(s), maxClient)])
	}
	if n, ok := v.Get("reqq").Int(); ok && n > 0 {
		e.Reqq = uint32(min(n, maxReqq))
	}
	if n, ok := v.Get("p").Int(); ok && n > 0 && n <= 65535 {
		e.Port = uint16(n)
	}
	if s, ok := v.Get("yourip").Bytes(); ok {
		if a, ok := netip.AddrFromSlice(s); ok {
			e.YourIP = a.Unmap()
		}
	}
	if n, ok := v.Get("upload_only").Int(); ok {
		e.UploadOnly = n != 0
	}
	if n, ok := v.Get("metadata_size").Int(); ok && n > 0 {
		e.MetaBytes = n
	}
	return nil
}

// AppendExtensions appends an extension handshake as a whole message. The
// dictionary m is empty: it says that no extension message is understood.
func AppendExtensions(b []byte, e Extensions) []byte {
	// It is said in both cases, so that a later handshake can take it back.
	uploadOnly := int64(0)
	if e.UploadOnly {
		uploadOnly = 1
	}
	var buf [256]byte
	w := bencode.NewWriter(buf[:0])
	w.BeginDict()
	w.Key("m")
	w.BeginDict()
	w.End()
	if e.Port != 0 {
		w.Key("p")
		w.Int(int64(e.Port))
	}
	w.Key("reqq")
	w.Int(int64(e.Reqq))
	w.Key("upload_only")
	w.Int(uploadOnly)
	w.Key("v")
	w.String(e.Client)
	if e.YourIP.IsValid() {
		w.Key("yourip")
		w.Bytes(e.YourIP.AsSlice())
	}
	w.End()
	return AppendExtended(b, 0, w.Finish())
}
