package bencode

import (
	"bytes"
	"iter"
)

// A Value is a view on one value of a decoded document. The zero Value is absent: it has no
// kind and no members, and its methods return zero values, so that
//
//	v.Get("a").Get("id").Bytes()
//
// needs one check at the end. A Value is small and is passed by value.
type Value struct {
	doc *document
	at  uint32
}

func (v Value) token() *token { return &v.doc.tokens[v.at] }

// Exists reports whether there is a value.
func (v Value) Exists() bool { return v.doc != nil }

// Kind returns the kind of the value; Invalid when it is absent.
func (v Value) Kind() Kind {
	if v.doc == nil {
		return Invalid
	}
	return v.token().kind
}

// Raw returns the bytes of the value as they were sent, or nil.
func (v Value) Raw() []byte {
	if v.doc == nil {
		return nil
	}
	t := v.token()
	return v.doc.buf[t.start:t.end:t.end]
}

// Offset returns where the value begins in the buffer, or -1.
func (v Value) Offset() int {
	if v.doc == nil {
		return -1
	}
	return int(v.token().start)
}

// Int returns an integer. It returns false for every other kind, and for an integer outside
// 64 bits, which Options.Loose keeps.
func (v Value) Int() (int64, bool) {
	if v.Kind() != Int {
		return 0, false
	}
	n, _, err := scanInt(v.doc.buf, int(v.token().start), true)
	return n, err == nil
}

// Bytes returns the contents of a string, which are bytes in no particular character set.
// They are part of the buffer. It returns false for every other kind.
func (v Value) Bytes() ([]byte, bool) {
	if v.Kind() != String {
		return nil, false
	}
	return v.doc.content(v.at), true
}

// Text returns a copy of the contents of a string, without checking that they are UTF-8. It
// returns false for every other kind.
func (v Value) Text() (string, bool) {
	b, ok := v.Bytes()
	return string(b), ok
}

// Len returns the number of bytes of a string, of values of a list, or of entries of a
// dictionary, and 0 for anything else. It counts lists and dictionaries each time.
func (v Value) Len() int {
	n := 0
	switch v.Kind() {
	case String:
		n = len(v.doc.content(v.at))
	case List:
		for range v.Items() {
			n++
		}
	case Dict:
		for range v.Entries() {
			n++
		}
	}
	return n
}

// Get returns the value of a key. It is absent when v is not a dictionary or has no such key.
// Get searches the entries in their order.
func (v Value) Get(key string) Value {
	if v.Kind() != Dict {
		return Value{}
	}
	d, end := v.doc, v.token().next
	for i := v.at + 1; i < end; i = d.tokens[i+1].next {
		if string(d.content(i)) == key {
			return Value{d, i + 1}
		}
	}
	return Value{}
}

// Ordered reports whether the keys of a dictionary ascend, so that none is duplicate.
func (v Value) Ordered() bool { return v.Kind() == Dict && v.token().head&unsorted == 0 }

// Same reports whether all values of a key have the same bytes; true for a key that occurs
// once or not at all. Only a document decoded with Options.Loose can have others.
func (v Value) Same(key string) bool {
	if v.Kind() != Dict || v.Ordered() {
		return true
	}
	first := v.Get(key)
	for k, other := range v.Entries() {
		if string(k) == key && !bytes.Equal(other.Raw(), first.Raw()) {
			return false
		}
	}
	return true
}

// Index returns the value at index i of a list. It is absent when v is not a list or is too
// short. Index steps over the values before it: to see them all, use Items.
func (v Value) Index(i int) Value {
	if i < 0 {
		return Value{}
	}
	for item := range v.Items() {
		if i == 0 {
			return item
		}
		i--
	}
	return Value{}
}

// Items yields the values of a list. It yields nothing for any other kind.
func (v Value) Items() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		if v.Kind() != List {
			return
		}
		d, end := v.doc, v.token().next
		for i := v.at + 1; i < end; i = d.tokens[i].next {
			if !yield(Value{d, i}) {
				return
			}
		}
	}
}

// Entries yields the entries of a dictionary in the order of the wire. The keys are part of
// the buffer. It yields nothing for any other kind.
func (v Value) Entries() iter.Seq2[[]byte, Value] {
	return func(yield func([]byte, Value) bool) {
		if v.Kind() != Dict {
			return
		}
		d, end := v.doc, v.token().next
		for i := v.at + 1; i < end; i = d.tokens[i+1].next {
			if !yield(d.content(i), Value{d, i + 1}) {
				return
			}
		}
	}
}
