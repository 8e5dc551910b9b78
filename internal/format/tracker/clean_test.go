package tracker

import (
	"encoding/hex"
	"strings"
	"testing"
)

func TestCleanURL(t *testing.T) {
	for raw, want := range map[string]string{
		"http://t.example/announce":                        "http://t.example/announce",
		" http://t.example/announce\r\n":                   "http://t.example/announce",
		"\"http://t.example/announce\"":                    "http://t.example/announce",
		"<http://t.example/announce>":                      "http://t.example/announce",
		"“http://t.example/announce”":                      "http://t.example/announce",
		"http://t.example/\r\nannounce":                    "http://t.example/announce",
		`HTTP:\\T.example\announce?a\b`:                    `HTTP://T.example/announce?a\b`,
		"http:/t.example/announce":                         "http://t.example/announce",
		"http:///t.example/announce":                       "http://t.example/announce",
		"udp://t.example:80":                               "udp://t.example:80",
		"UDP:\\\\t.example:80/announce":                    "UDP://t.example:80/announce",
		"http://t.example/announce?passkey=a b%20c":        "http://t.example/announce?passkey=a%20b%20c",
		"http://t.example /announce":                       "http://t.example/announce",
		"http://träcker.example:80/announce":               "http://xn--trcker-cua.example:80/announce",
		"http://me:pässword@Träcker.example/announce?x=ü#": "http://me:pässword@xn--trcker-cua.example/announce?x=ü#",
		"http://трекер.рф/announce":                        "http://xn--e1aaowdh.xn--p1ai/announce",
		"http://[2001:db8::1]:80/announce":                 "http://[2001:db8::1]:80/announce",
		"http://t.example.:80/announce":                    "http://t.example.:80/announce",
		"wss://t.example/announce":                         "wss://t.example/announce",
		"t.example:80/announce":                            "t.example:80/announce",
		"http:announce":                                    "http:announce",
		"":                                                 "",
		"http://t.example/\xe4\xff?k=\xfc":                 "http://t.example/\xe4\xff?k=\xfc",
	} {
		if got := CleanURL(raw); got != want {
			t.Errorf("%q: %q, want %q", raw, got, want)
		}
	}
}

// A clean URL stays as it is, and none gets a line break.
func FuzzCleanURL(f *testing.F) {
	f.Add(" HTTP:\\\\träcker.example:80\\a b?c d#e ")
	f.Add("udp:///[::1]:1")
	f.Fuzz(func(t *testing.T, raw string) {
		s := CleanURL(raw)
		if strings.ContainsAny(s, " \r\n\t") {
			t.Fatalf("%q: %q", raw, s)
		}
		if again := CleanURL(s); again != s {
			t.Fatalf("%q: %q, then %q", raw, s, again)
		}
	})
}

// Words that were written for a browser are shown without its tags; brackets of other kinds stay.
func TestSpoken(t *testing.T) {
	for in, want := range map[string]string{
		"go away":                                     "go away",
		"<b>go</b><br/>away&nbsp;&amp;\tstay":         "go away & stay",
		"<!DOCTYPE html><html><body>no</body></html>": "no",
		"<a href=\"https://x.example/\">rules</a>":    "rules",
		"unknown <passkey>":                           "unknown <passkey>",
		"port < 1024, or > 65000":                     "port < 1024, or > 65000",
		"a<b":                                         "a<b",
		"<":                                           "<",
		"<BR>x<Font color=red>y":                      "x y",
		"&lt;b&gt;":                                   "<b>",
		"it&#39;s &#27;[31mred":                       "it's &#27;[31mred",
		"\x1b[31m<b>red</b>":                          "[31m red",
		"<" + strings.Repeat("x", 5000):               "<" + strings.Repeat("x", maxText-1) + "…",
	} {
		if got := spoken([]byte(in)); got != want {
			t.Errorf("%.60q: %q, want %q", in, got, want)
		}
	}
}

// A list of whole IPv4 peers over IPv6 is read as such where it can't be one of IPv6 peers.
func TestOnlyIPv4(t *testing.T) {
	for _, c := range []struct {
		hex  string
		want bool
	}{
		{"", false},
		{"010203041ae1", true},
		{"010203041ae1010203051ae1", true},
		{"010203041ae1010203051ae1010203061ae1010203071ae1", true},
		{"010203041ae1010203051ae1010203061ae1", false},             // may be one of IPv6
		{"20010db80000000000000000000000091ae120010db80000", false}, // one of IPv6 that was cut
		{"fd0000000000000000000000000000091ae1fd0000000000", false}, // the same, of a local network
		{"00000000000000000000ffff010203041ae1000000000000", false}, // IPv4 in IPv6 form, cut
		{"010203041ae10102", false},                                 // cut
		{"fe8000000000000000000000000000091ae1fe8000000000", false}, // link-local
		{"000000000000000000000000000000011ae1000000000000", false}, // loopback
	} {
		b, err := hex.DecodeString(c.hex)
		if err != nil {
			t.Fatal(err)
		}
		if got := only4(b); got != c.want {
			t.Errorf("%s: %v", c.hex, got)
		}
	}
}
