package bencode

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"

	"shoal/internal/testkit"
)

type vector struct {
	ID         string
	Valid      bool
	Reason     string
	Policy     string
	InputHex   string `json:"input_hex"`
	InputParts []struct {
		Hex    string
		Repeat int
	} `json:"input_parts"`
	Decoded json.RawMessage
}

func (v vector) input(t *testing.T) []byte {
	t.Helper()
	b, err := hex.DecodeString(v.InputHex)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range v.InputParts {
		part, err := hex.DecodeString(p.Hex)
		if err != nil {
			t.Fatal(err)
		}
		b = append(b, bytes.Repeat(part, p.Repeat)...)
	}
	return b
}

func vectors(t *testing.T) []vector {
	t.Helper()
	var file struct {
		Count   int
		Vectors []vector
	}
	testkit.Vectors(t, "bencode.json", &file)
	if len(file.Vectors) != file.Count || file.Count == 0 {
		t.Fatalf("%d vectors, the file says %d", len(file.Vectors), file.Count)
	}
	return file.Vectors
}

// tree renders a value as the vectors do.
func tree(v Value) any {
	switch v.Kind() {
	case Int:
		n, _ := v.Int()
		return map[string]any{"t": "int", "v": strconv.FormatInt(n, 10)}
	case String:
		b, _ := v.Bytes()
		return map[string]any{"t": "str", "hex": hex.EncodeToString(b)}
	case List:
		items := []any{}
		for item := range v.Items() {
			items = append(items, tree(item))
		}
		return map[string]any{"t": "list", "v": items}
	case Dict:
		entries := []any{}
		for k, e := range v.Entries() {
			entries = append(entries, []any{hex.EncodeToString(k), tree(e)})
		}
		return map[string]any{"t": "dict", "v": entries}
	}
	return nil
}

// The integers of two vectors are legal and larger than 64 bits hold: they are refused with
// an error of their own, never wrapped.
var beyond64 = map[string]bool{"int-80-digits": true, "int-negative-big": true}

// What only the lenient mode accepts. The other defects that a policy allows to tolerate,
// twins among the keys and bytes behind the value, are refused in both modes.
var lenientOnly = map[string]error{
	"int-neg-zero":         ErrNumber,
	"int-neg-leading-zero": ErrNumber,
	"str-leading-zero-len": ErrNumber,
	"dict-unsorted-case":   ErrOrder,
}

func TestVectors(t *testing.T) {
	for _, vec := range vectors(t) {
		t.Run(vec.ID, func(t *testing.T) {
			in := vec.input(t)
			strict, strictErr := Parse(in)
			lenient, lenientErr := Options{Lenient: true}.Parse(in)
			for _, err := range []error{strictErr, lenientErr} {
				if err != nil && !errors.Is(err, ErrSyntax) {
					t.Errorf("error %v does not match ErrSyntax", err)
				}
			}
			if beyond64[vec.ID] {
				if !errors.Is(strictErr, ErrOverflow) || !errors.Is(lenientErr, ErrOverflow) {
					t.Fatalf("errors %v and %v, want overflow", strictErr, lenientErr)
				}
				return
			}
			if want, ok := lenientOnly[vec.ID]; ok {
				if !errors.Is(strictErr, want) {
					t.Errorf("strict: error %v, want %v", strictErr, want)
				}
				if lenientErr != nil || !bytes.Equal(lenient.Raw(), in) {
					t.Errorf("lenient: %v", lenientErr)
				}
				return
			}
			if !vec.Valid {
				if strictErr == nil || lenientErr == nil {
					t.Fatalf("accepted (%s): strict %v, lenient %v", vec.Reason, strictErr, lenientErr)
				}
				return
			}
			if strictErr != nil || lenientErr != nil {
				t.Fatalf("refused: strict %v, lenient %v", strictErr, lenientErr)
			}
			for _, v := range []Value{strict, lenient} {
				got, err := json.Marshal(tree(v))
				if err != nil {
					t.Fatal(err)
				}
				if !sameJSON(t, got, vec.Decoded) {
					t.Errorf("decoded %s\n   want %s", got, vec.Decoded)
				}
			}
			if got := rewrite(strict); !bytes.Equal(got, in) {
				t.Errorf("written again: %q, want %q", got, in)
			}
		})
	}
}

func sameJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	norm := func(b []byte) string {
		var v any
		if err := json.Unmarshal(b, &v); err != nil {
			t.Fatal(err)
		}
		out, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	return norm(a) == norm(b)
}

// rewrite writes a value afresh from what its methods give.
func rewrite(v Value) []byte {
	w := NewWriter(nil)
	write(&w, v)
	return w.Finish()
}

func write(w *Writer, v Value) {
	switch v.Kind() {
	case Int:
		n, _ := v.Int()
		w.Int(n)
	case String:
		b, _ := v.Bytes()
		w.Bytes(b)
	case List:
		w.BeginList()
		for item := range v.Items() {
			write(w, item)
		}
		w.End()
	case Dict:
		w.BeginDict()
		for k, e := range v.Entries() {
			w.Key(string(k))
			write(w, e)
		}
		w.End()
	}
}

// Each defect is told by its kind and its place.
func TestErrorPlace(t *testing.T) {
	for _, c := range []struct {
		in     string
		want   error
		offset int
	}{
		{"", ErrTruncated, 0},
		{"d1:a", ErrTruncated, 4},
		{"li1e", ErrTruncated, 4},
		{"l9:abce", ErrTruncated, 1},
		{"li1exe", ErrSyntax, 4},
		{"d1:ai1e1:ae", ErrDuplicate, 7},
		{"d1:bi1e1:ai2ee", ErrOrder, 7},
		{"d1:ae", ErrSyntax, 4},
		{"li01ee", ErrNumber, 2},
		{"li-0ee", ErrNumber, 1},
		{"l02:abe", ErrNumber, 1},
		{"l2abe", ErrSyntax, 2},
		{"i9223372036854775808e", ErrOverflow, 0},
		{"i1ei2e", ErrTrailing, 3},
		{"d" + "1:ad" + "i1e", ErrSyntax, 5},
	} {
		_, err := Parse([]byte(c.in))
		var serr *SyntaxError
		if !errors.As(err, &serr) || !errors.Is(err, c.want) || serr.Offset != c.offset {
			t.Errorf("%q: error %v, want %v at byte %d", c.in, err, c.want, c.offset)
		}
	}
}

func TestLimits(t *testing.T) {
	nested := func(n int) []byte { return []byte(strings.Repeat("l", n) + strings.Repeat("e", n)) }
	if _, err := Parse(nested(DefaultMaxDepth)); err != nil {
		t.Errorf("depth %d: %v", DefaultMaxDepth, err)
	}
	if _, err := Parse(nested(DefaultMaxDepth + 1)); !errors.Is(err, ErrDepth) {
		t.Errorf("depth %d: error %v", DefaultMaxDepth+1, err)
	}
	if _, err := (Options{MaxDepth: 8}).Parse(nested(9)); !errors.Is(err, ErrDepth) {
		t.Errorf("depth 9 of 8: error %v", err)
	}

	ints := func(n int) []byte { return []byte("l" + strings.Repeat("i0e", n) + "e") }
	few := Options{MaxTokens: 100}
	if _, err := few.Parse(ints(99)); err != nil {
		t.Errorf("100 values: %v", err)
	}
	if _, err := few.Parse(ints(100)); !errors.Is(err, ErrTooMany) {
		t.Errorf("101 values: error %v", err)
	}
}

func TestPrefix(t *testing.T) {
	// A metadata message: the dictionary, then the block (BEP 9).
	in := []byte("d8:msg_typei1e5:piecei0ee" + "dllllllll")
	v, rest, err := Options{}.ParsePrefix(in)
	if err != nil || string(rest) != "dllllllll" {
		t.Fatalf("rest %q, error %v", rest, err)
	}
	if n, ok := v.Get("msg_type").Int(); !ok || n != 1 {
		t.Errorf("msg_type %d, %v", n, ok)
	}
	if _, err := Parse(in); !errors.Is(err, ErrTrailing) {
		t.Errorf("whole buffer: error %v, want trailing", err)
	}
}

// Twins are found in a dictionary out of order, at any distance and also when a sorted
// dictionary inside another one closes in between.
func TestLenientDuplicates(t *testing.T) {
	o := Options{Lenient: true}
	for in, want := range map[string]error{
		"d1:ci1e1:ai2e1:bi3ee":            nil,
		"d1:ci1e1:ai2e1:ci3ee":            ErrDuplicate,
		"d1:bd1:ai1e1:bi2ee1:ai3ee":       nil,
		"d1:bd1:ai1e1:bi2ee1:ale1:bi9ee":  ErrDuplicate,
		"d1:ad1:zi1e1:bi1e1:zi1ee1:bi0ee": ErrDuplicate,
	} {
		if _, err := o.Parse([]byte(in)); !errors.Is(err, want) {
			t.Errorf("%q: error %v, want %v", in, err, want)
		}
	}
}

// Loose keeps what a reader may never ask for, and says where two readers could differ.
func TestLoose(t *testing.T) {
	o := Options{Loose: true}
	for in, want := range map[string]error{
		"d1:ai1e1:ai2ee":                  nil,
		"d1:ai1e1:bi0e1:ai2ee":            nil,
		"d1:ai1.5ee":                      nil,
		"d1:ai1.5E+10ee":                  nil,
		"d1:ai1.5e+10ee":                  nil,
		"d1:aiee":                         nil,
		"d1:ai-ee":                        nil,
		"d1:ai 7ee":                       nil,
		"d1:ai99999999999999999999999eee": ErrTrailing,
		"d1:aixee":                        ErrSyntax,
		"d1:ai1.5":                        ErrSyntax,
		"di1ei2ee":                        ErrSyntax,
		"d1:ai" + strings.Repeat("9", 100) + "ee": ErrOverflow,
	} {
		if _, err := o.Parse([]byte(in)); !errors.Is(err, want) {
			t.Errorf("%q: error %v, want %v", in, err, want)
		}
		if _, err := (Options{Lenient: true}).Parse([]byte(in)); err == nil {
			t.Errorf("%q is lenient", in)
		}
	}
	v, err := o.Parse([]byte("d1:ai1e1:bi7e1:ai2e1:bi7e1:ci99999999999999999999e1:di5ee"))
	if err != nil {
		t.Fatal(err)
	}
	if n, ok := v.Get("a").Int(); n != 1 || !ok || v.Same("a") {
		t.Errorf("a is %d, %v, the same %v", n, ok, v.Same("a"))
	}
	if w, err := o.Parse([]byte("d1:ai1e1:bi1ee")); err != nil || v.Ordered() || !w.Ordered() || w.Get("a").Ordered() {
		t.Errorf("order: %v, %v, %v", v.Ordered(), w.Ordered(), err)
	}
	if !v.Same("b") || !v.Same("d") || !v.Same("none") || !v.Get("d").Same("x") {
		t.Error("values that are the same differ")
	}
	if n, ok := v.Get("c").Int(); ok {
		t.Errorf("c is %d", n)
	}
	if n, ok := v.Get("d").Int(); n != 5 || !ok {
		t.Errorf("d is %d, %v", n, ok)
	}
}

func TestValue(t *testing.T) {
	in := []byte("d1:ai-7e1:bl2:xyi5ed1:k1:vee1:s3:\xff\x00ze")
	v, err := Parse(in)
	if err != nil {
		t.Fatal(err)
	}
	if v.Kind() != Dict || v.Len() != 3 || v.Offset() != 0 || !bytes.Equal(v.Raw(), in) {
		t.Errorf("root: kind %v, len %d, offset %d, raw %q", v.Kind(), v.Len(), v.Offset(), v.Raw())
	}
	if n, ok := v.Get("a").Int(); n != -7 || !ok {
		t.Errorf("a is %d, %v", n, ok)
	}
	list := v.Get("b")
	if list.Kind() != List || list.Len() != 3 || string(list.Raw()) != "l2:xyi5ed1:k1:vee" || list.Offset() != 11 {
		t.Errorf("b: kind %v, len %d, raw %q, offset %d", list.Kind(), list.Len(), list.Raw(), list.Offset())
	}
	if s, ok := list.Index(2).Get("k").Text(); s != "v" || !ok {
		t.Errorf("b[2].k is %q, %v", s, ok)
	}
	if s := v.Get("s"); s.Len() != 3 || s.Offset() != 31 {
		t.Errorf("s: len %d, offset %d", s.Len(), s.Offset())
	}

	// A value handed on does not reach into its neighbour.
	raw := list.Index(0).Raw()
	_ = append(raw, 'X')
	if list.Index(1).Kind() != Int || in[16] != 'i' {
		t.Error("appending to a span changed the buffer")
	}

	// What is not there answers with nothing.
	for _, absent := range []Value{{}, v.Get("none"), v.Get("a").Get("x"), list.Index(3), list.Index(-1), v.Index(0)} {
		_, isInt := absent.Int()
		_, isBytes := absent.Bytes()
		if absent.Exists() || absent.Kind() != Invalid || absent.Raw() != nil || absent.Offset() != -1 ||
			absent.Len() != 0 || isInt || isBytes || absent.Get("a").Exists() {
			t.Errorf("absent value answers: %+v", absent)
		}
	}
	for range v.Items() {
		t.Error("a dictionary has items")
	}
	for range list.Entries() {
		t.Error("a list has entries")
	}
}

func TestWriter(t *testing.T) {
	w := NewWriter([]byte("head:"))
	w.BeginDict()
	w.Key("")
	w.Int(-3)
	w.Key("a")
	w.BeginList()
	w.String("spam")
	w.Bytes([]byte{0xff})
	w.BeginDict()
	w.End()
	w.End()
	w.Key("aa")
	w.Raw([]byte("i01e"))
	w.End()
	if got, want := string(w.Finish()), "head:d0:i-3e1:al4:spam1:\xffdee2:aai01ee"; got != want {
		t.Errorf("%q, want %q", got, want)
	}

	// Nesting beyond the levels kept in the writer itself.
	w = NewWriter(nil)
	for range 20 {
		w.BeginDict()
		w.Key("k")
	}
	w.Int(1)
	for range 20 {
		w.End()
	}
	if got, want := string(w.Finish()), strings.Repeat("d1:k", 20)+"i1e"+strings.Repeat("e", 20); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// Breaking the writer's rules panics, with words that say which.
func TestWriterMisuse(t *testing.T) {
	for want, f := range map[string]func(*Writer){
		`keys out of order: "a" after "b"`: func(w *Writer) { w.BeginDict(); w.Key("b"); w.Int(1); w.Key("a") },
		`keys out of order: "" after ""`:   func(w *Writer) { w.BeginDict(); w.Key(""); w.Int(1); w.Key("") },
		"entry without a key":              func(w *Writer) { w.BeginDict(); w.Int(1) },
		"ended after a key":                func(w *Writer) { w.BeginDict(); w.Key("a"); w.End() },
		"key where none belongs":           func(w *Writer) { w.BeginList(); w.Key("a") },
		`none belongs: "b"`:                func(w *Writer) { w.BeginDict(); w.Key("a"); w.Key("b") },
		"End without":                      func(w *Writer) { w.End() },
		"second value":                     func(w *Writer) { w.Int(1); w.Int(2) },
		"not complete":                     func(w *Writer) { w.BeginList(); w.Finish() },
	} {
		func() {
			defer func() {
				if msg, _ := recover().(string); !strings.Contains(msg, want) {
					t.Errorf("panic %q, want %q", msg, want)
				}
			}()
			w := NewWriter(nil)
			f(&w)
		}()
	}
}

// allocs returns the fewest allocations of a call in several rounds: the count is of the whole
// process, and the collector makes some of its own when it starts its workers.
func allocs(runs int, f func()) float64 {
	least := testing.AllocsPerRun(runs, f)
	for range 4 {
		least = min(least, testing.AllocsPerRun(runs, f))
	}
	return least
}

// The cost of a packet: one allocation to decode it, none to look at it, none to write one.
func TestAllocs(t *testing.T) {
	ping := []byte("d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe")
	var v Value
	if n := allocs(100, func() {
		var err error
		if v, err = Parse(ping); err != nil {
			t.Fatal(err)
		}
	}); n != 1 {
		t.Errorf("decoding a query: %v allocations, want 1", n)
	}
	if n := allocs(100, func() {
		seen := 0
		for k, e := range v.Entries() {
			switch string(k) {
			case "a":
				seen += v.Get("a").Get("id").Len()
			case "q", "t", "y":
				b, _ := e.Bytes()
				seen += len(b)
			}
		}
		if seen != 27 {
			t.Fatalf("saw %d bytes", seen)
		}
	}); n != 0 {
		t.Errorf("looking at a query: %v allocations, want 0", n)
	}
	buf := make([]byte, 0, 128)
	if n := allocs(100, func() {
		if got := writePing(buf); !bytes.Equal(got, ping) {
			t.Fatalf("wrote %q", got)
		}
	}); n != 0 {
		t.Errorf("writing a query: %v allocations, want 0", n)
	}

	// A large document costs its tokens, counted beforehand, in one more piece.
	large := []byte("l" + strings.Repeat("d6:lengthi1e4:pathl1:aee", 10_000) + "e")
	if n := allocs(5, func() {
		if _, err := Parse(large); err != nil {
			t.Fatal(err)
		}
	}); n != 2 {
		t.Errorf("decoding 60,001 values: %v allocations, want 2", n)
	}
}

func writePing(b []byte) []byte {
	w := NewWriter(b)
	w.BeginDict()
	w.Key("a")
	w.BeginDict()
	w.Key("id")
	w.String("abcdefghij0123456789")
	w.End()
	w.Key("q")
	w.String("ping")
	w.Key("t")
	w.String("aa")
	w.Key("y")
	w.String("q")
	w.End()
	return w.Finish()
}
