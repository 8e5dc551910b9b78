// Package metainfo reads, checks and makes torrent files of BitTorrent v1 (BEP 3), with the
// lists of trackers (BEP 12), DHT nodes (BEP 5) and web seeds (BEP 17, 19), the private flag
// (BEP 27) and pad files (BEP 47). A hybrid of v1 and v2 (BEP 52) is read by its v1 part.
//
// It works on bytes and touches no file. [Parse] reads a torrent file, [ParseInfo] an info
// dictionary that came from peers, [Draft] makes a new one, [Torrent.Encode] writes a torrent
// file. [Geometry] is the arithmetic of pieces and blocks.
//
// A torrent comes from a stranger. What cannot be honoured is refused with the reason and the
// place ([*Error]); what is merely odd loads, with a warning when the user should know.
//
//   - The info-hash covers the info dictionary as it was sent, so unsorted keys and other
//     defects that circulate load with the hash that everyone else has. An important key that
//     occurs twice with two values is refused, and so is length beside files: two clients
//     would read two torrents. Other keys may occur twice.
//   - Every number is checked before it sizes anything; see the bounds, from [MaxSize] on.
//     There must be exactly one hash for each piece.
//   - Names stay as in the torrent unless they lead out of the folder, see [KeepName]. When a
//     file system does not take them they become safe, see [SafeName]. No two files of a
//     torrent get one path, and with [Info.Paths] this holds even if the file system ignores
//     case or the composition of accents.
//   - A fault in an entry beside info costs that entry, never the torrent.
//
// This package does not change the values that it returned. They refer to the bytes from
// which they were parsed, which must not change either.
package metainfo

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"shoal/bencode"
	"shoal/internal/value/infohash"
)

// Hash is a v1 info-hash: the SHA-1 of the info dictionary as it was sent.
type Hash = infohash.Hash

// A Torrent is the contents of a torrent file.
type Torrent struct {
	Info     *Info
	InfoHash Hash // same as Info.Hash

	// Where to find peers. This package checks only that URLs are one line of text.
	Announce     string     // a tracker; AnnounceList replaces it when present (BEP 12)
	AnnounceList [][]string // trackers in tiers, none empty, no URL twice
	Nodes        []string   // DHT nodes as "host:port" or "[IPv6]:port" (BEP 5)
	URLList      []string   // web seeds (BEP 19)
	HTTPSeeds    []string   // web seeds of the other kind (BEP 17)

	// Descriptions. Hostile text: show it with Printable.
	Comment      string
	CreatedBy    string
	CreationDate time.Time // UTC, in seconds; zero: absent

	// Other entries of the file, in its order: signatures, piece layers, and unknown keys.
	// They are kept so that writing the torrent again loses nothing.
	Unknown []Entry

	// Warnings say what was odd, in words for the user that are safe to print. Those about
	// the info dictionary come first.
	Warnings []string
}

// An Entry is a key of a dictionary and its value as it was sent.
type Entry struct {
	Key string
	Raw []byte
}

// Trackers returns the tiers to announce to: the list if there is one, else the single
// tracker, else none (BEP 12).
func (t *Torrent) Trackers() [][]string {
	switch {
	case len(t.AnnounceList) > 0:
		return t.AnnounceList
	case t.Announce != "":
		return [][]string{{t.Announce}}
	}
	return nil
}

// rules are the decoder's options for everything that this package reads.
var rules = bencode.Options{Loose: true, MaxDepth: maxDepth, MaxTokens: maxTokens}

// Parse reads a torrent file. The error is an [*Error]. Blanks and a byte order mark before
// the torrent, and bytes behind it, as some editors add them, are ignored with a warning.
func Parse(b []byte) (*Torrent, error) {
	if len(b) > MaxSize {
		return nil, &Error{Msg: "torrent file larger than 64 MiB", Err: ErrTooLarge}
	}
	front := len(b)
	b = bytes.TrimLeft(bytes.TrimPrefix(bytes.TrimLeft(b, " \t\r\n"), []byte("\xef\xbb\xbf")), " \t\r\n")
	front -= len(b)
	t, err := parse(b)
	if err != nil {
		err.Offset += front
		return nil, err
	}
	if front > 0 {
		t.Warnings = append(t.Warnings, fmt.Sprintf("%d bytes before the torrent are ignored", front))
	}
	return t, nil
}

func parse(b []byte) (*Torrent, *Error) {
	root, rest, err := rules.ParsePrefix(b)
	if err != nil {
		return nil, notBencode(err)
	}
	if root.Kind() != bencode.Dict {
		return nil, wrongKind(root, root, "", bencode.Dict)
	}
	v := root.Get("info")
	if v.Kind() != bencode.Dict {
		return nil, wrongKind(root, v, "info", bencode.Dict)
	}
	if err := checkSame(root, "", "info"); err != nil {
		return nil, err
	}
	charset, _ := root.Get("encoding").Text()
	info, ierr := parseInfo(v, charset)
	if ierr != nil {
		return nil, ierr
	}
	p := &parser{
		Torrent: &Torrent{Info: info, InfoHash: info.Hash},
		notes:   notes(info.Warnings[:len(info.Warnings):len(info.Warnings)]),
	}
	var seen map[string]bool // used only when keys may occur twice
	if !root.Ordered() {
		seen = make(map[string]bool)
	}
	for key, v := range root.Entries() {
		if seen[string(key)] {
			p.notes.add("%s occurs twice; the first counts", quote(string(key)))
			continue
		}
		if seen != nil {
			seen[string(key)] = true
		}
		p.entry(string(key), v, root)
	}
	if p.flat && p.Announce != "" && len(p.AnnounceList) > 0 && !slices.ContainsFunc(p.AnnounceList, func(tier []string) bool { return slices.Contains(tier, p.Announce) }) {
		p.AnnounceList = slices.Insert(p.AnnounceList, 0, []string{p.Announce}) // its writer did not know BEP 12
	}
	if len(rest) > 0 {
		p.notes.add("%d bytes after the end of the torrent are ignored", len(rest))
	}
	p.Warnings = p.notes
	return p.Torrent, nil
}

// parser reads the entries around the info dictionary. Nothing here refuses a torrent.
type parser struct {
	*Torrent
	notes notes
	flat  bool // announce-list is not a list of tiers
}

func (p *parser) entry(key string, v, root bencode.Value) {
	switch key {
	case "info":
	case "announce":
		if v.Kind() == bencode.List { // the writer meant announce-list
			for item := range v.Items() {
				if p.Announce = p.url(item, key); p.Announce != "" {
					break
				}
			}
			return
		}
		p.Announce = p.url(v, key)
	case "announce-list":
		p.announceList(v)
	case "nodes":
		p.nodes(v)
	case "url-list":
		p.URLList = p.urls(v, key)
	case "httpseeds":
		p.HTTPSeeds = p.urls(v, key)
	case "comment", "created by":
		s, ok := textUTF8(root, key)
		if !ok {
			p.notes.add("%s is not text and is ignored", key)
		} else if key == "comment" {
			p.Comment = s
		} else {
			p.CreatedBy = s
		}
	case "creation date":
		p.creationDate(v)
	default:
		p.Unknown = append(p.Unknown, Entry{key, v.Raw()})
	}
}

// textUTF8 returns the text of a key, or of the same key with ".utf-8" appended, which old
// programs used for UTF-8 while the plain key has some other character set.
func textUTF8(dict bencode.Value, key string) (string, bool) {
	if s, ok := dict.Get(key + ".utf-8").Text(); ok && utf8.ValidString(s) {
		return s, true
	}
	return dict.Get(key).Text()
}

// url returns the URL in v, or "" when there is no usable one.
func (p *parser) url(v bencode.Value, field string) string {
	s, ok := v.Text()
	s = strings.TrimSpace(s) // many have a line break at the end
	if !ok {
		p.notes.add("%s is not text and is ignored", field)
		return ""
	}
	if s == "" {
		return ""
	}
	if err := checkURL(s); err != nil {
		p.notes.add("%s is ignored: %s: %v", field, quote(s), err)
		return ""
	}
	return s
}

// checkURL refuses text that cannot be a URL. The code that connects checks more.
func checkURL(s string) error {
	switch {
	case len(s) > MaxURL:
		return fmt.Errorf("longer than %d bytes", MaxURL)
	case s == "" || s != strings.TrimSpace(s) || s != Printable(s):
		return errors.New("not a URL")
	}
	return nil
}

// announceList reads the tiers. Empty tiers, empty URLs and repeated URLs are common and
// harmless.
func (p *parser) announceList(v bencode.Value) {
	const field = "announce-list"
	if v.Kind() == bencode.String { // one tracker
		p.addTier(p.urls(v, field))
		p.flat = true
		return
	}
	if v.Kind() != bencode.List {
		p.notes.add("%s is not a list and is ignored", field)
		return
	}
	seen := make(map[string]bool)
	for tier := range v.Items() {
		var urls []string
		full := false
		add := func(item bencode.Value) {
			u := p.url(item, field)
			switch {
			case u == "" || seen[u] || full:
			case len(seen) == MaxTrackers:
				p.notes.add("%s has more than %d trackers; the others are ignored", field, MaxTrackers)
				full = true
			default:
				seen[u] = true
				urls = append(urls, u)
			}
		}
		switch tier.Kind() {
		case bencode.List:
			for item := range tier.Items() {
				add(item)
			}
		case bencode.String: // a list of trackers rather than of tiers: each is a tier
			add(tier)
			p.flat = true
		default:
			p.notes.add("%s has a tier that is not a list and is ignored", field)
		}
		p.addTier(urls)
		if full {
			return
		}
	}
}

func (p *parser) addTier(urls []string) {
	if len(urls) > 0 {
		p.AnnounceList = append(p.AnnounceList, urls)
	}
}

// urls reads a list of URLs, or a single one.
func (p *parser) urls(v bencode.Value, field string) []string {
	if v.Kind() == bencode.String {
		if u := p.url(v, field); u != "" {
			return []string{u}
		}
		return nil
	}
	if v.Kind() != bencode.List {
		p.notes.add("%s is not a list and is ignored", field)
		return nil
	}
	var urls []string
	for item := range v.Items() {
		if len(urls) == MaxWebSeeds {
			p.notes.add("%s has more than %d entries; the others are ignored", field, MaxWebSeeds)
			break
		}
		if u := p.url(item, field); u != "" {
			urls = append(urls, u)
		}
	}
	return urls
}

// year9999 ends with the last second that the usual formats can write.
const year9999 = 253402300799

func (p *parser) creationDate(v bencode.Value) {
	n, ok := v.Int()
	if text, isText := v.Text(); isText {
		parsed, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
		n, ok = parsed, err == nil
	}
	if !ok || n < 0 || n > year9999 {
		p.notes.add("creation date is not a time and is ignored")
		return
	}
	if n > 0 { // programs that do not know the time write 0
		p.CreationDate = time.Unix(n, 0).UTC()
	}
}
