package bencode

import (
	"bytes"
	"math"
	"slices"
)

// document is a decoded buffer: its values in the order of the wire, one token each. The
// tokens of its members follow the token of a list or dictionary; in a dictionary keys and
// values alternate.
type document struct {
	buf    []byte
	tokens []token

	// Space for the first tokens, so that a packet or a reply, which has few, costs one
	// allocation.
	few [24]token
}

// token is the span of one value.
type token struct {
	start, end uint32 // in the buffer
	next       uint32 // first token behind this value and all its members
	kind       Kind
	head       uint8 // of a string: number of bytes of the length and the colon
}

// While a list or dictionary is open, its token serves as a frame of the parser's stack:
//
//	next   the enclosing open container, or none
//	end    dictionary: its latest key, or 0 when it has none yet (token 0 is never a key)
//	head   dictionary: the flags below
const none = math.MaxUint32

const (
	keyRead  = 1 << iota // a key was read, and its value is due
	unsorted             // a key was not larger than the one before; stays set when the dictionary is closed
)

// maxDigits bounds the length of a string's length. Twenty digits hold any 64-bit number.
const maxDigits = 20

// parse fills d.tokens from the value at the start of d.buf and returns where it ends.
func (d *document) parse(o Options) (int, *SyntaxError) {
	b := d.buf
	if uint64(len(b)) >= none {
		return 0, &SyntaxError{0, "input of 4 GiB or more", ErrTooMany}
	}
	var (
		pos   = 0
		open  = uint32(none) // innermost open container
		depth = 0
	)
	for {
		if pos >= len(b) {
			return 0, truncated(len(b))
		}
		c := b[pos]

		if c == 'e' && open != none {
			pos++
			parent, err := d.close(open, pos, o)
			if err != nil {
				return 0, err
			}
			open = parent
			depth--
			if open == none {
				return pos, nil
			}
			continue
		}

		if len(d.tokens) >= o.MaxTokens {
			return 0, &SyntaxError{pos, "too many values", ErrTooMany}
		}
		if len(d.tokens) == cap(d.tokens) {
			d.grow(pos, depth, o.MaxTokens)
		}
		at := uint32(len(d.tokens))
		isKey := false
		if open != none && d.tokens[open].kind == Dict {
			isKey = d.tokens[open].head&keyRead == 0
			d.tokens[open].head ^= keyRead
		}

		t := token{start: uint32(pos), next: at + 1}
		switch {
		case c >= '0' && c <= '9':
			head, end, err := scanString(b, pos, o.Lenient)
			if err != nil {
				return 0, err
			}
			t.kind, t.head, t.end = String, uint8(head), uint32(end)
			d.tokens = append(d.tokens, t)
			pos = end
			if isKey {
				if err := d.checkKey(open, at, o); err != nil {
					return 0, err
				}
				continue
			}
		case isKey:
			return 0, &SyntaxError{pos, "dictionary key is not a string", ErrSyntax}
		case c == 'i':
			_, end, err := scanInt(b, pos, o.Lenient)
			if err != nil && o.Loose {
				if odd := oddInt(b, pos); odd > 0 {
					end, err = odd, nil
				}
			}
			if err != nil {
				return 0, err
			}
			t.kind, t.end = Int, uint32(end)
			d.tokens = append(d.tokens, t)
			pos = end
		case c == 'l' || c == 'd':
			if depth++; depth > o.MaxDepth {
				return 0, &SyntaxError{pos, "nested too deep", ErrDepth}
			}
			t.kind = List
			if c == 'd' {
				t.kind = Dict
			}
			t.next = open
			d.tokens = append(d.tokens, t)
			open = at
			pos++
			continue
		default:
			return 0, &SyntaxError{pos, "no value begins with this byte", ErrSyntax}
		}
		if open == none {
			return pos, nil
		}
	}
}

// close ends the container at, which ends before pos, and returns the one around it.
func (d *document) close(at uint32, pos int, o Options) (parent uint32, err *SyntaxError) {
	t := &d.tokens[at]
	parent = t.next
	if t.head&keyRead != 0 {
		return 0, &SyntaxError{pos - 1, "dictionary ends after a key", ErrSyntax}
	}
	t.next, t.end = uint32(len(d.tokens)), uint32(pos)
	if t.head&unsorted != 0 && !o.Loose {
		return parent, d.checkUnique(at)
	}
	return parent, nil
}

// checkKey compares the latest key with the one before it. Keys are sorted as raw bytes (BEP
// 3), so in a sorted dictionary equal keys are adjacent.
func (d *document) checkKey(dict, key uint32, o Options) *SyntaxError {
	t := &d.tokens[dict]
	last := t.end
	t.end = key
	if last == 0 {
		return nil
	}
	switch c := bytes.Compare(d.content(last), d.content(key)); {
	case c < 0:
		return nil
	case o.Loose:
		t.head |= unsorted
		return nil
	case c == 0:
		return &SyntaxError{int(d.tokens[key].start), "dictionary key occurs twice", ErrDuplicate}
	case !o.Lenient:
		return &SyntaxError{int(d.tokens[key].start), "dictionary keys out of order", ErrOrder}
	}
	t.head |= unsorted
	return nil
}

// checkUnique looks for duplicate keys in a dictionary that is out of order.
func (d *document) checkUnique(dict uint32) *SyntaxError {
	var keys []uint32
	for i := dict + 1; i < d.tokens[dict].next; i = d.tokens[i+1].next {
		keys = append(keys, i)
	}
	slices.SortFunc(keys, func(x, y uint32) int {
		if c := bytes.Compare(d.content(x), d.content(y)); c != 0 {
			return c
		}
		return int(x) - int(y)
	})
	for i := 1; i < len(keys); i++ {
		if bytes.Equal(d.content(keys[i-1]), d.content(keys[i])) {
			return &SyntaxError{int(d.tokens[keys[i]].start), "dictionary key occurs twice", ErrDuplicate}
		}
	}
	return nil
}

// content returns the text of a string token.
func (d *document) content(i uint32) []byte {
	t := &d.tokens[i]
	return d.buf[t.start+uint32(t.head) : t.end : t.end]
}

// grow makes room for all tokens that can still come. It counts them first: the number is
// exact if the rest is valid, and never more than the rest has bytes.
func (d *document) grow(pos, depth, most int) {
	n := count(d.buf[pos:], depth, most-len(d.tokens))
	more := make([]token, len(d.tokens), len(d.tokens)+max(n, 1))
	copy(more, d.tokens)
	d.tokens = more
}

// count returns how many values begin in b until the containers that are open now, depth of
// them, are closed; at most limit. It stops at the first byte that it does not understand,
// which the parser will then refuse.
func count(b []byte, depth, limit int) int {
	n := 0
	for pos := 0; pos < len(b) && n < limit; {
		switch c := b[pos]; {
		case c >= '0' && c <= '9':
			_, end, err := scanString(b, pos, true)
			if err != nil {
				return n
			}
			n++
			pos = end
		case c == 'i':
			end := bytes.IndexByte(b[pos:], 'e')
			if end < 0 {
				return n
			}
			n++
			pos += end + 1
		case c == 'l' || c == 'd':
			n++
			pos++
			depth++
		case c == 'e':
			pos++
			if depth--; depth <= 0 {
				return n
			}
		default:
			return n
		}
	}
	return n
}

// scanString reads the string at pos: the length of its head ("4:") and its end. It compares
// the length with the available bytes before it uses the length.
func scanString(b []byte, pos int, lenient bool) (head, end int, err *SyntaxError) {
	i, n := pos, uint64(0)
	for ; i < len(b) && b[i] >= '0' && b[i] <= '9'; i++ {
		if i-pos == maxDigits {
			return 0, 0, &SyntaxError{pos, "string length has too many digits", ErrSyntax}
		}
		if n <= uint64(len(b)) { // further digits can only make it longer
			n = n*10 + uint64(b[i]-'0')
		}
	}
	if i >= len(b) {
		return 0, 0, truncated(len(b))
	}
	if b[i] != ':' {
		return 0, 0, &SyntaxError{i, "string length without a colon", ErrSyntax}
	}
	if b[pos] == '0' && i-pos > 1 && !lenient {
		return 0, 0, &SyntaxError{pos, "string length with a leading zero", ErrNumber}
	}
	i++
	if n > uint64(len(b)-i) {
		return 0, 0, &SyntaxError{pos, "string longer than the input", ErrTruncated}
	}
	return i - pos, i + int(n), nil
}

// scanInt reads the integer at pos and its end.
func scanInt(b []byte, pos int, lenient bool) (v int64, end int, err *SyntaxError) {
	i := pos + 1
	negative := i < len(b) && b[i] == '-'
	if negative {
		i++
	}
	first := i
	limit := uint64(math.MaxInt64)
	if negative {
		limit++
	}
	var n uint64
	for ; i < len(b) && b[i] >= '0' && b[i] <= '9'; i++ {
		digit := uint64(b[i] - '0')
		if n > (limit-digit)/10 {
			return 0, 0, &SyntaxError{pos, "integer outside 64 bits", ErrOverflow}
		}
		n = n*10 + digit
	}
	switch {
	case i >= len(b):
		return 0, 0, truncated(len(b))
	case b[i] != 'e':
		return 0, 0, &SyntaxError{i, "integer with a byte that is not a digit", ErrSyntax}
	case i == first:
		return 0, 0, &SyntaxError{i, "integer without digits", ErrSyntax}
	case lenient:
	case b[first] == '0' && i-first > 1:
		return 0, 0, &SyntaxError{first, "integer with a leading zero", ErrNumber}
	case b[first] == '0' && negative:
		return 0, 0, &SyntaxError{pos, "negative zero", ErrNumber}
	}
	if negative {
		return -int64(n), i + 1, nil // -int64(1<<63) is itself: the smallest integer
	}
	return int64(n), i + 1, nil
}

// maxOdd bounds the bytes of an odd integer: thirty digits and a fraction fit.
const maxOdd = 64

// oddInt returns the end of an integer at pos that scanInt refuses: too large, a fraction,
// with an exponent, or empty. It returns 0 for text that is not a number at all.
func oddInt(b []byte, pos int) (end int) {
	for i := pos + 1; i < len(b) && i < pos+maxOdd; i++ {
		switch c := b[i]; {
		case c >= '0' && c <= '9', c == '-', c == '+', c == '.', c == ' ', c == 'E':
		case c == 'e' && i+1 < len(b) && (b[i+1] == '+' || b[i+1] == '-'): // an exponent
		case c == 'e':
			return i + 1
		default:
			return 0
		}
	}
	return 0
}

func truncated(at int) *SyntaxError {
	return &SyntaxError{at, "input ends inside a value", ErrTruncated}
}
