package engine

import (
	"shoal/internal/value/infohash"
	"shoal/metainfo"
)

// identity is which torrent it is, and as whom we take part. It is set once, but for what the
// metadata of a magnet adds.
//
//shoal:part
type identity struct {
	spec     spec
	info     *metainfo.Info
	geom     metainfo.Geometry
	infoHash infohash.Hash
	peerID   [20]byte
	key      uint32 // by which trackers know us when our address changes
}

// learned adds what the metadata says.
func (i *identity) learned(meta *metainfo.Torrent) {
	i.spec.Meta, i.info, i.geom = meta, meta.Info, meta.Info.Geometry()
}
