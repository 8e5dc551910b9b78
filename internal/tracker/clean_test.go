package tracker

import (
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
