package cmdline

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"shoal"
	"shoal/metainfo"
)

// The flags' values check themselves: a mistake is a usage error with the flag's name, before
// anything is done.

// PieceLengthFlag is a size that a piece may have.
type PieceLengthFlag struct{ SizeFlag }

func (p *PieceLengthFlag) Set(text string) error {
	if err := p.SizeFlag.Set(text); err != nil {
		return err
	}
	if n := int64(p.SizeFlag); n < 16<<10 || n > metainfo.MaxPieceLength || n&(n-1) != 0 {
		return errors.New("a piece has a power of two of bytes, from 16KiB to 512MiB")
	}
	return nil
}

// RateFlag is a number of bytes a second, such as 2048KiB or 1M; "/s" may follow.
type RateFlag struct{ SizeFlag }

func (r *RateFlag) Type() string { return "RATE" }

func (r *RateFlag) Set(text string) error {
	text = strings.TrimSpace(text)
	return r.SizeFlag.Set(strings.TrimSuffix(strings.TrimSuffix(text, "/s"), "/S"))
}

// UpRateFlag is a RateFlag, "auto" or "none". 0 means none, too.
type UpRateFlag struct {
	rate int64
	set  bool
}

func (r *UpRateFlag) Type() string { return "RATE" }

func (r *UpRateFlag) String() string {
	switch r.rate {
	case shoal.LimitAuto:
		return "auto"
	case shoal.LimitNone:
		return "none"
	}
	return strconv.FormatInt(r.rate, 10)
}

func (r *UpRateFlag) Set(text string) error {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "auto":
		r.rate = shoal.LimitAuto
	case "none":
		r.rate = shoal.LimitNone
	default:
		if rest := strings.TrimSpace(text); rest == "" || !strings.Contains("0123456789.", rest[:1]) {
			return fmt.Errorf("%q is not a rate; write auto, none, or a number like 512KiB or 1.5M", text)
		}
		var size RateFlag
		if err := size.Set(text); err != nil {
			return err
		}
		if r.rate = int64(size.SizeFlag); r.rate == 0 {
			r.rate = shoal.LimitNone
		}
	}
	r.set = true
	return nil
}

// Rate returns the value as in shoal.Limits.
func (r *UpRateFlag) Rate() int64 { return r.rate }

// IsSet reports whether the flag was given.
func (r *UpRateFlag) IsSet() bool { return r.set }

// ListenFlag is an address to listen on. An empty host means all IPv4 addresses.
type ListenFlag struct{ netip.AddrPort }

func (l *ListenFlag) Type() string { return "ADDR:PORT" }

func (l *ListenFlag) String() string {
	if !l.IsValid() {
		return ""
	}
	return l.AddrPort.String()
}

func (l *ListenFlag) Set(text string) (err error) {
	l.AddrPort, err = parseListen(text)
	return err
}

func parseListen(text string) (netip.AddrPort, error) {
	if strings.HasPrefix(text, ":") {
		text = "0.0.0.0" + text
	}
	a, err := netip.ParseAddrPort(text)
	if err != nil {
		return a, errors.New("write an IP address and a port, like 0.0.0.0:6881, 127.0.0.1:0 or [::]:6881")
	}
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()), nil
}

// ListensFlag are the addresses to listen on.
type ListensFlag []netip.AddrPort

func (l *ListensFlag) Type() string { return "ADDR:PORT" }
func (l *ListensFlag) Repeats()     {}

func (l *ListensFlag) String() string {
	var texts []string
	for _, a := range *l {
		texts = append(texts, a.String())
	}
	return strings.Join(texts, ",")
}

func (l *ListensFlag) Set(text string) error {
	a, err := parseListen(text)
	if err == nil {
		*l = append(*l, a)
	}
	return err
}

// First is the address named first; invalid when none was.
func (l ListensFlag) First() netip.AddrPort {
	if len(l) == 0 {
		return netip.AddrPort{}
	}
	return l[0]
}

// Rest are the others.
func (l ListensFlag) Rest() []netip.AddrPort {
	if len(l) == 0 {
		return nil
	}
	return l[1:]
}

// Loopback reports whether all of them are on this machine.
func (l ListensFlag) Loopback() bool {
	return len(l) > 0 && !slices.ContainsFunc(l, func(a netip.AddrPort) bool { return !a.Addr().IsLoopback() })
}

// Joined shows the values of a flag that was given several times.
func Joined[T any](values []T) string {
	var all []string
	for _, v := range values {
		all = append(all, fmt.Sprint(v))
	}
	return strings.Join(all, ",")
}

// PeersFlag collects the addresses of peers.
type PeersFlag []netip.AddrPort

func (p *PeersFlag) Type() string   { return "ADDR:PORT" }
func (p *PeersFlag) String() string { return Joined(*p) }

// Repeats says that the flag may be given several times.
func (p *PeersFlag) Repeats() {}

func (p *PeersFlag) Set(text string) error {
	a, err := netip.ParseAddrPort(text)
	if err != nil || a.Port() == 0 {
		return errors.New("write the peer's IP address and port, like 192.0.2.7:6881 or [2001:db8::7]:6881")
	}
	*p = append(*p, a)
	return nil
}

// HostsFlag collects HOST:PORT pairs.
type HostsFlag []string

func (h *HostsFlag) Type() string   { return "HOST:PORT" }
func (h *HostsFlag) String() string { return Joined(*h) }

// Repeats says that the flag may be given several times.
func (h *HostsFlag) Repeats() {}

func (h *HostsFlag) Set(text string) error {
	if err := CheckHostPort(text); err != nil {
		return err
	}
	*h = append(*h, text)
	return nil
}

func CheckHostPort(text string) error {
	host, port, err := net.SplitHostPort(text)
	n, perr := strconv.ParseUint(port, 10, 16)
	if err != nil || perr != nil || n == 0 || host == "" || strings.ContainsAny(host, " /") {
		return errors.New("write a host and a port, like router.example:6881 or 192.0.2.7:6881")
	}
	return nil
}

// AllocateFlag is how files are created: full or sparse.
type AllocateFlag string

func (a *AllocateFlag) Type() string   { return "HOW" }
func (a *AllocateFlag) String() string { return string(*a) }

func (a *AllocateFlag) Set(text string) error {
	if text != "full" && text != "sparse" {
		return errors.New("write full or sparse")
	}
	*a = AllocateFlag(text)
	return nil
}

// ChoiceFlag is one of some words; none is the first.
type ChoiceFlag struct {
	Text    string
	Choices []string
}

func (c *ChoiceFlag) Type() string   { return "HOW" }
func (c *ChoiceFlag) String() string { return c.Text }

func (c *ChoiceFlag) Set(text string) error {
	if !slices.Contains(c.Choices, text) {
		return fmt.Errorf("write %s", strings.Join(c.Choices, " or "))
	}
	if c.Text = text; text == c.Choices[0] {
		c.Text = ""
	}
	return nil
}

// URLsFlag collects the announce URLs of trackers.
type URLsFlag []string

func (u *URLsFlag) Type() string   { return "URL" }
func (u *URLsFlag) String() string { return Joined(*u) }

// Repeats says that the flag may be given several times.
func (u *URLsFlag) Repeats() {}

func (u *URLsFlag) Set(text string) error {
	v, err := url.Parse(text)
	if err != nil || v.Host == "" {
		return errors.New("write the announce URL, like http://tracker.example/announce")
	}
	switch v.Scheme {
	case "http", "https", "udp":
	default:
		return fmt.Errorf("a tracker is reached by http, https or udp, not by %q", v.Scheme)
	}
	*u = append(*u, text)
	return nil
}

// WebSeedsFlag collects the URLs of web seeds.
type WebSeedsFlag []string

func (w *WebSeedsFlag) Type() string { return "URL" }

func (w *WebSeedsFlag) String() string { return Joined(*w) }

// Repeats says that the flag may be given several times.
func (w *WebSeedsFlag) Repeats() {}

func (w *WebSeedsFlag) Set(text string) error {
	if shoal.CheckWebSeed(text) != nil {
		return errors.New("write where the files are, like http://mirror.example/pub/ or https://mirror.example/debian.iso")
	}
	*w = append(*w, text)
	return nil
}

// IsHostName reports whether text may be the name of a host: letters, digits, dots,
// hyphens.
func IsHostName(text string) bool {
	for _, c := range []byte(text) {
		switch {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '.', c == '-', c == '_':
		default:
			return false
		}
	}
	return text != "" && len(text) <= 253
}
