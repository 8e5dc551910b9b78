package printable

import "testing"

func TestOf(t *testing.T) {
	for in, want := range map[string]string{
		"plain, käse 日本 👨‍👩‍👧":         "plain, käse 日本 👨‍👩‍👧",
		"a\tb\r\nc":                    "a b  c",
		"\x1b[31mred\x07":              "\ufffd[31mred\ufffd",
		"exe.\u202efdp":                "exe.\ufffdfdp",
		"a\xffb\xc0\x80":               "a\ufffdb\ufffd\ufffd",
		"\u0085\u009b\ufeff\u2066\x00": "\ufffd\ufffd\ufffd\ufffd\ufffd",
		"line\u2028sep":                "line sep",
	} {
		if got := Of(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func FuzzOf(f *testing.F) {
	f.Add("a\tb\x1b[31m\u202e")
	f.Fuzz(func(t *testing.T, s string) {
		p := Of(s)
		if Of(p) != p {
			t.Errorf("%q is %q the first time and %q the second", s, p, Of(p))
		}
		for _, r := range p {
			if Invisible(r) {
				t.Errorf("%q: %q is left", s, r)
			}
		}
	})
}
