package redact

import (
	"net/url"
	"strings"
	"testing"
)

func TestText(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{"no secret here: 3 of 4", "no secret here: 3 of 4"},
		{"http://tracker.example:6969/announce", "http://tracker.example:6969/announce"},
		{"udp://tracker.example:6969", "udp://tracker.example:6969"},
		{"http://bttracker.debian.org:6969/announce", "http://bttracker.debian.org:6969/announce"},
		{"https://torrent.ubuntu.com/announce", "https://torrent.ubuntu.com/announce"},
		{"http://tracker.example/bittorrent/announce.php", "http://tracker.example/bittorrent/announce.php"},

		// Parameters that name a secret.
		{"http://t.example/announce?passkey=abc", "http://t.example/announce?passkey=***"},
		{"http://t.example/announce.php?PassKey=abc&x=1", "http://t.example/announce.php?PassKey=***&x=1"},
		{"http://t.example/announce?a=1&authkey=k&torrent_pass=p", "http://t.example/announce?a=1&authkey=***&torrent_pass=***"},
		{"http://t.example/announce?uid=77&key=zz", "http://t.example/announce?uid=***&key=***"},
		{"http://t.example/announce?pass%6bey=abc", "http://t.example/announce?pass%6bey=***"},
		{"http://t.example/announce?a;passkey=abc;b", "http://t.example/announce?a;passkey=***;b"},
		{"http://t.example/announce?passkey=", "http://t.example/announce?passkey="},
		{"http://t.example/announce?passkey=abc?info_hash=%12%34", "http://t.example/announce?passkey=***?info_hash=%12%34"},
		{"http://t.example/announce#token=abc", "http://t.example/announce#token=***"},
		{"http://t.example/passkey=abc/announce", "http://t.example/passkey=***/announce"},

		// Values that look like one, whatever their name.
		{"http://t.example/announce?id=0123456789abcdef0123456789abcdef", "http://t.example/announce?id=***"},
		{"http://t.example/announce?0123456789abcdef0123456789abcdef", "http://t.example/announce?***"},
		{"http://t.example/announce?info_hash=0123456789abcdef0123456789abcdef01234567", "http://t.example/announce?info_hash=0123456789abcdef0123456789abcdef01234567"},

		// In the path.
		{"http://t.example/abcdef0123/announce", "http://t.example/***/announce"},
		{"http://t.example/0123456789abcdef0123456789abcdef/announce", "http://t.example/***/announce"},
		{"https://t.example/announce/0123456789abcdef0123456789abcdef", "https://t.example/announce/***"},
		{"https://t.example/a/Zx81_kq-Lm2/announce.php", "https://t.example/a/***/announce.php"},
		{"https://t.example/%61bcdef0123456789/announce", "https://t.example/***/announce"},
		{"udp://t.example:80/abcdef0123456789", "udp://t.example:80/***"},
		{"http://t.example/abcdefghijklmnopqrst/scrape", "http://t.example/***/scrape"},

		// A word of an element.
		{"https://t.example/0123456789abcdef0123456789abcdef.torrent", "https://t.example/***.torrent"},
		{"https://t.example/dl/0123456789abcdef0123456789abcdef-name.torrent", "https://t.example/dl/***-name.torrent"},
		{"https://t.example/me:0123456789abcdef0123456789abcdef/announce", "https://t.example/me:***/announce"},
		{"https://t.example/~0123456789abcdef0123456789abcdef/announce", "https://t.example/~***/announce"},
		{"https://t.example/rss/0b5f7c3e-9a41-4c1d-8e2f-1a2b3c4d5e6f/name.torrent", "https://t.example/rss/***/name.torrent"},
		{"https://mirror.example/f/app-1.2.3-0123456789ab.tar.gz", "https://mirror.example/f/app-1.2.3-0123456789ab.tar.gz"},

		// As JSON has it.
		{`{"url":"http://t.example/announce?x=1\u0026passkey=abc"}`, `{"url":"http://t.example/announce?x=1&passkey=***"}`},
		{`"http:\/\/t.example\/0123456789abcdef0123456789abcdef\/announce"`, `"http://t.example/***/announce"`},

		// User and password.
		{"http://me:hunter2@t.example/announce", "http://***@t.example/announce"},
		{"http://me@t.example:80", "http://***@t.example:80"},
		{"http://a@b:c@t.example/x", "http://***@t.example/x"},

		// Web seeds: names of files stay, signatures go.
		{"http://mirror.example/pub/debian-12.5.0-amd64-netinst.iso", "http://mirror.example/pub/debian-12.5.0-amd64-netinst.iso"},
		{"http://mirror.example/linux/20240101/", "http://mirror.example/linux/20240101/"},
		{"https://s3.example/b/f.iso?X-Amz-Signature=ab&x-id=GetObject", "https://s3.example/b/f.iso?X-Amz-Signature=***&x-id=GetObject"},
		{"https://cdn.example/dl/A1b2C3d4E5f6G7h8I9j0K1/f.iso", "https://cdn.example/dl/***/f.iso"},

		// In the middle of a text, as errors of net/http have it.
		{`Get "http://me:pw@t.example/announce?passkey=abc": dial tcp 127.0.0.1:1: connection refused`, `Get "http://***@t.example/announce?passkey=***": dial tcp 127.0.0.1:1: connection refused`},
		{"announce to http://t.example/announce?passkey=abc: HTTP status 404", "announce to http://t.example/announce?passkey=***: HTTP status 404"},
		{`parse "/announce?passkey=abc": bad`, `parse "/announce?passkey=***": bad`},
		{"GET /announce?key=abc&info_hash=x HTTP/1.1", "GET /announce?key=***&info_hash=x HTTP/1.1"},
		{"your passkey=abc is unknown", "your passkey=*** is unknown"},
		{"a http://x.example/a?uid=1 and http://y.example/b?uid=2", "a http://x.example/a?uid=*** and http://y.example/b?uid=***"},
		{"(see http://x.example/a?token=1)", "(see http://x.example/a?token=***)"},

		// Ordinary words stay.
		{"the key=value pairs of user=1", "the key=value pairs of user=1"},
		{"0123456789abcdef0123456789abcdef01234567: its metadata can't be used", "0123456789abcdef0123456789abcdef01234567: its metadata can't be used"},
		{"saved as /home/me/0123456789abcdef0123456789abcdef/x", "saved as /home/me/0123456789abcdef0123456789abcdef/x"},
		{"12:34:56 complete: a b", "12:34:56 complete: a b"},

		// Magnet links, and URLs in URLs.
		{"magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567&dn=x", "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567&dn=x"},
		{"magnet:?xt=urn:btih:0123&tr=http%3A%2F%2Ft.example%2Fannounce%3Fpasskey%3Dabc", "magnet:?xt=urn:btih:0123&tr=http%3A%2F%2Ft.example%2Fannounce%3Fpasskey%3D***"},
		{"magnet:?tr.1=http://t.example/abcdef0123/announce&ws=http://u:p@w.example/", "magnet:?tr.1=http://t.example/***/announce&ws=http://***@w.example/"},
		{"http://go.example/r?to=http%3A%2F%2Ft.example%2Fa%3Ftoken%3Dabc", "http://go.example/r?to=http%3A%2F%2Ft.example%2Fa%3Ftoken%3D***"},
		{"http%3A%2F%2Ft.example%2Fannounce%3Fpasskey%3Dabc", "http%3A%2F%2Ft.example%2Fannounce%3Fpasskey%3D***"},
	} {
		got := Text(c.in)
		if got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.in, got, c.want)
		}
		if again := Text(got); again != got {
			t.Errorf("%s: redacted again: %s", got, again)
		}
	}
}

// What a tracker says of its own URL is hidden, too.
func TestOf(t *testing.T) {
	const u = "http://me:hunter2@t.example/abcdef0123/announce?passkey=s%20cret"
	for _, c := range []struct{ in, want string }{
		{"the tracker said: passkey s cret is unknown", "the tracker said: passkey *** is unknown"},
		{"user hunter2 is banned, abcdef0123 too", "user *** is banned, *** too"},
		{"announce to t.example: HTTP status 404", "announce to t.example: HTTP status 404"},
	} {
		if got := Of(u, c.in); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.in, got, c.want)
		}
	}
	if s := Secrets("http://t.example/announce"); s != nil {
		t.Errorf("secrets of a URL without: %q", s)
	}
}

// FuzzText: a passkey never survives, wherever in a URL it stands and whatever is around
// it; and what is redacted stays as it is.
func FuzzText(f *testing.F) {
	f.Add("http://t.example/announce?passkey=abc: refused", "x")
	f.Add("magnet:?tr=http%3A%2F%2Fa%2Fb%3Fkey%3Dc", "y")
	f.Add("%3a%2f%2f?&;#==://@@//", "\\")
	f.Add("http://***@t/***/announce?uid=***", "")
	f.Fuzz(func(t *testing.T, around, middle string) {
		once := Text(around)
		if again := Text(once); again != once {
			t.Errorf("%q redacts to %q, and that to %q", around, once, again)
		}
		Of(around, middle)
		const secret = "0123456789abcdefSECRET0123456789"
		middle = strings.Map(func(r rune) rune {
			if stops(r) || r > 0x7e || strings.ContainsRune("/?#&;=@%[]", r) {
				return -1
			}
			return r
		}, middle)
		for _, u := range []string{
			"http://t.example/announce?passkey=" + secret,
			"http://t.example/announce?" + middle + "=1&authkey=" + secret + "&" + middle,
			"http://t.example/" + secret + "/announce",
			"https://t.example/" + middle + "/" + secret,
			"http://" + middle + ":" + secret + "@t.example/",
			"magnet:?tr=" + url.QueryEscape("http://t.example/a?key="+secret),
			"/announce?torrent_pass=" + secret,
		} {
			for _, text := range []string{u, "a " + u + ": b", `"` + u + `"`, around + " " + u} {
				if got := Text(text); strings.Contains(got, secret) {
					t.Errorf("%q shows the secret: %q", text, got)
				}
			}
		}
	})
}
