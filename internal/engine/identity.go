package engine

import (
	"shoal/internal/value/infohash"
	"shoal/metainfo"
)

// identity identifies the torrent, and us in its swarm. It is set once; only the metadata of a
// magnet is added later.
//
//shoal:part
type identity struct {
	spec     spec
	info     *metainfo.Info
	geom     metainfo.Geometry
	infoHash infohash.Hash
	peerID   [20]byte
	key      uint32 // tells trackers that we are the same client after our address changes (BEP 7)
}

// learned adds the metadata.
func (i *identity) learned(meta *metainfo.Torrent) {
	i.spec.Meta, i.info, i.geom = meta, meta.Info, meta.Info.Geometry()
}
