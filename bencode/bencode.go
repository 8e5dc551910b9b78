// Package bencode decodes and writes bencode, the encoding of torrent files, tracker replies,
// DHT packets and extension messages (BEP 3).
//
// Decoding builds no tree and copies nothing. One pass over the buffer checks all of it and
// notes where each value begins and ends; a [Value] is a view on one of those spans. So the
// bytes of a value as they were sent are always available ([Value.Raw]): info-hashes and
// signatures are computed over them. Encoding the decoded values again would give another
// hash for the badly sorted torrents that exist.
//
// The decoder is iterative. It takes time proportional to the input and memory proportional
// to the number of values, both bounded by [Options]. It holds no state between calls. The
// values that it returns refer to the buffer, which must not change while they are in use.
package bencode

// Defaults of [Options].
const (
	// DefaultMaxDepth is how deep lists and dictionaries may nest. Torrents need 5 levels,
	// and one for each folder when BEP 52 spells paths as nested dictionaries.
	DefaultMaxDepth = 100

	// DefaultMaxTokens is how many values, keys included, a document may have. A file of a
	// torrent takes seven or eight, so this is a torrent of some 400,000 files.
	DefaultMaxTokens = 3_000_000
)

// Kind is the kind of a [Value].
type Kind uint8

// Kinds of BEP 3. Invalid is the kind of an absent value.
const (
	Invalid Kind = iota
	Int
	String
	List
	Dict
)

// String returns the name of the kind in errors: "integer", "string", "list", "dictionary".
func (k Kind) String() string {
	switch k {
	case Int:
		return "integer"
	case String:
		return "string"
	case List:
		return "list"
	case Dict:
		return "dictionary"
	}
	return "nothing"
}

// Options are the rules of decoding. The zero value is strict, with the default limits.
type Options struct {
	// Lenient tolerates what deployed programs send although BEP 3 forbids it: keys out of
	// order, leading zeros in integers and string lengths, and negative zero. It refuses a
	// key that occurs twice in a dictionary: readers that take the first and readers that
	// take the last would see two different documents.
	Lenient bool

	// Loose is Lenient and more: it keeps values that a reader may never ask for. A key may
	// occur twice, and Get returns the first value, as in most deployed readers. An integer
	// may be outside 64 bits, or a fraction: its Int returns false. If two readers must see
	// the same document, the caller checks Same.
	Loose bool

	// MaxDepth bounds the nesting of lists and dictionaries; 0 means DefaultMaxDepth.
	MaxDepth int

	// MaxTokens bounds the number of values, keys included; 0 means DefaultMaxTokens.
	MaxTokens int
}

// Parse decodes b, which must be one value and nothing else, by the strict rules and the
// default limits. The error is a [*SyntaxError].
func Parse(b []byte) (Value, error) {
	return Options{}.Parse(b)
}

// Parse decodes b, which must be one value and nothing else. The error is a [*SyntaxError].
func (o Options) Parse(b []byte) (Value, error) {
	v, rest, err := o.ParsePrefix(b)
	if err != nil {
		return Value{}, err
	}
	if len(rest) > 0 {
		return Value{}, &SyntaxError{Offset: len(b) - len(rest), Msg: "bytes after the end of the value", Err: ErrTrailing}
	}
	return v, nil
}

// ParsePrefix decodes the value at the beginning of b and returns the bytes that follow it:
// metadata messages carry a block right after their dictionary (BEP 9). The error is a
// [*SyntaxError].
func (o Options) ParsePrefix(b []byte) (v Value, rest []byte, err error) {
	if o.MaxDepth <= 0 {
		o.MaxDepth = DefaultMaxDepth
	}
	if o.MaxTokens <= 0 {
		o.MaxTokens = DefaultMaxTokens
	}
	o.Lenient = o.Lenient || o.Loose
	d := &document{buf: b}
	d.tokens = d.few[:0]
	end, serr := d.parse(o)
	if serr != nil {
		return Value{}, nil, serr
	}
	return Value{d, 0}, b[end:], nil
}
