package metainfo

import "shoal/bencode"

// Source returns what some trackers have torrents say of where they come from; empty for
// nothing. It is part of what the info-hash covers.
func (i *Info) Source() string {
	v, err := rules.Parse(i.Raw)
	if err != nil || v.Kind() != bencode.Dict {
		return ""
	}
	b, _ := v.Get("source").Bytes()
	return string(b)
}
