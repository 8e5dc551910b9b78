package engine

import (
	"sync/atomic"

	"shoal/internal/value/infohash"
	"shoal/metainfo"
)

// identity identifies the torrent, and us in its swarm. It is set once; only the metadata of a
// magnet is added later, by the loop. Any goroutine can read it.
//
//shoal:part
type identity struct {
	spec     spec
	infoHash infohash.Hash
	peerID   [20]byte
	key      uint32 // tells trackers that we are the same client after our address changes (BEP 7)

	known atomic.Pointer[knowledge] // never nil
}

// knowledge is what we know of the torrent. It never changes.
type knowledge struct {
	meta *metainfo.Torrent // of a magnet without metadata: its name, trackers and web seeds
	geom metainfo.Geometry
	full bool // we have the metadata
}

// learned sets what we know. full says that meta has the metadata.
func (i *identity) learned(meta *metainfo.Torrent, full bool) {
	i.known.Store(&knowledge{meta, meta.Info.Geometry(), full})
}

// InfoHash returns the torrent's info-hash.
func (i *identity) InfoHash() [20]byte { return i.infoHash }

// PeerID returns our peer id in this torrent's swarm.
func (i *identity) PeerID() [20]byte { return i.peerID }

// Meta returns the content of the torrent file; of a magnet without metadata what its link says.
func (i *identity) Meta() *metainfo.Torrent { return i.known.Load().meta }

// Info returns the torrent's info dictionary. That of a magnet without metadata has a name only.
func (i *identity) Info() *metainfo.Info { return i.known.Load().meta.Info }

func (i *identity) geom() metainfo.Geometry { return i.known.Load().geom }
