package bencode

import (
	"bytes"
	"testing"
)

// FuzzParse decodes anything in both modes. Whatever is accepted has spans that fit together
// like the values they belong to; whatever the strict mode accepts has one spelling only, so
// writing it again gives the same bytes.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"i-42e", "4:spam", "le", "de", "d0:i1ee", "i-0e", "01:a", "l4:spami7ee",
		"d3:cow3:moo4:spaml1:a1:bee", "d1:bi1e1:ai2ee", "d1:bi1e1:ai2e1:bi3ee",
		"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe",
		"d8:msg_typei1e5:piecei0eeXXXX", "d1:ai1.5e1:ai99999999999999999999ee",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		strict, err := Parse(in)
		lenient, rest, lerr := Options{Lenient: true}.ParsePrefix(in)
		if err == nil {
			if lerr != nil || len(rest) > 0 {
				t.Fatalf("strict accepts, lenient leaves %d bytes, error %v", len(rest), lerr)
			}
			checkSpans(t, in, strict, 0, len(in))
			if got := rewrite(strict); !bytes.Equal(got, in) {
				t.Fatalf("%q written again is %q", in, got)
			}
		}
		loose, after, err := Options{Loose: true}.ParsePrefix(in)
		if lerr == nil {
			if err != nil || len(after) != len(rest) {
				t.Fatalf("lenient accepts, loose leaves %d bytes, error %v", len(after), err)
			}
			checkSpans(t, in, lenient, 0, len(in)-len(rest))
			again, err := Options{Lenient: true}.Parse(lenient.Raw())
			if err != nil || !bytes.Equal(again.Raw(), lenient.Raw()) {
				t.Fatalf("the span of an accepted value: %v", err)
			}
		}
		if err == nil {
			again, err := Options{Loose: true}.Parse(loose.Raw())
			if err != nil || !bytes.Equal(again.Raw(), loose.Raw()) {
				t.Fatalf("the span of a loose value: %v", err)
			}
		}
	})
}

// checkSpans checks that a value lies where its neighbours leave room for it, and nothing
// else lies between.
func checkSpans(t *testing.T, in []byte, v Value, from, to int) {
	t.Helper()
	if v.Offset() != from || from+len(v.Raw()) != to || !bytes.Equal(v.Raw(), in[from:to]) {
		t.Fatalf("value at %d, %d bytes long, want %d to %d", v.Offset(), len(v.Raw()), from, to)
	}
	pos := from + 1
	switch v.Kind() {
	case Int:
		if _, ok := v.Int(); !ok {
			t.Fatalf("integer %q has no value", v.Raw())
		}
		return
	case String:
		b, ok := v.Bytes()
		if !ok || !bytes.HasSuffix(v.Raw(), b) || v.Raw()[len(v.Raw())-len(b)-1] != ':' {
			t.Fatalf("string %q has contents %q", v.Raw(), b)
		}
		return
	case List:
		for item := range v.Items() {
			checkSpans(t, in, item, pos, pos+len(item.Raw()))
			pos += len(item.Raw())
		}
	case Dict:
		for k, e := range v.Entries() {
			at := e.Offset()
			if at < pos+len(k)+2 || !bytes.Equal(in[at-len(k):at], k) || in[at-len(k)-1] != ':' {
				t.Fatalf("key %q does not stand before its value at %d", k, at)
			}
			if !bytes.Equal(v.Get(string(k)).Raw(), e.Raw()) {
				t.Fatalf("key %q finds another value", k)
			}
			checkSpans(t, in, e, at, at+len(e.Raw()))
			pos = at + len(e.Raw())
		}
	default:
		t.Fatalf("value of kind %v", v.Kind())
	}
	if pos != to-1 || in[pos] != 'e' {
		t.Fatalf("members end at %d, the container at %d", pos, to)
	}
}
