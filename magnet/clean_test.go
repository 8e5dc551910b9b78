package magnet

import (
	"errors"
	"strings"
	"testing"
)

// Links as people paste them.
func TestPasted(t *testing.T) {
	const h = hash
	upper := strings.ToUpper(h)
	plain := Link{Name: "a b", Trackers: []string{"http://t.example/announce"}}
	plain.V1, _ = ParseHash(h)
	bare := Link{V1: plain.V1}
	const whole = "magnet:?xt=urn:btih:" + h + "&dn=a+b&tr=http%3A%2F%2Ft.example%2Fannounce"
	for name, c := range map[string]struct {
		text string
		want Link
	}{
		"as it should be":          {whole, plain},
		"blanks around":            {"  \t" + whole + " \r\n", plain},
		"line breaks inside":       {strings.ReplaceAll(whole, "&", "\r\n&"), plain},
		"a line break in the hash": {whole[:40] + "\n" + whole[40:], plain},
		"a soft break in the hash": {whole[:40] + "\u200b" + whole[40:], plain},
		"in quotes":                {`"` + whole + `"`, plain},
		"in single quotes":         {`'` + whole + `'`, plain},
		"in typographic quotes":    {"“" + whole + "”", plain},
		"in German quotes":         {"„" + whole + "“", plain},
		"in French quotes":         {"« " + whole + " »", plain},
		"in backticks":             {"`" + whole + "`", plain},
		"in angle brackets":        {"<" + whole + ">", plain},
		"in brackets":              {"[" + whole + "]", plain},
		"in parentheses":           {"(" + whole + ")", plain},
		"in Markdown":              {"[a b](" + whole + ") and more", plain},
		"in HTML":                  {`<a href="` + strings.ReplaceAll(whole, "&", "&amp;") + `" class="x">a b</a>`, plain},
		"behind words":             {"Download here: " + whole, plain},
		"before a full stop":       {"magnet:?dn=a+b&tr=http%3A%2F%2Ft.example%2Fannounce&xt=urn:btih:" + h + ".", plain},
		"escaped as a whole":       {"magnet%3A%3Fxt%3Durn%3Abtih%3A" + h + "%26dn%3Da%2520b%26tr%3Dhttp%253A%252F%252Ft.example%252Fannounce", plain},
		"escaped twice":            {escape(escape(whole)), plain},
		"escaped after the colon":  {"magnet:%3Fxt%3Durn%3Abtih%3A" + h + "%26dn%3Da%2520b%26tr%3Dhttp%253A%252F%252Ft.example%252Fannounce", plain},
		"escaped after the mark":   {"magnet:?xt%3Durn%3Abtih%3A" + h + "%26dn%3Da%2520b%26tr%3Dhttp%253A%252F%252Ft.example%252Fannounce", plain},
		"escaped ampersands":       {strings.ReplaceAll(whole, "&", "%26"), plain},
		"escaped signs":            {strings.ReplaceAll(whole, "=", "%3D"), plain},
		"two slashes":              {strings.Replace(whole, "magnet:?", "magnet://?", 1), plain},
		"two slashes and no mark":  {strings.Replace(whole, "magnet:?", "magnet://", 1), plain},
		"a slash":                  {strings.Replace(whole, "magnet:?", "magnet:/?", 1), plain},
		"no mark":                  {strings.Replace(whole, "magnet:?", "magnet:", 1), plain},
		"no colon":                 {strings.Replace(whole, "magnet:?", "magnet?", 1), plain},
		"a blank after the colon":  {strings.Replace(whole, "magnet:?", "magnet: ?", 1), plain},
		"wide signs":               {strings.Replace(whole, "magnet:?", "magnet：？", 1), plain},
		"upper case":               {strings.Replace(whole, "magnet:?xt=urn:btih:"+h, "MAGNET:?XT=URN:BTIH:"+upper, 1), plain},
		"semicolons":               {strings.ReplaceAll(whole, "&", ";"), plain},
		"ampersands of a page":     {strings.ReplaceAll(whole, "&", "&amp;"), plain},
		"those escaped again":      {strings.ReplaceAll(whole, "&", "&amp;amp;"), plain},
		"numbered entities":        {strings.ReplaceAll(whole, "&", "&#38;"), plain},
		"hexadecimal entities":     {strings.ReplaceAll(whole, "&", "&#x26;"), plain},
		"a second mark":            {strings.Replace(whole, "&", "?", 1), plain},
		"a leading ampersand":      {strings.Replace(whole, "magnet:?", "magnet:?&", 1), plain},
		"an ampersand at the end":  {whole + "&", plain},
		"blanks in the name":       {strings.Replace(whole, "a+b", "a b", 1), plain},
		"blanks around signs":      {strings.ReplaceAll(whole, "&", " & "), plain},
		"a slash behind the hash":  {strings.Replace(whole, h, h+"/", 1), plain},
		"blanks in the hash":       {strings.Replace(whole, h, h[:20]+" "+h[20:], 1), plain},
		"no urn":                   {strings.Replace(whole, "urn:btih:", "btih:", 1), plain},
		"only the hash in xt":      {strings.Replace(whole, "urn:btih:", "", 1), plain},
		"a parameter of a page":    {"https://site.example/go?to=" + escape(whole) + "&ref=7", plain},
		"one that is not escaped":  {"https://site.example/go?to=" + whole, plain},
		"one escaped twice":        {"https://site.example/go?to=" + escape(escape(whole)) + "&ref=7", plain},
		"without its beginning":    {strings.TrimPrefix(whole, "magnet:?"), plain},
		"with half of it":          {strings.TrimPrefix(whole, "magnet:"), plain},
		"the urn":                  {"urn:btih:" + h, bare},
		"the urn in upper case":    {"URN:BTIH:" + upper, bare},
		"the end of the urn":       {"btih:" + h, bare},
		"the urn with more":        {strings.TrimPrefix(whole, "magnet:?xt="), plain},
		"the hash":                 {h, bare},
		"the hash in upper case":   {upper, bare},
		"the hash in base32":       {"WJL26RP3ZH2S2DTSQSIPFQW2TZHWMZD6", bare},
		"that in lower case":       {"wjl26rp3zh2s2dtsqsipfqw2tzhwmzd6", bare},
		"the hash and a slash":     {h + "/", bare},
		"the hash as a file":       {h + ".torrent", bare},
		"the hash with a label":    {"Info hash: " + h, bare},
		"another label":            {"infohash:" + h, bare},
		"a third label":            {"info_hash=" + h, bare},
		"a fourth label":           {"Hash = " + upper, bare},
		"the hash in pairs":        {pairs(h, " "), bare},
		"the hash with colons":     {pairs(h, ":"), bare},
		"the hash after 0x":        {"0x" + upper, bare},
		"the hash in quotes":       {"“" + h + "”", bare},
		"the hash in a line":       {h + "\r\n", bare},
	} {
		got, err := Parse(c.text)
		if err != nil {
			t.Errorf("%s: %q: %v", name, c.text, err)
			continue
		}
		if got.String() != c.want.String() {
			t.Errorf("%s: %q:\n got %s\nwant %s", name, c.text, got, &c.want)
		}
		if !Is(c.text) {
			t.Errorf("%s: %q is not taken for a link", name, c.text)
		}
	}
}

func pairs(s, sep string) string {
	var all []string
	for ; len(s) > 0; s = s[2:] {
		all = append(all, s[:2])
	}
	return strings.Join(all, sep)
}

// What is not a link is called that, with the reason.
func TestNotPasted(t *testing.T) {
	for text, c := range map[string]struct {
		link bool // it is meant to be one
		why  string
	}{
		"magnet:":                        {true, "it has no xt=urn:btih:"},
		"magnet:?":                       {true, "it has no xt=urn:btih:"},
		"magnet:?dn=a":                   {true, "it has no xt=urn:btih:"},
		"magnet:hello":                   {true, "it has no xt=urn:btih:"},
		"magnet:?xt=urn:btih:":           {true, "0"},
		"magnet:?xt=urn:btih:123":        {true, "123"},
		"magnet:?xt=urn:ed2k:123":        {true, "it has no xt=urn:btih:"},
		"urn:btih:" + hash[:39]:          {true, "39 characters"},
		"urn:btih:" + hash[:39] + "g":    {true, "not 40 hexadecimal digits"},
		hash[:39]:                        {false, "this has 39"},
		hash + "0":                       {false, "this has 41"},
		"":                               {false, "it is empty"},
		" \n":                            {false, "it is empty"},
		"film.torrent":                   {false, `it begins with "film.tor"`},
		"https://site.example/a.torrent": {false, "it begins with"},
		"magnets and compasses":          {false, "it begins with"},
		"electromagnet: a film.torrent":  {false, "it begins with"},
		"/home/me/magnet/a.torrent":      {false, "it begins with"},
		"C:\\magnet\\a.torrent":          {false, "it begins with"},
	} {
		l, err := Parse(text)
		if !errors.Is(err, ErrNotMagnet) || !strings.Contains(err.Error(), c.why) || !strings.HasPrefix(err.Error(), "not a magnet link") {
			t.Errorf("%q: %v, %v", text, l, err)
		}
		if Is(text) != c.link {
			t.Errorf("%q: taken for a link: %v", text, !c.link)
		}
	}
}

// Several links in one text, with others around them.
func TestFind(t *testing.T) {
	other := strings.Repeat("ab", 20)
	for name, c := range map[string]struct {
		text string
		want int
	}{
		"one":               {"magnet:?xt=urn:btih:" + hash, 1},
		"one and a word":    {"magnet:?xt=urn:btih:" + hash + "\nThanks\n", 1},
		"one broken":        {"magnet:?xt=urn:btih:" + hash[:20] + "\n" + hash[20:] + "&dn=a\n", 1},
		"two lines":         {"magnet:?xt=urn:btih:" + hash + "\r\nmagnet:?xt=urn:btih:" + other + "\r\n", 2},
		"one twice":         {"magnet:?xt=urn:btih:" + hash + "\nmagnet:?xt=urn:btih:" + hash, 1},
		"hashes":            {"# mine\n" + hash + "\n\n" + other + "\n", 2},
		"a page":            {"<html><a href='magnet:?xt=urn:btih:" + hash + "&amp;dn=a'>a</a> <a href=\"magnet:?xt=urn:btih:" + other + "\">b</a>", 2},
		"in one line":       {"magnet:?xt=urn:btih:" + hash + " magnet:?xt=urn:btih:" + other, 2},
		"a byte order mark": {"\ufeffmagnet:?xt=urn:btih:" + hash, 1},
		"none":              {"hello\nmagnet\n", 0},
		"nothing":           {"", 0},
		"an odd one":        {"magnet:?xt=urn:btih:12\nmagnet:?xt=urn:btih:" + hash, 1},
	} {
		got := Find(c.text)
		if len(got) != c.want {
			t.Errorf("%s: %q", name, got)
			continue
		}
		for _, link := range got {
			if _, err := Parse(link); err != nil {
				t.Errorf("%s: %q: %v", name, link, err)
			}
		}
		if c.want > 0 {
			if l, err := Parse(got[0]); err != nil || l.V1.String() != hash {
				t.Errorf("%s: %v, %v", name, l, err)
			}
		}
	}
}

// Whatever is pasted: a clean link stays as it is, and holds no blanks but those in a name.
func FuzzClean(f *testing.F) {
	for _, s := range []string{
		"<magnet://?xt=urn:btih:" + hash + ";dn=a>", "magnet%3A%3Fxt%3Durn%3Abtih%3A" + hash, "0x" + hash,
		"https://a/?u=magnet%253A%253Fxt%253Durn%253Abtih%253A" + hash, "“btih:" + hash + "”", "magnet:?xt=&amp;amp;dn=a",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		link, ok := Clean(s)
		if ok != Is(s) || ok && !strings.HasPrefix(link, scheme) {
			t.Fatalf("%q: %q, %v", s, link, ok)
		}
		if len(Find(s)) > maxFound {
			t.Fatal("too many")
		}
		if l, err := Parse(s); err == nil {
			again, err := Parse(l.String())
			if err != nil || again.V1 != l.V1 || again.V2 != l.V2 {
				t.Fatalf("%q: %v, then %v, %v", s, l, again, err)
			}
		}
	})
}

// What a text costs to read grows with its length, whatever strangers write in it: each of
// these took from seconds to minutes. The bound is on what is read, which no clock measures.
func TestFindIsBounded(t *testing.T) {
	const most = 1 << 20
	link := "magnet:?xt=urn:btih:" + hash
	fill := func(s string) string { return strings.Repeat(s, most/len(s)) }
	for name, c := range map[string]struct {
		text string
		want int
	}{
		"beginnings":                        {fill("magnet:?\n"), 0},
		"broken hashes":                     {fill(link[:50] + "\n"), 0},
		"a link that goes on for ever":      {link + "\n" + fill("&a=b\n"), 1},
		"with nothing in each line":         {link + "\n" + fill("&\n"), 1},
		"with half a parameter":             {link + "\n" + fill("&tr=\n"), 1},
		"many of them":                      {strings.Repeat(link+"\n"+strings.Repeat("&;\n", 20000), 15), 1},
		"semicolons":                        {strings.Repeat("magnet:?xt="+strings.Repeat(";", 60000)+"\n", 17), 0},
		"one line":                          {fill(" magnet:?xt=;"), 0},
		"short lines of a page, and a link": {fill("<p>word</p>\n") + link, 1},
		"long lines of a page, and a link":  {fill(strings.Repeat("word ", 40)+"\n") + link, 1},
	} {
		if got := len(Find(c.text)); got != c.want {
			t.Errorf("%s: %d links, not %d", name, got, c.want)
		}
	}
}

// Lists write the name behind a link or an info-hash, with a bar between them.
func TestNameBehindBar(t *testing.T) {
	const hash = "0123456789abcdef0123456789abcdef01234567"
	for s, want := range map[string]string{
		"magnet:?xt=urn:btih:" + hash + "|My%20Film": "My Film",
		"magnet:?xt=urn:btih:" + hash + "|My Film":   "My Film",
		hash + "|My Film":                                         "My Film",
		hash + " | My & Film":                                     "My & Film",
		"btih:" + hash + "|a|b":                                   "a|b",
		"magnet:?xt=urn:btih:" + hash + "|x&dn=y":                 "y",
		"magnet:?dn=y&xt=urn:btih:" + hash + "|x":                 "y",
		"magnet:?xt=urn:btih:" + hash + "|":                       "",
		"magnet:?xt=urn:btih:" + hash + "|My%20Film&tr=udp://a:1": "My Film",
	} {
		l, err := Parse(s)
		if err != nil || l.V1.String() != hash || l.Name != want {
			t.Errorf("%q: %+v, %v, want the name %q", s, l, err, want)
		}
	}
	for _, s := range []string{"0123|x", "magnet:?xt=urn:btih:0123|" + hash, "a|" + hash} {
		if l, err := Parse(s); err == nil {
			t.Errorf("%q: %+v", s, l)
		}
	}
}
