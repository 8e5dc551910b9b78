package shoal

import (
	"context"
	"net/netip"

	"shoal/internal/engine"
	"shoal/internal/value/infohash"
	"shoal/internal/value/printable"
	"shoal/metainfo"
)

// Torrent is one torrent of an Engine. Its methods are safe for concurrent use. A torrent has
// one handle, so == and map keys tell torrents apart.
type Torrent struct {
	t *engine.Torrent
}

// handle returns the Torrent of a torrent of the engine, always the same one.
func handle(t *engine.Torrent) *Torrent {
	return t.Owner(func() any { return &Torrent{t: t} }).(*Torrent)
}

// meta returns the torrent file; of a magnet without metadata what its link says.
func (t *Torrent) meta() *metainfo.Torrent { return t.t.Meta() }

// Name returns the torrent's name for people: characters that a terminal would act on are
// replaced. Path returns where its files are. Without metadata it is what the magnet link calls
// the torrent, or the info-hash.
func (t *Torrent) Name() string { return printable.Of(t.meta().Info.Name) }

// InfoHash returns the torrent's info-hash, 40 hex digits.
func (t *Torrent) InfoHash() string { return infohash.Hash(t.t.InfoHash()).String() }

// Private reports whether the torrent's peers come from its trackers only (BEP 27); false while the
// metadata is missing.
func (t *Torrent) Private() bool { return t.meta().Info.Private }

// Dir returns the folder that holds the torrent's file or folder, or will hold it.
func (t *Torrent) Dir() string { return t.t.Dir() }

// Wait waits until every wanted file is complete, verified and durable; of a magnet it waits for
// the metadata first. The error is that of ctx, ErrStopped when the torrent ends first, or why it
// failed: ErrNotKept, for instance.
func (t *Torrent) Wait(ctx context.Context) error { return publicError(t.t.Wait(ctx)) }

// Move moves the files to another folder, which must exist and can be on another volume. The
// torrent stays in the engine, and fetches and serves nothing meanwhile. Files that are already
// there are not overwritten. A stop or crash at any moment leaves each file whole in one of the
// folders. progress, if not nil, gets the bytes moved and the bytes in all. The error is
// ErrNoMetadata while the metadata is missing.
func (t *Torrent) Move(ctx context.Context, dir string, progress func(done, total int64)) error {
	return publicError(t.t.Move(ctx, dir, progress))
}

// AddPeers dials these peers besides those that trackers and others name, as AddOptions.Peers
// does. It is not remembered.
func (t *Torrent) AddPeers(peers ...netip.AddrPort) { t.t.AddPeers(peers) }

// SetSequential sets whether new pieces are requested in order, as AddOptions.Sequential does.
// With Config.Remember it is remembered.
func (t *Torrent) SetSequential(on bool) { t.t.SetInOrder(on) }

// Sequential reports whether new pieces are requested in order.
func (t *Torrent) Sequential() bool { return t.t.InOrder() }

// RedownloadMissing fetches a torrent again that is StateMissing, as AddOptions.Redownload does.
func (t *Torrent) RedownloadMissing() { t.t.RedownloadMissing() }

// WaitChecked waits until we have checked what was on disk at the start (of a magnet it waits for
// the metadata first), and returns a snapshot of that moment. Its State is StateMissing or StateStalled when we could read nothing. The
// error is that of ctx, ErrStopped, or why the torrent failed.
func (t *Torrent) WaitChecked(ctx context.Context) (Stats, error) {
	err := t.t.Checked(ctx)
	return t.Stats(), publicError(err)
}

// Stop ends the torrent, and waits until nothing of it is left running. Its files stay, and are
// used when it is added again. With Config.Remember it stays on the list as stopped, until
// Engine.StartTorrent; Remove takes it off the list. Engine.Close ends torrents, too, and the
// next engine starts them again. When ctx ends, Stop stops waiting for trackers.
func (t *Torrent) Stop(ctx context.Context) { t.t.Stop(ctx) }

// State returns the state in the latest snapshot. It costs less than Stats.
func (t *Torrent) State() State { _, s := t.t.Updated(); return states[s] }
