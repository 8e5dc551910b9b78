package trackerclient

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"shoal/internal/format/tracker"
)

// Trackers are scripts and small programs, and many get the HTTP around their answer wrong:
// lengths, encodings, status lines, codes. The answer itself is a bencoded dictionary, which marks
// its own end. So HTTP only says where to look first and when to stop waiting. A complete
// dictionary counts wherever it is; what was wrong with the HTTP matters only without one (decision
// 0140). docs/field.md compares what other clients accept.

const (
	maxHeader  = 64 << 10            // bytes of a reply before its body
	firstRead  = 2 << 10             // bytes of the first read: most replies fit into it
	oneRead    = 16 << 10            // bytes per read, at most
	maxWire    = 2 * tracker.MaxBody // bytes of a body with its chunk heads, before inflating
	maxInform  = 5                   // informational replies (1xx) before the real one
	maxLayers  = 3                   // nested compressions
	maxLooks   = 32                  // attempts to find a whole dictionary in an unfinished body
	maxCookies = 16                  // cookies of one reply
	maxCookie  = 4 << 10             // bytes of one cookie
)

// hurry is how long we wait for more when everything the head promised is there and contains no
// dictionary: many lengths are too short.
const hurry = 2 * time.Second

// A reply is the result of one GET: a body, or a redirect.
type reply struct {
	body     []byte
	location string         // target of a redirect; empty for none
	cookies  []*http.Cookie // cookies that it sets
	host     string         // host that sent it
	from     netip.Addr     // address that answered
	took     time.Duration  // from the request to the end of the reply
	lasts    bool           // the connection can carry another exchange
}

// read reads a reply from the connection. It calls soon, if not nil, once when it expects little
// more (decision 0140).
func read(stream io.Reader, soon func()) (reply, error) {
	return (&inbox{r: stream}).reply(soon)
}

// reply reads a reply.
func (in *inbox) reply(soon func()) (reply, error) {
	var h head
	for range maxInform + 1 {
		if h = in.head(); h.code < 100 || h.code > 199 {
			break
		}
	}
	switch {
	case h.location != "" && h.isRedirect():
		return reply{location: h.location, cookies: h.cookies}, nil
	case h.code > 0 && h.code < 200:
		return reply{}, &StatusError{Code: h.code}
	}
	body, ok := in.body(h, soon)
	var ne net.Error
	switch {
	case ok:
		return reply{body: body, lasts: in.lasts(h)}, in.failure(h, body)
	case errors.Is(in.err, ErrTooLong):
		return reply{}, ErrTooLong
	case errors.As(in.err, &ne):
		return reply{}, in.err
	case h.code != 0 && (h.code < 200 || h.code > 299):
		return reply{}, &StatusError{Code: h.code, RetryIn: h.retry}
	case in.short, !h.whole && len(body) == 0:
		return reply{}, io.ErrUnexpectedEOF
	case !h.whole:
		return reply{}, ErrReply
	}
	return reply{body: body}, nil
}

// lasts reports whether the reply ended exactly where its head says, and the server keeps the
// connection open.
func (in *inbox) lasts(h head) bool {
	return h.whole && h.keeps && !h.closes && !h.chunked && h.length >= 0 && len(in.all)-in.at == h.length && in.err == nil &&
		h.code >= 200 && h.code <= 299
}

// An inbox is the bytes that have arrived on a connection.
type inbox struct {
	r     io.Reader
	wait  func() // called before we wait for the rest of a reply; may be nil
	all   []byte
	at    int   // offset of the next bytes to parse
	err   error // reason of the end: io.EOF, ErrTooLong, or an error of the network
	short bool  // the body is shorter than its head promised
}

// more reads more, and reports whether bytes arrived. most bounds the bytes after at.
func (in *inbox) more(most int) bool {
	if in.err != nil {
		return false
	}
	if len(in.all)-in.at >= most {
		in.err = ErrTooLong
		return false
	}
	if len(in.all) > 0 && in.wait != nil {
		in.wait()
	}
	// Read into the spare capacity of all: single bytes of a server then need no buffer each.
	end := len(in.all)
	if cap(in.all)-end < firstRead/2 {
		in.all = slices.Grow(in.all, min(max(end, firstRead), oneRead))
	}
	n, err := in.r.Read(in.all[end : end+min(oneRead, cap(in.all)-end, most-(end-in.at))])
	in.all = in.all[:end+n]
	if in.err = err; errors.Is(err, io.ErrUnexpectedEOF) {
		in.err = io.EOF // TLS closed without its close alert
	}
	return n > 0 || err == nil
}

// line returns the next line of a head, without its end.
func (in *inbox) line() (string, bool) {
	for looked := in.at; ; {
		if i := bytes.IndexByte(in.all[looked:], '\n'); i >= 0 {
			end := looked + i
			line := strings.TrimRight(string(in.all[in.at:end]), "\r")
			in.at = end + 1
			return line, true
		}
		looked = len(in.all)
		if !in.more(maxHeader) {
			return "", false
		}
	}
}

// A head has the relevant parts of the lines before a body.
type head struct {
	whole    bool // it started with a status line, and an empty line ended it
	code     int  // 0 when the status line has none
	length   int  // -1 when absent or malformed
	chunked  bool
	deflate  bool // the head says that the body is deflated
	keeps    bool // its version, HTTP/1.1, keeps connections open
	closes   bool // it says that the server closes the connection
	location string
	retry    time.Duration
	cookies  []*http.Cookie
}

func (h head) isRedirect() bool {
	switch h.code {
	case 300, 301, 302, 303, 307, 308:
		return true
	}
	return false
}

// head reads a status line and the lines up to an empty one. If something else arrived, all of it
// is the body, as before HTTP/1.0.
func (in *inbox) head() head {
	begin := in.at
	none := head{length: -1}
	line, ok := in.line()
	for ok && strings.TrimSpace(line) == "" && in.at-begin < 64 {
		line, ok = in.line() // blank lines that a script sent
	}
	if !ok || !isStatus(line) {
		in.at = begin
		return none
	}
	h := head{length: -1, code: statusCode(line), keeps: strings.HasPrefix(line, "HTTP/1.1 ")}
	for {
		if line, ok = in.line(); ok && in.at-begin > maxHeader {
			in.err = ErrTooLong
			ok = false
		}
		if !ok {
			in.at = begin
			none.code = h.code
			return none
		}
		if strings.TrimSpace(line) == "" {
			h.whole = true
			return h
		}
		h.field(line)
	}
}

// isStatus reports whether a line begins like a status line, in any version.
func isStatus(line string) bool {
	word, _, _ := strings.Cut(strings.TrimSpace(strings.TrimPrefix(line, "\xef\xbb\xbf")), " ")
	word = strings.ToUpper(word)
	return strings.HasPrefix(word, "HTTP/") || word == "HTTP" || word == "ICY"
}

// statusCode returns the first word of three digits, or 0.
func statusCode(line string) int {
	for word := range strings.FieldsSeq(line) {
		if len(word) != 3 {
			continue
		}
		if n, err := strconv.Atoi(word); err == nil {
			return n
		}
	}
	return 0
}

// field parses one header line. Of repeated fields the last valid one counts.
func (h *head) field(line string) {
	name, value, _ := strings.Cut(line, ":")
	value = strings.TrimSpace(value)
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "content-length":
		if n, err := strconv.ParseUint(value, 10, 31); err == nil {
			h.length = max(h.length, int(n))
		}
	case "transfer-encoding":
		h.chunked = h.chunked || strings.Contains(strings.ToLower(value), "chunked")
	case "connection":
		h.closes = h.closes || strings.Contains(strings.ToLower(value), "close")
	case "content-encoding":
		h.deflate = h.deflate || strings.Contains(strings.ToLower(value), "deflate")
	case "location":
		if len(value) <= tracker.MaxURL {
			h.location = value
		}
	case "retry-after":
		if n, err := strconv.ParseUint(value, 10, 31); err == nil {
			h.retry = min(time.Duration(n)*time.Second, tracker.MaxInterval)
		}
	case "set-cookie":
		if c, err := http.ParseSetCookie(value); err == nil && len(value) <= maxCookie && len(h.cookies) < maxCookies {
			h.cookies = append(h.cookies, c)
		}
	}
}

// body reads until a dictionary is complete, or until no more will come, and reports whether there
// is one.
func (in *inbox) body(h head, soon func()) ([]byte, bool) {
	c := chunks{bad: !h.chunked}
	looks, waited := 0, false
	var end ending
	for {
		raw := in.all[in.at:]
		c.feed(raw)
		plain := raw
		if h.chunked {
			plain = c.body
		}
		// Do not wait for a server that keeps the connection open.
		if end.of(plain) == 'e' && looks < maxLooks {
			if looks++; tracker.Begins(plain) {
				return plain, true
			}
		}
		promised := h.length >= 0 && !h.chunked && len(raw) >= h.length || c.done || h.code == 204 || h.code == 304
		if promised && !waited {
			waited = true
			if dict, ok := in.find(h, &c); ok {
				return dict, true
			}
			if soon != nil {
				soon()
			}
		}
		if !in.more(maxWire) {
			break
		}
	}
	raw := in.all[in.at:]
	if dict, ok := in.find(h, &c); ok {
		return dict, true
	}
	if waited && !errors.Is(in.err, ErrTooLong) {
		in.err = io.EOF // everything promised came; the promise was wrong
	}
	in.short = h.whole && (h.chunked && !c.done || !h.chunked && len(raw) < h.length)
	if h.chunked {
		raw = c.body
	}
	return raw, false
}

// An ending finds the last non-blank byte of a body. It looks at each byte once: a body of blanks
// in small pieces would otherwise cost the square of its length (decision 0178).
type ending struct {
	seen int // bytes already looked at
	last byte
}

// of returns the last non-blank byte of body, which has grown since the last call.
func (e *ending) of(body []byte) byte {
	if fresh := bytes.TrimRight(body[e.seen:], "\r\n\t \x00"); len(fresh) > 0 {
		e.last = fresh[len(fresh)-1]
	}
	e.seen = len(body)
	return e.last
}

// find looks for a complete dictionary in a body: first decoded as the head says, then as it came,
// then with the head, which perhaps is not one.
func (in *inbox) find(h head, c *chunks) ([]byte, bool) {
	if h.chunked {
		if dict, ok := in.inflated(c.body, h.deflate, maxLayers); ok {
			return dict, true
		}
	}
	return in.inflated(in.all[in.at:], h.deflate, maxLayers)
}

// inflated looks for a dictionary in b as it is, then in b decompressed, whatever the head said.
func (in *inbox) inflated(b []byte, deflate bool, layers int) ([]byte, bool) {
	if dict, ok := tracker.Find(b); ok {
		return dict, true
	}
	if layers == 0 || len(b) < 2 {
		return nil, false
	}
	var z io.Reader
	var err error
	switch {
	case b[0] == 0x1f && b[1] == 0x8b:
		z, err = gzip.NewReader(bytes.NewReader(b))
	case b[0]&0x0f == 8 && (uint(b[0])<<8|uint(b[1]))%31 == 0:
		z, err = zlib.NewReader(bytes.NewReader(b))
	case deflate:
		z = flate.NewReader(bytes.NewReader(b))
	default:
		return nil, false
	}
	if err != nil {
		return nil, false
	}
	// What was inflated before an error can be complete: checksums at the end are often wrong or
	// cut off.
	plain, _ := io.ReadAll(io.LimitReader(z, tracker.MaxBody+1))
	if len(plain) > tracker.MaxBody {
		in.err = ErrTooLong
		plain = plain[:tracker.MaxBody]
	}
	return in.inflated(plain, deflate, layers-1)
}

// failure handles a dictionary that came with a status other than success: only when the tracker
// refuses does it use the wait in the head.
func (in *inbox) failure(h head, dict []byte) error {
	if h.retry == 0 && !isBusy(h.code) {
		return nil // the caller reads it
	}
	var failure *tracker.FailureError
	if _, err := tracker.ParseResponse(dict); !errors.As(err, &failure) {
		return nil
	}
	if failure.RetryIn == 0 && h.retry > 0 {
		failure.RetryIn = h.retry
	}
	switch {
	case isBusy(h.code):
		return busyError{failure}
	case h.retry > 0:
		return failure
	}
	return nil
}

// chunks decodes a chunked body (RFC 9112, 7.1) as far as possible.
type chunks struct {
	body []byte
	at   int  // offset of the next chunk's head
	left int  // bytes still missing of the current chunk
	done bool // the last chunk has arrived
	bad  bool // what follows is not a chunk
}

// feed decodes raw, which has grown since the last call.
func (c *chunks) feed(raw []byte) {
	for !c.done && !c.bad {
		if c.left > 0 {
			n := min(c.left, len(raw)-c.at)
			c.body = append(c.body, raw[c.at:c.at+n]...)
			c.at, c.left = c.at+n, c.left-n
			if c.left > 0 {
				return
			}
		}
		end := bytes.IndexByte(raw[c.at:], '\n')
		if end < 0 {
			c.bad = len(raw)-c.at > 1024 // no chunk head is that long
			return
		}
		size, _, _ := strings.Cut(string(raw[c.at:c.at+end]), ";")
		c.at += end + 1
		if size = strings.TrimSpace(size); size == "" {
			continue // the end of the previous chunk
		}
		n, err := strconv.ParseUint(size, 16, 31)
		c.bad = err != nil
		c.done = err == nil && n == 0
		c.left = int(n)
	}
}
