package lsd

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"shoal/internal/golden"
	"shoal/internal/testkit"
	"shoal/internal/value/infohash"
	"shoal/internal/value/mono"
)

func TestVectors(t *testing.T) {
	var file struct {
		Vectors []struct {
			ID       string
			Datagram string `json:"datagram_hex"`
			Expected struct {
				Port   uint16
				Hashes []string `json:"info_hashes"`
				Cookie string
				Drop   bool
			}
		}
	}
	testkit.Vectors(t, "lsd.json", &file)
	if len(file.Vectors) != 5 {
		t.Fatalf("%d vectors, want 5", len(file.Vectors))
	}
	for _, v := range file.Vectors {
		raw, _ := hex.DecodeString(v.Datagram)
		m, err := Parse(raw)
		if (err != nil) != v.Expected.Drop {
			t.Errorf("%s: %v", v.ID, err)
			continue
		}
		var hashes []string
		for _, h := range m.Hashes {
			hashes = append(hashes, h.String())
		}
		if err == nil && (m.Port != v.Expected.Port || m.Cookie != v.Expected.Cookie || !slices.Equal(hashes, v.Expected.Hashes)) {
			t.Errorf("%s: %+v", v.ID, m)
		}
		for id, group := range map[string]netip.AddrPort{"v4": Group4, "v6": Group6} {
			if got := Append(nil, group, m); v.ID == id && string(got) != string(raw) {
				t.Errorf("%s:\n got %q\nwant %q", v.ID, got, raw)
			}
		}
	}
}

func TestParse(t *testing.T) {
	hash := strings.Repeat("ab", 20)
	head := "BT-SEARCH * HTTP/1.1\r\nHost: x\r\n"
	for text, want := range map[string]int{ // info-hashes; 0 means that it is no announce
		head + "Port: 1\r\nInfohash: " + hash + "\r\n\r\n":                                              1,
		head + "Port:1\r\nInfohash:" + hash + "\r\n\r\nanything":                                        1,
		head + "Port: 1\r\nInfohash: " + hash + "\r\nInfohash: " + hash + "\r\n\r\n":                    2,
		head + "Port: 1\r\nInfohash: 1220" + hash + hash + "\r\nInfohash: " + hash + "\r\n\r\n":         1,
		head + "Port: 1\r\n" + strings.Repeat("Infohash: "+hash+"\r\n", 25) + "\r\n":                    MaxHashes,
		head + "Port: 1\r\nInfohash: " + hash + "\r\ncookie: " + strings.Repeat("c", 65) + "\r\n\r\n":   1,
		head + "Port: 65536\r\nInfohash: " + hash + "\r\n\r\n":                                          0,
		head + "Port: -1\r\nInfohash: " + hash + "\r\n\r\n":                                             0,
		head + "Infohash: " + hash + "\r\n\r\n":                                                         0,
		head + "Port: 1\r\n\r\n":                                                                        0,
		head + "Port: 1\r\nInfohash: " + strings.Repeat("xy", 20) + "\r\n\r\n":                          0,
		head + "Port: 1\r\nInfohash: " + hash:                                                           0,
		head + "Port: 1\r\nInfohash: " + hash + "\r\n":                                                  0,
		head + "Port: 1\r\nno header\r\nInfohash: " + hash + "\r\n\r\n":                                 0,
		"BT-SEARCH * HTTP/1.0\r\nPort: 1\r\nInfohash: " + hash + "\r\n\r\n":                             0,
		head + "Port: 1\r\nInfohash: " + hash + "\r\nx: " + strings.Repeat("y", MaxPacket) + "\r\n\r\n": 0,
		"": 0,
	} {
		m, err := Parse([]byte(text))
		if err != nil && want > 0 || err == nil && len(m.Hashes) != want || len(m.Cookie) > maxCookie {
			t.Errorf("%.120q: %d info-hashes, %v; want %d", text, len(m.Hashes), err, want)
		}
	}
}

// The largest announce of ours is not fragmented.
func TestLargest(t *testing.T) {
	m := Message{Port: 65535, Cookie: strings.Repeat("c", 20), Hashes: make([]infohash.Hash, MaxHashes)}
	if n := len(Append(nil, Group6, m)); n > MaxPacket {
		t.Errorf("%d bytes", n)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("BT-SEARCH * HTTP/1.1\r\nHost: 239.192.152.143:6771\r\nPort: 6881\r\nInfohash: ef40c46a39703918e1feab6217edd12114e21f82\r\ncookie: ab12\r\n\r\n\r\n"))
	f.Add([]byte("BT-SEARCH * HTTP/1.1\r\nport:1\r\ninfohash:EF40C46A39703918E1FEAB6217EDD12114E21F82\r\n\r\n"))
	f.Add([]byte("M-SEARCH * HTTP/1.1\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(b)
		if err != nil {
			return
		}
		if m.Port == 0 || len(m.Hashes) == 0 || len(m.Hashes) > MaxHashes || len(m.Cookie) > maxCookie {
			t.Fatalf("%+v", m)
		}
		again, err := Parse(Append(nil, Group4, m))
		if err != nil || again.Port != m.Port || !slices.Equal(again.Hashes, m.Hashes) {
			t.Fatalf("read again: %+v, %v; was %+v", again, err, m)
		}
	})
}

func TestNear(t *testing.T) {
	links := []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("2001:db8:7::/64")}
	for a, want := range map[string]bool{
		"192.168.1.2": true, "10.1.2.3": true, "169.254.3.4": true, "fe80::1%eth0": true, "fd00::1": true,
		"::ffff:192.168.1.2": true, "198.51.100.9": true, "2001:db8:7::9": true,
		"198.51.101.9": false, "2001:db8:8::9": false, "203.0.113.1": false, "127.0.0.1": false, "::1": false,
		"239.1.1.1": false, "0.0.0.0": false, "100.64.1.1": false,
	} {
		if got := Near(netip.MustParseAddr(a), links); got != want {
			t.Errorf("%s is near: %v, want %v", a, got, want)
		}
	}
	if Near(netip.Addr{}, links) || !Near(netip.MustParseAddr("127.0.0.1"), []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}) {
		t.Error("nowhere is near, or the loopback is not on the loopback")
	}
}

// TestScripts plays testdata/*.txt. A torrent is a letter. Commands:
//
//	add A..., remove A, many N         torrents; many adds N others
//	wait 5m                            time passes, with a Tick whenever one is due
//	ADDR says A... [cookie=x] [port=N] a datagram from there
//	stats
func TestScripts(t *testing.T) {
	golden.Run(t, "testdata/*.txt", func(t *testing.T) func(string) string {
		return (&script{t: t, now: mono.Start, m: New("ours")}).command
	})
}

type script struct {
	t   *testing.T
	now mono.Time
	m   *Machine
}

func hashOf(name string) (h infohash.Hash) {
	copy(h[:], name)
	return h
}

func (s *script) command(line string) string {
	w := strings.Fields(line)
	switch w[0] {
	case "add":
		for _, name := range w[1:] {
			s.m.Add(s.now, hashOf(name))
		}
	case "many":
		n, _ := strconv.Atoi(w[1])
		for i := range n {
			s.m.Add(s.now, hashOf(fmt.Sprintf("m%d", i)))
		}
	case "remove":
		s.m.Remove(hashOf(w[1]))
	case "wait":
		return s.wait(w[1])
	case "stats":
		return fmt.Sprintf("%+v", s.m.Stats())
	default:
		if len(w) < 2 || w[1] != "says" {
			s.t.Fatalf("what is %q?", line)
		}
		return s.says(w)
	}
	return ""
}

func (s *script) wait(text string) string {
	d, err := time.ParseDuration(text)
	if err != nil {
		s.t.Fatal(err)
	}
	var out strings.Builder
	sent, hashes := 0, 0
	for until := s.now.Add(d); ; {
		at := s.m.Deadline()
		if at > until {
			s.now = until
			break
		}
		s.now = max(at, s.now)
		m, ok := s.m.Tick(s.now)
		if !ok {
			s.t.Fatal("nothing at the deadline")
		}
		if sent++; sent <= 4 {
			fmt.Fprintf(&out, "%8.1f announce", s.now.Seconds())
			for _, h := range m.Hashes {
				if name := strings.TrimRight(string(h[:]), "\x00"); len(name) == 1 {
					out.WriteString(" " + name)
				}
			}
			fmt.Fprintf(&out, " (%d)\n", len(m.Hashes))
		}
		hashes += len(m.Hashes)
	}
	if sent > 4 {
		fmt.Fprintf(&out, "%d announces in all, of %d torrents\n", sent, hashes)
	}
	return out.String()
}

func (s *script) says(w []string) string {
	m := Message{Port: 6881}
	times := 1
	for _, x := range w[2:] {
		if v, ok := strings.CutPrefix(x, "cookie="); ok {
			m.Cookie = v
		} else if v, ok := strings.CutPrefix(x, "port="); ok {
			port, _ := strconv.ParseUint(v, 10, 16)
			m.Port = uint16(port)
		} else if v, ok := strings.CutPrefix(x, "times="); ok {
			times, _ = strconv.Atoi(v)
		} else {
			m.Hashes = append(m.Hashes, hashOf(x))
		}
	}
	links := []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}
	heard := 0
	var last string
	for range times {
		peer, ours := s.m.Datagram(s.now, netip.AddrPortFrom(netip.MustParseAddr(w[0]), 6771), links, Append(nil, Group4, m))
		if len(ours) > 0 {
			heard++
			last = peer.String() + " shares"
			for _, h := range ours {
				last += " " + strings.TrimRight(string(h[:]), "\x00")
			}
		}
	}
	if times > 1 {
		return fmt.Sprintf("heard %d times", heard)
	}
	return last
}

// However torrents come and go, each that stays is announced at least every six minutes,
// and announces keep their distance.
func TestEveryoneHasATurn(t *testing.T) {
	m := New("x")
	now := mono.Start
	seen := map[infohash.Hash]mono.Time{}
	added := map[infohash.Hash]mono.Time{}
	last := mono.Time(0)
	for i := range 3000 {
		h := hashOf(fmt.Sprintf("m%d", i))
		m.Add(now, h)
		added[h] = now
	}
	for range 2000 {
		now = max(now, m.Deadline())
		msg, ok := m.Tick(now)
		if !ok || len(msg.Hashes) > MaxHashes || last != 0 && now.Sub(last) < gap {
			t.Fatalf("%d torrents, %v after the last", len(msg.Hashes), now.Sub(last))
		}
		last = now
		for _, h := range msg.Hashes {
			seen[h] = now
		}
	}
	for h, at := range added {
		if now.Sub(max(at, seen[h])) > announceEvery+time.Minute {
			t.Fatalf("%s was not announced for %v", h, now.Sub(seen[h]))
		}
	}
	for h := range added {
		m.Remove(h)
	}
	if at := m.Deadline(); at != mono.Never {
		t.Errorf("something is due at %v", at)
	}
}
