package redact

import (
	"math/rand/v2"
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

		// Without a scheme, as browsers, proxies and errors of parsers have it.
		{"//t.example/0123456789abcdef0123456789abcdef", "//t.example/***"},
		{"moved to //t.example/abcdef0123/announce", "moved to //t.example/***/announce"},
		{"//me:pw@t.example/announce", "//***@t.example/announce"},
		{"t.example:80/abcdef0123/announce: HTTP status 404", "t.example:80/***/announce: HTTP status 404"},
		{`parse "me:hunter2@t.example/x": first path segment in URL cannot contain colon`, `parse "***@t.example/x": first path segment in URL cannot contain colon`},
		{"/home//0123456789abcdef0123456789abcdef/x", "/home//0123456789abcdef0123456789abcdef/x"},
		{"see // for comments", "see // for comments"},
		{"src/announce.go:12", "src/announce.go:12"},

		// Escaped more than once, or in part.
		{"http%253A%252F%252Ft.example%252Fannounce%253Fpasskey%253Dabc", "http%253A%252F%252Ft.example%252Fannounce%253Fpasskey%253D***"},
		{"http:%2F%2Ft.example%2Fabcdef0123%2Fannounce", "http%3A%2F%2Ft.example%2F***%2Fannounce"},
		{"http%3A//t.example/abcdef0123/announce", "http%3A%2F%2Ft.example%2F***%2Fannounce"},
		{"http%3A%2F%2Ft.example%2Fx%2", "http%3A%2F%2F***"},
		{"http://go.example/r?to=%2F%2Ft.example%2Fabcdef0123%2Fannounce", "http://go.example/r?to=%2F%2Ft.example%2F***%2Fannounce"},

		// Hosts.
		{"http://0123456789abcdef0123456789abcdef.t.example:80/announce", "http://***.t.example:80/announce"},
		{"https://d111111abcdef8.cloudfront.example/f.iso", "https://d111111abcdef8.cloudfront.example/f.iso"},
		{"http://[2001:db8::1]:80/announce", "http://[2001:db8::1]:80/announce"},

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

// forms are URLs with a key in every place where servers put one; KEY stands for it.
var forms = []string{
	"http://t.example/announce?passkey=KEY", "https://t.example:2710/announce.php?uid=1&torrent_pass=KEY&x=y",
	"http://t.example/KEY/announce", "http://t.example/a/KEY/announce", "http://t.example/announce/KEY", "http://t.example/scrape/KEY",
	"http://t.example:34000/KEY/announce.php", "http://t.example/announce?KEY", "http://t.example/announce?id=KEY", "http://t.example/announce;passkey=KEY",
	"udp://t.example:80/KEY", "udp://t.example:80/announce?auth=KEY", "wss://t.example/KEY", "//t.example/KEY", "//t.example/KEY/announce", "t.example/KEY/announce",
	"http://me:KEY@t.example/announce", "http://KEY@t.example/announce", "ftp://KEY:pw@t.example/", "//me:KEY@t.example/x", "me:KEY@t.example:80/announce",
	"http://KEY.t.example/announce", "https://cdn.example/KEY/f.iso", "https://cdn.example/f.iso?token=KEY", "https://cdn.example/f.iso?X-Amz-Signature=KEY&a=b",
	"https://t.example/dl/KEY/name.torrent", "https://t.example/name.torrent?rsskey=KEY", "https://t.example/download.php/1/KEY.torrent", "https://t.example/x#KEY",
	"/announce?passkey=KEY", "/login?next=%2Fannounce%3Fpasskey%3DKEY&token=KEY", "http://t.example/announce?passkey=KEY&info_hash=%12%34%56&port=6881",
}

// wraps are what may be around a URL in what people see; URL stands for it.
var wraps = []string{
	"URL", "a URL b", `Get "URL": dial tcp 127.0.0.1:1: connect: connection refused`, `Head "URL": EOF`, `parse "URL": invalid port ":x" after host`,
	"announce to URL: HTTP status 404", "redirected to URL.", "(see URL)", "<URL>", "tracker=URL", `{"url":"URL"}`, "URL, URL", "20:26:31  URL", "url(URL)",
	`time=1 level=WARN msg="announce failed" url=URL err="x"`,
}

// FuzzForms: whatever form a URL has and wherever it stands, no random key of it is left, also
// where it is escaped, in a magnet link or in JSON.
func FuzzForms(f *testing.F) {
	for i := range forms {
		for dress := range 8 {
			f.Add(uint64(i+dress)*0x9e3779b97f4a7c15, uint(i), uint(i+dress), uint(dress))
		}
	}
	f.Fuzz(func(t *testing.T, seed uint64, form, wrap, dress uint) {
		rng := rand.New(rand.NewPCG(seed, 1))
		key := randomKey(rng)
		u := strings.ReplaceAll(forms[form%uint(len(forms))], "KEY", key)
		switch dress % 8 {
		case 1:
			u = url.QueryEscape(u)
		case 2:
			u = url.QueryEscape(url.QueryEscape(u))
		case 3:
			u = "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567&dn=x&tr=" + url.QueryEscape(u)
		case 4:
			u = "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567&ws=" + url.QueryEscape(u) + "&tr.1=" + url.QueryEscape(u)
		case 5:
			u = "https://go.example/r?to=" + url.QueryEscape(url.QueryEscape(u))
		case 6:
			u = strings.ReplaceAll(u, "/", `\/`)
		case 7:
			u = strings.NewReplacer("&", `\u0026`, "=", `\u003d`).Replace(u)
		}
		if d := dress % 8; (d == 1 || d == 2) && !strings.Contains(forms[form%uint(len(forms))], "://") {
			return // escaped as a whole, a path can't be told from a word
		}
		if d := dress % 8; d >= 3 && d <= 5 && !strings.Contains(forms[form%uint(len(forms))], "//") {
			return // nor in a parameter
		}
		text := strings.ReplaceAll(wraps[wrap%uint(len(wraps))], "URL", u)
		got := Text(text)
		if leaks(got, key) {
			t.Errorf("%q shows the key: %q", text, got)
		}
		if again := Text(got); again != got {
			t.Errorf("%q redacts to %q, and that to %q", text, got, again)
		}
	})
}

// leaks reports whether a text has so much of a key that it can be recognised.
func leaks(text, key string) bool {
	const part = 8
	for i := 0; i+part <= len(key); i++ {
		if strings.Contains(text, key[i:i+part]) {
			return true
		}
	}
	return false
}

// randomKey is 32 hexadecimal digits, or letters and digits as other trackers draw them.
func randomKey(rng *rand.Rand) string {
	letters, n := "0123456789abcdef", 32
	switch rng.IntN(4) {
	case 1:
		letters, n = "0123456789abcdefghijklmnopqrstuvwxyz", 32
	case 2:
		letters, n = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", 24+rng.IntN(24)
	case 3:
		n = 40
	}
	b := make([]byte, n)
	for i := range b {
		b[i] = letters[rng.IntN(len(letters))]
	}
	b[rng.IntN(n/2)], b[n/2+rng.IntN(n/2)] = '7', 'e' // one of each, as good as always
	return string(b)
}
