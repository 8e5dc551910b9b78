package tracker

import (
	"errors"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"shoal/bencode"
	"shoal/internal/value/infohash"
)

// ErrQuery is returned for a query that is not an announce or scrape. Its text is for the
// sender.
var ErrQuery = errors.New("bad request")

// queryError says what is wrong with a query. It is an ErrQuery.
type queryError string

func (e queryError) Error() string        { return string(e) }
func (e queryError) Is(target error) bool { return target == ErrQuery }

// pairs calls each for every parameter of a query. A + stays a +: clients write spaces as
// %20, and some write + unescaped.
func pairs(raw string, each func(key, value string) error) error {
	for pair := range strings.SplitSeq(raw, "&") {
		key, value, _ := strings.Cut(pair, "=")
		value, err := url.PathUnescape(value)
		if err != nil {
			return queryError("the query is not well-formed")
		}
		if err := each(key, value); err != nil {
			return err
		}
	}
	return nil
}

// ParseQuery reads the query of an announce, without its question mark. NumWant is -1 when it
// is absent. The last of duplicate parameters counts. It ignores an address in the query,
// because a sender may speak only for itself (BEP 7).
func ParseQuery(raw string) (Params, error) {
	p := Params{NumWant: -1, Left: 1}
	var hash, id bool
	err := pairs(raw, func(key, value string) error {
		var err error
		switch key {
		case "info_hash":
			if hash = len(value) == len(p.InfoHash); hash {
				p.InfoHash = infohash.Hash([]byte(value))
			}
		case "peer_id":
			if id = len(value) == len(p.PeerID); id {
				p.PeerID = [20]byte([]byte(value))
			}
		case "port":
			var n uint64
			n, err = strconv.ParseUint(value, 10, 16)
			p.Port = uint16(n)
		case "uploaded":
			p.Uploaded, err = strconv.ParseInt(value, 10, 64)
		case "downloaded":
			p.Downloaded, err = strconv.ParseInt(value, 10, 64)
		case "left":
			p.Left, err = strconv.ParseInt(value, 10, 64)
		case "numwant":
			var n int64
			n, err = strconv.ParseInt(value, 10, 32)
			p.NumWant = int(n)
		case "event":
			for e := Completed; e <= Paused; e++ {
				if value == e.String() {
					p.Event = e
				}
			}
		case "key":
			n, _ := strconv.ParseUint(value, 16, 32) // some keys are not numbers
			p.Key = uint32(n)
		}
		if err != nil {
			return queryError(key + " is not a valid number")
		}
		return nil
	})
	switch {
	case err != nil:
		return Params{}, err
	case !hash:
		return Params{}, queryError("info_hash must have 20 bytes")
	case !id:
		return Params{}, queryError("peer_id must have 20 bytes")
	case p.Port == 0:
		return Params{}, queryError("port must be from 1 to 65535")
	}
	return p, nil
}

// ParseScrapeQuery reads the torrents of a scrape, at most MaxUDPHashes, as over UDP. It
// refuses a scrape of everything, because its reply could have any size.
func ParseScrapeQuery(raw string) ([]infohash.Hash, error) {
	var hashes []infohash.Hash
	err := pairs(raw, func(key, value string) error {
		switch {
		case key != "info_hash":
		case len(value) != len(infohash.Hash{}):
			return queryError("info_hash must have 20 bytes")
		case len(hashes) == MaxUDPHashes:
			return queryError("too many torrents in one scrape")
		default:
			hashes = append(hashes, infohash.Hash([]byte(value)))
		}
		return nil
	})
	if err == nil && len(hashes) == 0 {
		err = queryError("name the torrents with info_hash")
	}
	return hashes, err
}

// AppendResponse appends the reply to an announce from an address, with its peers in compact
// form.
func AppendResponse(b []byte, interval time.Duration, c Counts, peers []netip.AddrPort, to netip.Addr) []byte {
	var peers4, peers6 []netip.AddrPort
	for _, p := range peers {
		if p.Addr().Unmap().Is4() {
			peers4 = append(peers4, p)
		} else {
			peers6 = append(peers6, p)
		}
	}
	w := bencode.NewWriter(b)
	w.BeginDict()
	w.Key("complete")
	w.Int(c.Seeders)
	w.Key("external ip")
	w.Bytes(to.Unmap().AsSlice())
	w.Key("incomplete")
	w.Int(c.Leechers)
	w.Key("interval")
	w.Int(int64(interval / time.Second))
	w.Key("peers")
	w.Bytes(AppendCompact(nil, peers4))
	if len(peers6) > 0 {
		w.Key("peers6")
		w.Bytes(AppendCompact(nil, peers6))
	}
	w.End()
	return w.Finish()
}

// AppendScrape appends the reply to a scrape. hashes are the known ones, in ascending order.
func AppendScrape(b []byte, hashes []infohash.Hash, counts []Counts) []byte {
	w := bencode.NewWriter(b)
	w.BeginDict()
	w.Key("files")
	w.BeginDict()
	for i, h := range hashes {
		w.Key(string(h[:]))
		w.BeginDict()
		w.Key("complete")
		w.Int(counts[i].Seeders)
		w.Key("downloaded")
		w.Int(counts[i].Downloaded)
		w.Key("downloaders")
		w.Int(counts[i].Downloaders)
		w.Key("incomplete")
		w.Int(counts[i].Leechers)
		w.End()
	}
	w.End()
	w.End()
	return w.Finish()
}

// AppendFailure appends a reply that refuses.
func AppendFailure(b []byte, reason string) []byte {
	w := bencode.NewWriter(b)
	w.BeginDict()
	w.Key("failure reason")
	w.String(reason)
	w.End()
	return w.Finish()
}
