package tracker

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"shoal/bencode"
)

// ParseResponse reads the body of a reply. The error is a *FailureError when the tracker
// refused, ErrEmpty, ErrTooLong, ErrMalformed, or one of bencode's.
//
// It skips text around the dictionary. A field that is missing, of a wrong type or out of
// range counts as absent and the rest is used, as in other clients. Of a damaged list it uses
// the whole peers, and Note says so.
func ParseResponse(b []byte) (Response, error) {
	d, err := parse(b)
	var failure *FailureError
	switch {
	case errors.As(err, &failure), errors.Is(err, ErrEmpty), errors.Is(err, ErrTooLong):
		return Response{}, err
	case err != nil:
		return Response{}, fmt.Errorf("read tracker reply: %w", err)
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
		r.Warning = spoken(warning)
	}
	r.Peers, r.Note = readPeers(d.Get("peers"), d.Get("peers6"))
	return r, nil
}

// number reads an integer, even one that a script wrote as text or as a fraction; one that 64
// bits cannot hold becomes the largest or smallest one.
func number(v bencode.Value) (int64, bool) {
	if n, ok := v.Int(); ok {
		return n, true
	}
	text := ""
	switch b, ok := v.Bytes(); {
	case ok:
		text = strings.TrimSpace(string(b[:min(len(b), 64)]))
	case v.Kind() == bencode.Int:
		text = strings.TrimSpace(string(v.Raw()[1 : len(v.Raw())-1]))
	}
	whole, _, _ := strings.Cut(text, ".")
	if whole == "" { // mostly because the key is absent
		return 0, false
	}
	n, err := strconv.ParseInt(whole, 10, 64)
	return n, err == nil || errors.Is(err, strconv.ErrRange)
}

// seconds reads a duration. A value that is not positive counts as absent.
func seconds(v bencode.Value) time.Duration {
	n, ok := number(v)
	if !ok || n <= 0 {
		return 0
	}
	return time.Duration(min(n, int64(MaxInterval/time.Second))) * time.Second
}

// retryIn reads how long a tracker that refuses wants to be left alone: minutes or "never"
// (BEP 31), else the interval that many send along with the reason.
func retryIn(d bencode.Value) time.Duration {
	v := d.Get("retry in")
	if text, ok := v.Bytes(); ok && strings.EqualFold(strings.TrimSpace(string(text)), "never") {
		return Never
	}
	if minutes, ok := number(v); ok && minutes > 0 {
		return time.Duration(min(minutes, int64(MaxInterval/time.Minute))) * time.Minute
	}
	return max(seconds(d.Get("interval")), seconds(d.Get("min interval")))
}

// count reads a number of peers; -1: absent.
func count(v bencode.Value) int64 {
	if n, ok := number(v); ok && n >= 0 {
		return n
	}
	return -1
}

// externalIP reads our address as 4 or 16 bytes (BEP 24); some trackers send it as text.
func externalIP(v bencode.Value) netip.Addr {
	b, _ := v.Bytes()
	a, ok := netip.AddrFromSlice(b)
	if !ok && len(b) <= 45 {
		a, _ = netip.ParseAddr(string(b))
	}
	return a.Unmap().WithZone("")
}
