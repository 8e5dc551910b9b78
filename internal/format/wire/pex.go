package wire

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"shoal/bencode"
)

// Flags of a peer in a ut_pex message (BEP 11).
const (
	PexEncryption  = 0x01 // prefers encryption
	PexSeed        = 0x02 // wants nothing
	PexUTP         = 0x04 // speaks uTP
	PexHolepunch   = 0x08 // speaks ut_holepunch
	PexConnectable = 0x10 // was dialled, so it is connectable
)

// PexPeer is a peer to which another is connected.
type PexPeer struct {
	Addr  netip.AddrPort
	Flags uint8
}

// Pex is one ut_pex message (BEP 11): what has changed since the one before it.
type Pex struct {
	Added   []PexPeer
	Dropped []netip.AddrPort
}

// MaxPexPeers bounds the peers that we read from one message, added and dropped each. BEP 11
// allows at most 50 of each; deployed clients send up to 100, and more in the first message.
const MaxPexPeers = 200

// ParsePex reads a ut_pex message. Peers of both families are together, in their order, IPv4
// first; it omits those beyond MaxPexPeers. Flags that are not exactly one for each peer are
// ignored. The error is ErrExtension.
func ParsePex(body []byte) (Pex, error) {
	v, _, err := bencode.Options{Lenient: true, MaxDepth: 4, MaxTokens: 64}.ParsePrefix(body)
	if err != nil {
		return Pex{}, fmt.Errorf("%w: ut_pex: %w", ErrExtension, err)
	}
	var m Pex
	for _, f := range [...]struct {
		added, flags, dropped string
		size                  int
	}{{"added", "added.f", "dropped", 6}, {"added6", "added6.f", "dropped6", 18}} {
		added, _ := v.Get(f.added).Bytes()
		flags, _ := v.Get(f.flags).Bytes()
		dropped, _ := v.Get(f.dropped).Bytes()
		if len(added)%f.size != 0 || len(dropped)%f.size != 0 {
			return Pex{}, fmt.Errorf("%w: ut_pex with a cut address", ErrExtension)
		}
		if len(flags) != len(added)/f.size {
			flags = nil
		}
		for i := 0; i*f.size < len(added) && len(m.Added) < MaxPexPeers; i++ {
			p := PexPeer{Addr: compactAddr(added[i*f.size : (i+1)*f.size])}
			if flags != nil {
				p.Flags = flags[i]
			}
			m.Added = append(m.Added, p)
		}
		for ; len(dropped) > 0 && len(m.Dropped) < MaxPexPeers; dropped = dropped[f.size:] {
			m.Dropped = append(m.Dropped, compactAddr(dropped[:f.size]))
		}
	}
	return m, nil
}

// AppendPex appends a ut_pex message. id is the one that the receiver announced.
func AppendPex(b []byte, id uint8, m Pex) []byte {
	var added, flags, dropped [2][]byte // IPv4, IPv6
	for _, p := range m.Added {
		f := family(p.Addr)
		added[f] = appendCompact(added[f], p.Addr)
		flags[f] = append(flags[f], p.Flags)
	}
	for _, a := range m.Dropped {
		dropped[family(a)] = appendCompact(dropped[family(a)], a)
	}
	at := len(b)
	b = append(b, 0, 0, 0, 0, byte(Extended), id)
	w := bencode.NewWriter(b)
	w.BeginDict()
	for _, e := range [...]struct {
		key   string
		value []byte
		six   bool
	}{
		{"added", added[0], false},
		{"added.f", flags[0], false},
		{"added6", added[1], true},
		{"added6.f", flags[1], true},
		{"dropped", dropped[0], false},
		{"dropped6", dropped[1], true},
	} {
		if !e.six || len(added[1])+len(dropped[1]) > 0 {
			w.Key(e.key)
			w.Bytes(e.value)
		}
	}
	w.End()
	b = w.Finish()
	binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	return b
}

func family(a netip.AddrPort) int {
	if a.Addr().Unmap().Is4() {
		return 0
	}
	return 1
}

// compactAddr reads an address of 4 or 16 bytes, and a port of 2.
func compactAddr(b []byte) netip.AddrPort {
	n := len(b) - 2
	ip, _ := netip.AddrFromSlice(b[:n])
	return netip.AddrPortFrom(ip.Unmap(), binary.BigEndian.Uint16(b[n:]))
}

func appendCompact(b []byte, a netip.AddrPort) []byte {
	b = append(b, a.Addr().Unmap().AsSlice()...)
	return binary.BigEndian.AppendUint16(b, a.Port())
}
