package tracker

import (
	"bytes"

	"shoal/bencode"
)

// decoding is tolerant, because deployed trackers send unsorted keys, duplicate keys, numbers
// out of range and bytes after the dictionary. It is bounded: a reply is three levels deep,
// and seven values for each peer fit MaxPeers many times over.
var decoding = bencode.Options{Loose: true, MaxDepth: 8, MaxTokens: 20 * MaxPeers}

// Bounds on the search for a dictionary in other text. Each failed try may cost as much as
// reading the rest (decision 0178).
const (
	maxTries   = 64       // places where a dictionary may begin
	maxPreface = 64 << 10 // bytes before it
)

// answers are the keys that identify a tracker's dictionary in other text.
var answers = [...]string{
	"interval", "min interval", "peers", "peers6", "failure reason", "warning message",
	"complete", "incomplete", "files", "tracker id",
}

// byteOrderMark is what some editors and some scripts put at the start.
var byteOrderMark = []byte("\xef\xbb\xbf")

// Find looks for the dictionary of a reply in a body, and reports whether all of it is there.
// Blanks, a byte order mark, and the warnings or the page of a script may precede it. Without
// a dictionary, dict is the body without leading blanks (decision 0140).
func Find(body []byte) (dict []byte, ok bool) {
	dict, _, err := find(body)
	return dict, err == nil
}

// find is Find with the dictionary as a value. err is why there is none at the start of dict.
func find(body []byte) (dict []byte, v bencode.Value, err error) {
	plain := trimFront(body)
	if v, err = dictionary(plain); err == nil {
		return plain, v, nil
	}
	rest := plain[:min(len(plain), maxPreface)]
	for range maxTries {
		i := nextDict(rest)
		if i < 0 {
			break
		}
		at := len(rest) - i // counted from the end, where plain was cut
		from := plain[min(len(plain), maxPreface)-at:]
		if v, err := dictionary(from); err == nil && isAnswer(v) {
			return from, v, nil
		}
		rest = rest[i+1:]
	}
	return plain, v, err
}

// Begins reports whether a body begins with a complete dictionary: what follows does not
// belong to the reply.
func Begins(body []byte) bool {
	_, err := dictionary(trimFront(body))
	return err == nil
}

// dictionary decodes the dictionary at the start of b.
func dictionary(b []byte) (bencode.Value, error) {
	v, _, err := decoding.ParsePrefix(b)
	if err == nil && v.Kind() != bencode.Dict {
		err = ErrMalformed
	}
	return v, err
}

// nextDict returns the position of a "d" before a digit, or -1.
func nextDict(b []byte) int {
	for at := 0; ; {
		i := bytes.IndexByte(b[at:], 'd')
		if i < 0 || at+i+1 >= len(b) {
			return -1
		}
		if at += i; b[at+1] >= '0' && b[at+1] <= '9' {
			return at
		}
		at++
	}
}

func isAnswer(v bencode.Value) bool {
	for _, key := range answers {
		if v.Get(key).Exists() {
			return true
		}
	}
	return false
}

// trimFront removes leading blanks and byte order marks, in any order.
func trimFront(b []byte) []byte {
	for {
		short := bytes.TrimPrefix(bytes.TrimLeft(b, " \t\r\n\f\v\x00"), byteOrderMark)
		if len(short) == len(b) {
			return short
		}
		b = short
	}
}

// isPage reports whether a body is a web page.
func isPage(b []byte) bool {
	head := bytes.ToLower(b[:min(len(b), 512)])
	for _, tag := range []string{"<!doctype", "<html", "<head", "<body", "<script", "<?xml", "<title"} {
		if bytes.Contains(head, []byte(tag)) {
			return true
		}
	}
	return false
}

// parse decodes a reply. Its error is the one of ParseResponse when the body is not a reply,
// or refuses.
func parse(b []byte) (bencode.Value, error) {
	if len(trimFront(b)) == 0 {
		return bencode.Value{}, ErrEmpty
	}
	if len(b) > MaxBody {
		return bencode.Value{}, ErrTooLong
	}
	dict, d, err := find(b)
	switch {
	case err != nil && isPage(dict):
		return d, &pageError{err}
	case err != nil:
		return d, err
	}
	if reason := d.Get("failure reason"); reason.Exists() {
		text, _ := reason.Bytes()
		if len(text) == 0 && d.Get("peers").Exists() {
			return d, nil // the tracker fills in all fields of a form, and has answered
		}
		return d, &FailureError{Reason: spoken(text), RetryIn: retryIn(d), Soonest: seconds(d.Get("min interval"))}
	}
	return d, nil
}

// pageError is a web page in place of a reply. It wraps the error of the decoder.
type pageError struct{ err error }

func (e *pageError) Error() string {
	return "a web page instead of an answer: check the announce URL, and whether the site is up"
}
func (e *pageError) Unwrap() error { return e.err }
