package metainfo

import "shoal/bencode"

// Source returns the text by which some trackers mark their torrents; empty: none. The
// info-hash covers it.
func (i *Info) Source() string {
	v, err := rules.Parse(i.Raw)
	if err != nil || v.Kind() != bencode.Dict {
		return ""
	}
	b, _ := v.Get("source").Bytes()
	return string(b)
}
