package swarm

import (
	"shoal/internal/decide/swarm/metadata"
	"shoal/internal/value/block"
	"shoal/internal/value/meter"
	"shoal/internal/value/mono"
)

// upload is what a peer requests from us, and what of that is on its way.
//
//shoal:part
type upload struct {
	queue   uploads
	parts   *metadata.Server // parts of the metadata to send; nil: it has requested none
	flight  int              // blocks handed to the writer and not yet sent
	writer  int              // bound of flight; see uploadWindow
	sentAt  mono.Time        // time when the writer began with the oldest of them
	refused int              // requests since the latest unchoke that we did not serve
	use     slotUse
	up      meter.Meter
}

// refuse counts a request that we do not serve and reports whether there were too many:
// requests that crossed our choke are normal, an endless series of them is not.
func (v *upload) refuse() (tooMany bool) {
	v.refused++
	return v.refused > maxRefused
}

func (v *upload) forgive() { v.refused = 0 }

// metadata returns the sender of the metadata's parts.
func (v *upload) metadata() *metadata.Server {
	if v.parts == nil {
		v.parts = new(metadata.Server)
	}
	return v.parts
}

// next returns the blocks that the writer gets now, valid until the next request. It refills
// a window by at least half, for fewer and larger writes.
func (v *upload) next(now mono.Time) []block.Ref {
	n := v.writer - v.flight
	if n <= 0 || v.queue.len() == 0 || v.flight > 0 && n < v.writer/2 {
		return nil
	}
	if v.flight == 0 {
		v.sentAt = now
	}
	refs := v.queue.pop(n)
	v.flight += len(refs)
	return refs
}

// sent notes what the writer has written, and fits its window to what the peer takes in
// uploadTime.
func (v *upload) sent(now mono.Time, blocks int, bytes int64) {
	v.up.Add(now, bytes)
	v.flight -= blocks
	if took := now.Sub(v.sentAt); blocks > 0 {
		fits := uploadWindow
		if took > 0 {
			fits = int(min(int64(uploadTime)*int64(blocks)/int64(took), uploadWindow))
		}
		v.writer = max((v.writer+fits+1)/2, leastUploads)
	}
	v.sentAt = now
}

// unsent notes blocks that the writer dropped.
func (v *upload) unsent(blocks int) { v.flight -= blocks }
