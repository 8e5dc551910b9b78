package metainfo

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"shoal/bencode"
)

// Encode writes a torrent file. The info dictionary goes out byte for byte, so the info-hash
// stays the same; the rest is encoded again in the order of BEP 3. Empty fields are omitted,
// and so are entries of Unknown that have a field in Torrent. A list of one tracker is
// written as announce alone. The first tracker of a longer list becomes announce when that is
// empty, for programs without announce-list.
//
// The same t always encodes to the same bytes. The error names a field that would not load again.
func (t *Torrent) Encode() ([]byte, error) {
	if t.Info == nil {
		return nil, errors.New("encode torrent: no info dictionary")
	}
	if err := t.check(); err != nil {
		return nil, fmt.Errorf("encode torrent: %w", err)
	}
	nodes, err := t.encodeNodes()
	if err != nil {
		return nil, fmt.Errorf("encode torrent: %w", err)
	}
	announce, list := t.Announce, t.AnnounceList
	if announce == "" && len(list) > 0 {
		announce = list[0][0]
	}
	if len(list) == 1 && len(list[0]) == 1 && list[0][0] == announce {
		list = nil
	}
	entries := []Entry{{"info", t.Info.Raw}}
	add := func(key string, empty bool, raw []byte) {
		if !empty {
			entries = append(entries, Entry{key, raw})
		}
	}
	add("announce", announce == "", bencode.AppendString(nil, announce))
	add("announce-list", len(list) == 0, encodeTiers(list))
	add("comment", t.Comment == "", bencode.AppendString(nil, t.Comment))
	add("created by", t.CreatedBy == "", bencode.AppendString(nil, t.CreatedBy))
	add("creation date", t.CreationDate.IsZero(), bencode.AppendInt(nil, t.CreationDate.Unix()))
	add("httpseeds", len(t.HTTPSeeds) == 0, encodeStrings(t.HTTPSeeds))
	add("nodes", len(t.Nodes) == 0, nodes)
	add("url-list", len(t.URLList) == 0, encodeStrings(t.URLList))

	for _, e := range t.Unknown {
		if known(e.Key) {
			continue
		}
		if _, err := rules.Parse(e.Raw); err != nil {
			return nil, fmt.Errorf("encode torrent: %s: %w", quote(e.Key), err)
		}
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b Entry) int { return cmp.Compare(a.Key, b.Key) })

	size := len("de")
	for _, e := range entries {
		size += len(bencode.AppendString(nil, e.Key)) + len(e.Raw)
	}
	if size > MaxSize {
		return nil, fmt.Errorf("encode torrent: %d bytes, more than 64 MiB: %w", size, ErrTooLarge)
	}
	w := bencode.NewWriter(make([]byte, 0, size))
	w.BeginDict()
	for i, e := range entries {
		if i > 0 && e.Key == entries[i-1].Key {
			return nil, fmt.Errorf("encode torrent: %s occurs twice", quote(e.Key))
		}
		w.Key(e.Key)
		w.Raw(e.Raw)
	}
	w.End()
	return w.Finish(), nil
}

// check refuses fields that Parse would not accept.
func (t *Torrent) check() error {
	urls := slices.Concat(t.URLList, t.HTTPSeeds)
	if t.Announce != "" {
		urls = append(urls, t.Announce)
	}
	trackers := slices.Concat(t.AnnounceList...)
	for _, u := range slices.Concat(urls, trackers) {
		if err := checkURL(u); err != nil {
			return fmt.Errorf("URL %s: %w", quote(u), err)
		}
	}
	switch {
	case len(trackers) > MaxTrackers:
		return fmt.Errorf("%d trackers, more than %d: %w", len(trackers), MaxTrackers, ErrTooLarge)
	case len(t.Nodes) > MaxNodes:
		return fmt.Errorf("%d nodes, more than %d: %w", len(t.Nodes), MaxNodes, ErrTooLarge)
	case slices.ContainsFunc(t.AnnounceList, func(tier []string) bool { return len(tier) == 0 }):
		return errors.New("a tier without trackers")
	case !t.CreationDate.IsZero() && (t.CreationDate.Unix() < 1 || t.CreationDate.Unix() > year9999):
		return fmt.Errorf("creation date %v is not from 1970 to 9999", t.CreationDate)
	}
	return nil
}

// known reports whether a key has a field in Torrent.
func known(key string) bool {
	switch key {
	case "announce", "announce-list", "comment", "created by", "creation date", "httpseeds", "info", "nodes", "url-list":
		return true
	}
	return false
}

func encodeTiers(tiers [][]string) []byte {
	w := bencode.NewWriter(nil)
	w.BeginList()
	for _, tier := range tiers {
		w.BeginList()
		for _, url := range tier {
			w.String(url)
		}
		w.End()
	}
	w.End()
	return w.Finish()
}

func encodeStrings(list []string) []byte {
	w := bencode.NewWriter(nil)
	w.BeginList()
	for _, s := range list {
		w.String(s)
	}
	w.End()
	return w.Finish()
}

func (t *Torrent) encodeNodes() ([]byte, error) {
	w := bencode.NewWriter(nil)
	w.BeginList()
	for _, node := range t.Nodes {
		host, port, err := splitHostPort(node)
		if err != nil {
			return nil, err
		}
		w.BeginList()
		w.String(host)
		w.Int(int64(port))
		w.End()
	}
	w.End()
	return w.Finish(), nil
}
