package bencode

import (
	"slices"
	"strconv"
)

// AppendInt appends an integer: "i42e".
func AppendInt(b []byte, n int64) []byte {
	b = append(b, 'i')
	b = strconv.AppendInt(b, n, 10)
	return append(b, 'e')
}

// AppendString appends a string: "4:spam".
func AppendString(b []byte, s string) []byte {
	b = strconv.AppendInt(b, int64(len(s)), 10)
	b = append(b, ':')
	return append(b, s...)
}

// AppendBytes appends a string given as bytes.
func AppendBytes(b, s []byte) []byte {
	b = strconv.AppendInt(b, int64(len(s)), 10)
	b = append(b, ':')
	return append(b, s...)
}

// A Writer appends one document to a buffer and makes sure that it is valid: dictionary keys
// ascend as raw bytes and each has a value, and every list and dictionary is ended.
//
//	w := bencode.NewWriter(buf)
//	w.BeginDict()
//	w.Key("a")
//	w.BeginDict()
//	w.Key("id")
//	w.Bytes(id)
//	w.End()
//	w.Key("q")
//	w.String("ping")
//	w.End()
//	buf = w.Finish()
//
// Breaking these rules panics, because the calling code is wrong, for every input. The caller
// must sort keys that come from elsewhere, and remove duplicates. A Writer allocates nothing
// besides the buffer, except beyond eight levels of nesting.
type Writer struct {
	buf   []byte
	depth int
	done  bool // the document is complete

	// Open lists and dictionaries, outermost first.
	few  [8]level
	more []level
}

type level struct {
	kind       Kind
	haveKey    bool // a key was written, and its value is due
	start, end int  // the latest key in the buffer; start is 0 before the first one
}

// NewWriter returns a writer that appends to b.
func NewWriter(b []byte) Writer { return Writer{buf: b} }

// BeginDict begins a dictionary; End ends it.
func (w *Writer) BeginDict() { w.begin('d', Dict) }

// BeginList begins a list; End ends it.
func (w *Writer) BeginList() { w.begin('l', List) }

// End ends the innermost open list or dictionary.
func (w *Writer) End() {
	if w.depth == 0 {
		panic("bencode: End without a beginning")
	}
	if w.top().haveKey {
		panic("bencode: dictionary ended after a key")
	}
	w.buf = append(w.buf, 'e')
	w.depth--
	w.done = w.depth == 0
}

// Key writes the key of the next entry of a dictionary.
func (w *Writer) Key(k string) {
	if w.depth == 0 || w.top().kind != Dict || w.top().haveKey {
		panic("bencode: key where none belongs: " + strconv.Quote(k))
	}
	l := w.top()
	if l.start > 0 && string(w.buf[l.start:l.end]) >= k {
		panic("bencode: keys out of order: " + strconv.Quote(k) + " after " + strconv.Quote(string(w.buf[l.start:l.end])))
	}
	w.buf = AppendString(w.buf, k)
	l.start, l.end = len(w.buf)-len(k), len(w.buf)
	l.haveKey = true
}

// Int writes an integer.
func (w *Writer) Int(n int64) {
	w.value()
	w.buf = AppendInt(w.buf, n)
}

// String writes a string.
func (w *Writer) String(s string) {
	w.value()
	w.buf = AppendString(w.buf, s)
}

// Bytes writes a string given as bytes.
func (w *Writer) Bytes(s []byte) {
	w.value()
	w.buf = AppendBytes(w.buf, s)
}

// Raw writes one value that is already encoded, such as [Value.Raw], without checking it.
func (w *Writer) Raw(encoded []byte) {
	w.value()
	w.buf = append(w.buf, encoded...)
}

// Finish returns the buffer with the complete document.
func (w *Writer) Finish() []byte {
	if !w.done {
		panic("bencode: document is not complete")
	}
	return w.buf
}

func (w *Writer) begin(c byte, k Kind) {
	w.value()
	w.done = false
	w.buf = append(w.buf, c)
	if n := w.depth - len(w.few); n >= 0 {
		w.more = append(slices.Grow(w.more[:n], 8), level{})
	}
	w.depth++
	*w.top() = level{kind: k}
}

// value notes that a value comes next.
func (w *Writer) value() {
	switch {
	case w.done:
		panic("bencode: a second value in one document")
	case w.depth == 0:
		w.done = true
	case w.top().kind == Dict && !w.top().haveKey:
		panic("bencode: dictionary entry without a key")
	default:
		w.top().haveKey = false
	}
}

func (w *Writer) top() *level {
	if n := w.depth - 1 - len(w.few); n >= 0 {
		return &w.more[n]
	}
	return &w.few[w.depth-1]
}
