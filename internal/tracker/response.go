package tracker

import (
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"shoal/bencode"
)

// decoding is lenient, because deployed trackers send unsorted keys and bytes after
// the dictionary, and bounded: a reply is three levels deep, and seven values a peer
// fill MaxPeers many times over.
var decoding = bencode.Options{Lenient: true, MaxDepth: 8, MaxTokens: 20 * MaxPeers}

// ParseResponse reads the body of a reply. The error is a *FailureError when the
// tracker said no, ErrEmpty, ErrTooLong, ErrMalformed, or one of bencode's.
//
// What is missing, of a wrong type or out of range is left at "not given" and the
// rest is used, as other clients do; a list of whole peers cut short in the middle
// of one is not used at all.
func ParseResponse(b []byte) (Response, error) {
	if len(b) == 0 {
		return Response{}, ErrEmpty
	}
	if len(b) > MaxBody {
		return Response{}, ErrTooLong
	}
	d, _, err := decoding.ParsePrefix(b)
	if err != nil {
		return Response{}, fmt.Errorf("read tracker reply: %w", err)
	}
	if d.Kind() != bencode.Dict {
		return Response{}, ErrMalformed
	}
	if reason, ok := d.Get("failure reason").Bytes(); ok {
		return Response{}, &FailureError{Reason: printable(reason), RetryIn: retryIn(d.Get("retry in"))}
	}
	r := Response{
		Interval:    seconds(d.Get("interval")),
		MinInterval: seconds(d.Get("min interval")),
		ExternalIP:  externalIP(d.Get("external ip")),
		Seeders:     count(d.Get("complete")),
		Leechers:    count(d.Get("incomplete")),
	}
	if id, ok := d.Get("tracker id").Bytes(); ok && len(id) <= maxTrackerID {
		r.TrackerID = string(id)
	}
	if warning, ok := d.Get("warning message").Bytes(); ok {
		r.Warning = printable(warning)
	}
	r.Peers = appendPeers(r.Peers, d.Get("peers"), d.Get("peers6"))
	return r, nil
}

// seconds reads a wait. What is not positive counts as not given.
func seconds(v bencode.Value) time.Duration {
	n, ok := v.Int()
	if !ok || n <= 0 {
		return 0
	}
	return time.Duration(min(n, int64(MaxInterval/time.Second))) * time.Second
}

// retryIn reads minutes, or "never" (BEP 31).
func retryIn(v bencode.Value) time.Duration {
	minutes, ok := v.Int()
	if text, isText := v.Bytes(); isText {
		if string(text) == "never" {
			return Never
		}
		n, err := strconv.ParseInt(string(text), 10, 32)
		minutes, ok = n, err == nil
	}
	if !ok || minutes <= 0 {
		return 0
	}
	return time.Duration(min(minutes, int64(MaxInterval/time.Minute))) * time.Minute
}

// count reads a number of peers; -1 when there is none.
func count(v bencode.Value) int64 {
	if n, ok := v.Int(); ok && n >= 0 {
		return n
	}
	return -1
}

// externalIP reads our address in its 4 or 16 bytes (BEP 24); some trackers give
// it as text.
func externalIP(v bencode.Value) netip.Addr {
	b, _ := v.Bytes()
	a, ok := netip.AddrFromSlice(b)
	if !ok && len(b) <= 45 {
		a, _ = netip.ParseAddr(string(b))
	}
	return a.Unmap().WithZone("")
}
