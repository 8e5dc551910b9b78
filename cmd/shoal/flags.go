package main

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

// The flags' values check themselves, so that a mistake is told as one of usage,
// with the flag's name, before anything is done.

// pieceLengthFlag is a size that a piece may have.
type pieceLengthFlag struct{ sizeFlag }

func (p *pieceLengthFlag) Set(text string) error {
	if err := p.sizeFlag.Set(text); err != nil {
		return err
	}
	if n := int64(p.sizeFlag); n < 16<<10 || n > metainfo.MaxPieceLength || n&(n-1) != 0 {
		return errors.New("a piece has a power of two of bytes, from 16KiB to 512MiB")
	}
	return nil
}

// rateFlag is a number of bytes a second, such as 2048KiB or 1M; "/s" may follow.
type rateFlag struct{ sizeFlag }

func (r *rateFlag) Type() string { return "RATE" }

func (r *rateFlag) Set(text string) error {
	text = strings.TrimSpace(text)
	return r.sizeFlag.Set(strings.TrimSuffix(strings.TrimSuffix(text, "/s"), "/S"))
}

// listenFlag is an address to listen on. An empty host means all IPv4 addresses.
type listenFlag struct{ netip.AddrPort }

func (l *listenFlag) Type() string { return "ADDR:PORT" }

func (l *listenFlag) String() string {
	if !l.IsValid() {
		return ""
	}
	return l.AddrPort.String()
}

func (l *listenFlag) Set(text string) (err error) {
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

// listensFlag are the addresses to listen on.
type listensFlag []netip.AddrPort

func (l *listensFlag) Type() string { return "ADDR:PORT" }
func (l *listensFlag) Repeats()     {}

func (l *listensFlag) String() string {
	var texts []string
	for _, a := range *l {
		texts = append(texts, a.String())
	}
	return strings.Join(texts, ",")
}

func (l *listensFlag) Set(text string) error {
	a, err := parseListen(text)
	if err == nil {
		*l = append(*l, a)
	}
	return err
}

// first is the address named first; invalid when none was.
func (l listensFlag) first() netip.AddrPort {
	if len(l) == 0 {
		return netip.AddrPort{}
	}
	return l[0]
}

// rest are the others.
func (l listensFlag) rest() []netip.AddrPort {
	if len(l) == 0 {
		return nil
	}
	return l[1:]
}

// loopback reports whether all of them are on this machine.
func (l listensFlag) loopback() bool {
	return len(l) > 0 && !slices.ContainsFunc(l, func(a netip.AddrPort) bool { return !a.Addr().IsLoopback() })
}

// joined shows the values of a flag that was given several times.
func joined[T any](values []T) string {
	var all []string
	for _, v := range values {
		all = append(all, fmt.Sprint(v))
	}
	return strings.Join(all, ",")
}

// peersFlag collects the addresses of peers.
type peersFlag []netip.AddrPort

func (p *peersFlag) Type() string   { return "ADDR:PORT" }
func (p *peersFlag) String() string { return joined(*p) }

// Repeats says that the flag may be given several times.
func (p *peersFlag) Repeats() {}

func (p *peersFlag) Set(text string) error {
	a, err := netip.ParseAddrPort(text)
	if err != nil || a.Port() == 0 {
		return errors.New("write the peer's IP address and port, like 192.0.2.7:6881 or [2001:db8::7]:6881")
	}
	*p = append(*p, a)
	return nil
}

// hostsFlag collects HOST:PORT pairs.
type hostsFlag []string

func (h *hostsFlag) Type() string   { return "HOST:PORT" }
func (h *hostsFlag) String() string { return joined(*h) }

// Repeats says that the flag may be given several times.
func (h *hostsFlag) Repeats() {}

func (h *hostsFlag) Set(text string) error {
	if err := checkHostPort(text); err != nil {
		return err
	}
	*h = append(*h, text)
	return nil
}

func checkHostPort(text string) error {
	host, port, err := net.SplitHostPort(text)
	n, perr := strconv.ParseUint(port, 10, 16)
	if err != nil || perr != nil || n == 0 || host == "" || strings.ContainsAny(host, " /") {
		return errors.New("write a host and a port, like router.example:6881 or 192.0.2.7:6881")
	}
	return nil
}

// allocateFlag is how files come to be.
type allocateFlag string

func (a *allocateFlag) Type() string   { return "HOW" }
func (a *allocateFlag) String() string { return string(*a) }

func (a *allocateFlag) Set(text string) error {
	if text != "full" && text != "sparse" {
		return errors.New("write full or sparse")
	}
	*a = allocateFlag(text)
	return nil
}

// choiceFlag is one of some words; none is the first.
type choiceFlag struct {
	text    string
	choices []string
}

func (c *choiceFlag) Type() string   { return "HOW" }
func (c *choiceFlag) String() string { return c.text }

func (c *choiceFlag) Set(text string) error {
	if !slices.Contains(c.choices, text) {
		return fmt.Errorf("write %s", strings.Join(c.choices, " or "))
	}
	if c.text = text; text == c.choices[0] {
		c.text = ""
	}
	return nil
}

// urlsFlag collects the announce URLs of trackers.
type urlsFlag []string

func (u *urlsFlag) Type() string   { return "URL" }
func (u *urlsFlag) String() string { return joined(*u) }

// Repeats says that the flag may be given several times.
func (u *urlsFlag) Repeats() {}

func (u *urlsFlag) Set(text string) error {
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

// webSeedsFlag collects the URLs of web seeds.
type webSeedsFlag []string

func (w *webSeedsFlag) Type() string { return "URL" }

func (w *webSeedsFlag) String() string { return joined(*w) }

// Repeats says that the flag may be given several times.
func (w *webSeedsFlag) Repeats() {}

func (w *webSeedsFlag) Set(text string) error {
	if shoal.CheckWebSeed(text) != nil {
		return errors.New("write where the files are, like http://mirror.example/pub/ or https://mirror.example/debian.iso")
	}
	*w = append(*w, text)
	return nil
}

// isHostName reports whether text may be the name of a host: letters, digits, dots,
// hyphens.
func isHostName(text string) bool {
	for _, c := range []byte(text) {
		switch {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '.', c == '-', c == '_':
		default:
			return false
		}
	}
	return text != "" && len(text) <= 253
}
