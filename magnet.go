package shoal

import (
	"context"
	"fmt"

	"shoal/internal/engine"
	"shoal/internal/files/storage"
	"shoal/magnet"
	"shoal/metainfo"
)

// AddMagnet adds the torrent of a magnet link or of a bare info-hash. Its peers send the metadata
// (BEP 9), and then it is a torrent as Add adds it, with the peers that are connected already.
// Trackers, web seeds and peers in the link are used besides those in opt, but trusted no more
// than those that we find. A link may choose files (BEP 53); opt.Priority and opt.Files go first.
//
// It returns at once. The torrent is in Engine.Torrents from then on, with its handle, in
// StateMetadata; it can be paused, stopped, queued and removed, and with Config.Remember the next
// start looks on for its metadata. EventMetadata tells that the metadata is here, and
// Torrent.WaitMetadata waits for that. Until then methods that need it return ErrNoMetadata, or
// nothing where they return no error.
//
// With Config.StateDir we keep the metadata, and the next AddMagnet of the torrent asks no
// peer for it. The error is that of magnet.Parse, ErrV2, ErrDuplicate or ErrConfig.
func (e *Engine) AddMagnet(link string, opt AddOptions) (*Torrent, error) {
	l, err := magnet.Parse(link)
	if err != nil {
		return nil, clean(err)
	}
	if l.V1.IsZero() {
		return nil, fmt.Errorf("add %s: %w", l.V2, ErrV2)
	}
	m := engine.MagnetOf(l)
	if m.Spec, err = opt.spec(); err != nil {
		return nil, err
	}
	if err := opt.pending(&m, link); err != nil {
		return nil, err
	}
	late := &lateStorage{}
	if opt.Storage != nil {
		m.Spec.Storage = late
	}
	if opt.Priority != nil || opt.OnMetadata != nil || opt.Storage != nil {
		m.Pending.Ask = true
		m.Choose = func(meta *metainfo.Torrent) ([]uint8, *engine.Paths, error) { return opt.choose(l, meta, late) }
	}
	if e.stateDir != "" {
		m.Meta, _ = keptTorrent(e.stateDir, l.V1)
	}
	t, err := e.e.AddMagnet(m)
	if err != nil {
		return nil, publicError(err)
	}
	return handle(t), nil
}

// pending sets what has to wait for the metadata.
func (opt *AddOptions) pending(m *engine.MagnetSpec, link string) error {
	m.Only, m.Pending.Link = opt.MetadataOnly, link
	for _, r := range opt.Files {
		p, err := r.check()
		if err != nil {
			return err
		}
		m.Pending.Files = append(m.Pending.Files, engine.FileRule{Pattern: r.Pattern, Priority: p})
	}
	for _, from := range sortedKeys(opt.Rename) {
		m.Pending.Rename = append(m.Pending.Rename, engine.PathRename{From: from, To: opt.Rename[from]})
	}
	if opt.IncompleteSuffix != "" {
		if err := storage.CheckSuffix(opt.IncompleteSuffix); err != nil {
			return fmt.Errorf("%w: %w", ErrConfig, err)
		}
	}
	if opt.IncompleteSuffix != "" || opt.IncompleteDir != "" {
		m.Spec.Paths = &engine.Paths{Suffix: opt.IncompleteSuffix, IncompleteDir: opt.IncompleteDir}
	}
	return nil
}

// applyPending is engine.MagnetHooks.Choose.
func applyPending(p *engine.Pending, paths *engine.Paths, meta *metainfo.Torrent) ([]uint8, *engine.Paths, error) {
	l, err := magnet.Parse(p.Link)
	if err != nil {
		return nil, nil, err
	}
	opt := AddOptions{}
	for _, r := range p.Files {
		if int(r.Priority) >= len(priorities) {
			r.Priority = 2 // a later version's
		}
		opt.Files = append(opt.Files, FileRule{Pattern: r.Pattern, Priority: priorities[r.Priority]})
	}
	for _, r := range p.Rename {
		if opt.Rename == nil {
			opt.Rename = map[string]string{}
		}
		opt.Rename[r.From] = r.To
	}
	if paths != nil {
		opt.IncompleteSuffix, opt.IncompleteDir = paths.Suffix, paths.IncompleteDir
	}
	return opt.choose(l, meta, nil)
}

// choose decides what depends on the metadata, and opens the caller's storage.
func (opt *AddOptions) choose(l *magnet.Link, meta *metainfo.Torrent, late *lateStorage) ([]uint8, *engine.Paths, error) {
	if opt.OnMetadata != nil {
		if err := opt.OnMetadata(meta, opt); err != nil {
			return nil, nil, err
		}
	}
	prio, paths, err := opt.known(meta)
	if prio == nil && len(l.Select) > 0 && err == nil {
		prio, err = selected(l, meta.Info.Files)
	}
	if opt.Storage != nil && err == nil {
		late.Storage, err = opt.openStorage(meta.Info)
	}
	return prio, paths, err
}

// selected returns the priorities that a link asks for: normal for the files that it means,
// by their index among all of the torrent.
func selected(l *magnet.Link, files []metainfo.File) ([]uint8, error) {
	prio := make([]uint8, len(files))
	some := false
	for i := range files {
		if !files[i].Pad && l.Selects(i) {
			prio[i], some = 2, true
		}
	}
	if !some {
		return nil, fmt.Errorf("%w: the link chooses files that the torrent does not have", ErrConfig)
	}
	return prio, nil
}

// HasMetadata reports whether we have the metadata. Only a torrent of AddMagnet can be without.
func (t *Torrent) HasMetadata() bool { return t.t.HasMetadata() }

// WaitMetadata waits until we have the metadata; a torrent of Add has it at once. The error is
// that of ctx, ErrStopped when the torrent stops first, ErrNotTorrent for metadata that we can't
// use, or what went wrong with its files.
func (t *Torrent) WaitMetadata(ctx context.Context) error {
	return publicError(t.t.WaitMetadata(ctx))
}

// needMetadata returns ErrNoMetadata while the metadata is missing.
func (t *Torrent) needMetadata(what string) error {
	if t.HasMetadata() {
		return nil
	}
	return fmt.Errorf("%s of %s: %w", what, t.Name(), ErrNoMetadata)
}

// Metainfo returns the torrent as the content of a .torrent file. The error is ErrNoMetadata
// until the metadata of a magnet is here.
func (t *Torrent) Metainfo() ([]byte, error) {
	if err := t.needMetadata("write the torrent file"); err != nil {
		return nil, err
	}
	return t.meta().Encode()
}

// MagnetLink returns a magnet link of the torrent: its info-hash, name, size, trackers and
// web seeds. Without metadata it is the link that AddMagnet got.
func (t *Torrent) MagnetLink() string {
	if l, err := magnet.Parse(t.t.Link()); err == nil && !t.HasMetadata() {
		return l.String()
	}
	return LinkOf(t.meta()).String()
}

// LinkOf returns the magnet link of a torrent.
func LinkOf(m *metainfo.Torrent) *magnet.Link {
	l := &magnet.Link{V1: m.InfoHash, Name: m.Info.Title(), Length: m.Info.Length, WebSeeds: m.URLList}
	for _, tier := range m.Trackers() {
		l.Trackers = append(l.Trackers, tier...)
	}
	return l
}
