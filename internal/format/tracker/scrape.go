package tracker

import (
	"errors"
	"fmt"
	"strings"

	"shoal/bencode"
	"shoal/internal/value/infohash"
)

// MaxHTTPHashes is how many torrents one scrape over HTTP asks for, in up to 71 bytes each:
// many servers refuse URLs of much more than four thousand bytes, as does MaxURL.
const MaxHTTPHashes = 40

// ScrapeURL returns the URL at which the tracker of an announce URL answers scrapes (BEP 48):
// in the last part of the path it replaces a leading "announce" by "scrape". It returns false
// for a tracker without scrapes. A UDP tracker is scraped at its announce URL, and a scrape
// URL stays the same.
func ScrapeURL(announce string) (string, bool) {
	base, _, _ := strings.Cut(announce, "#")
	if CheckURL(base) != nil {
		return "", false
	}
	if Scheme(base) == "udp" {
		return base, true
	}
	path, query, asks := strings.Cut(base, "?")
	slash := strings.LastIndexByte(path, '/')
	last := path[slash+1:]
	switch {
	case slash < len("http://"): // the slashes of the scheme: there is no path
		return "", false
	case strings.HasPrefix(last, "scrape"):
		return base, true
	case !strings.HasPrefix(last, "announce"):
		return "", false
	}
	path = path[:slash+1] + "scrape" + strings.TrimPrefix(last, "announce")
	if asks {
		path += "?" + query
	}
	return path, true
}

// ScrapeQuery returns the URL to GET for the counts of at most MaxHTTPHashes torrents. scrape
// is a result of ScrapeURL.
func ScrapeQuery(scrape string, hashes []infohash.Hash) string {
	b := []byte(scrape)
	for _, h := range hashes[:min(len(hashes), MaxHTTPHashes)] {
		switch {
		case strings.HasSuffix(string(b), "?"), strings.HasSuffix(string(b), "&"):
		case strings.Contains(string(b), "?"):
			b = append(b, '&')
		default:
			b = append(b, '?')
		}
		b = append(b, "info_hash="...)
		b = appendEscaped(b, string(h[:]))
	}
	return string(b)
}

// ParseScrape reads the counts of the requested torrents from the body of a reply. Torrents
// that the tracker does not know, or that were not requested, are missing in the result. The
// errors are those of ParseResponse.
func ParseScrape(b []byte, hashes []infohash.Hash) (map[infohash.Hash]Counts, error) {
	d, err := parse(b)
	var failure *FailureError
	switch {
	case errors.As(err, &failure), errors.Is(err, ErrEmpty), errors.Is(err, ErrTooLong):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("read tracker reply: %w", err)
	}
	files := d.Get("files")
	if files.Kind() != bencode.Dict {
		return nil, ErrMalformed
	}
	counts := make(map[infohash.Hash]Counts, min(len(hashes), MaxHTTPHashes))
	for _, h := range hashes {
		if f := files.Get(string(h[:])); f.Kind() == bencode.Dict {
			counts[h] = Counts{
				Seeders: count(f.Get("complete")), Leechers: count(f.Get("incomplete")),
				Downloaded: count(f.Get("downloaded")), Downloaders: count(f.Get("downloaders")),
			}
		}
	}
	return counts, nil
}
