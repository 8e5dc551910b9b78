package wire

import (
	"fmt"
	"net/netip"

	"shoal/bencode"
)

// Extension is one message of the extension protocol (BEP 10) that we understand. Its number
// is also the id that we announce for it: an incoming message with that id is of this kind.
// An outgoing message carries the id that the receiver announced, see Extensions.IDs. The two
// ids differ, so they have two types.
type Extension uint8

// Values of Extension.
const (
	UTMetadata Extension = 1 + iota // BEP 9
	UTPex                           // BEP 11
	DontHave                        // BEP 54
	Holepunch                       // BEP 55
	UploadOnly                      // BEP 21, as a message

	numExtensions
)

// extensionNames are the keys of the dictionary m, by Extension.
var extensionNames = [numExtensions]string{
	UTMetadata: "ut_metadata", UTPex: "ut_pex", DontHave: "lt_donthave", Holepunch: "ut_holepunch", UploadOnly: "upload_only",
}

// sortedExtensions are all extensions in the order of their names.
var sortedExtensions = [...]Extension{DontHave, UploadOnly, Holepunch, UTMetadata, UTPex}

// String returns the name of the extension in handshakes.
func (x Extension) String() string {
	if x > 0 && x < numExtensions {
		return extensionNames[x]
	}
	return fmt.Sprintf("unknown extension (%d)", uint8(x))
}

// Arrived returns the extension of an incoming extended message, by the id that we announce
// for it. It returns false for an id that is not ours, and for 0, the handshake.
func Arrived(id uint8) (Extension, bool) {
	return Extension(id), id > 0 && id < uint8(numExtensions)
}

// IDs are the ids that one side has announced, by Extension; 0: it does not speak the
// extension. Messages to that side carry them.
type IDs [numExtensions]uint8

// Speaks reports whether the side that announced the ids takes x.
func (ids IDs) Speaks(x Extension) bool { return ids[x] != 0 }

// OurIDs returns the ids that we announce for some extensions.
func OurIDs(xs ...Extension) (ids IDs) {
	for _, x := range xs {
		ids[x] = uint8(x)
	}
	return ids
}

// Extensions is the contents of a handshake of the extension protocol (BEP 10). Keys that are
// absent or of a wrong type are zero.
type Extensions struct {
	IDs        IDs        // "m"
	Client     string     // "v": name and version as sent; printers clean them
	Reqq       uint32     // "reqq": number of requests that the peer keeps for us; 0: absent
	Port       uint16     // "p": port on which the peer listens; 0: absent
	YourIP     netip.Addr // "yourip": our address as the peer sees it; one vote, never a proof
	UploadOnly bool       // "upload_only" (BEP 21): the peer wants nothing
	MetaBytes  int64      // "metadata_size" (BEP 9); 0: absent
}

// maxClient bounds the client name that we keep, in bytes.
const maxClient = 64

// maxReqq bounds reqq: far more than we ever request.
const maxReqq = 1 << 16

// Update reads the dictionary of an extension handshake. A further one of the same peer adds to
// the earlier ones (BEP 10): keys that are absent or unusable change nothing, and the id 0 switches
// an extension off. A dictionary that does not parse changes nothing either, and is an error. Bytes
// after the dictionary are ignored, as deployed clients do.
func (e *Extensions) Update(body []byte) error {
	v, _, err := bencode.Options{Lenient: true, MaxDepth: 8, MaxTokens: 1024}.ParsePrefix(body)
	if err != nil {
		return fmt.Errorf("extension handshake: %w", err)
	}
	m := v.Get("m")
	for _, x := range sortedExtensions {
		if n, ok := m.Get(extensionNames[x]).Int(); ok && n >= 0 && n <= 255 {
			e.IDs[x] = uint8(n)
		}
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

// AppendExtensions appends an extension handshake as a whole message. IDs are ours, see
// OurIDs.
func AppendExtensions(b []byte, e Extensions) []byte {
	// upload_only is sent in both cases, so that a later handshake can take it back.
	uploadOnly := int64(0)
	if e.UploadOnly {
		uploadOnly = 1
	}
	var buf [256]byte
	w := bencode.NewWriter(buf[:0])
	w.BeginDict()
	w.Key("m")
	w.BeginDict()
	for _, x := range sortedExtensions {
		if e.IDs.Speaks(x) {
			w.Key(extensionNames[x])
			w.Int(int64(e.IDs[x]))
		}
	}
	w.End()
	if e.MetaBytes > 0 {
		w.Key("metadata_size")
		w.Int(e.MetaBytes)
	}
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
