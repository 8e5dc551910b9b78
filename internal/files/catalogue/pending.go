package catalogue

import (
	"shoal/internal/value/infohash"
	"shoal/magnet"
)

// Pending is what was chosen for a magnet and can be applied only when its metadata is there.
type Pending struct {
	Link   string // magnet link as the user gave it
	Ask    bool   // a program chooses the files, and has to be asked again
	Rest   bool   // paused, the metadata is not fetched either
	Files  []FileRule
	Rename []PathRename
}

// FileRule assigns a priority to the files that a pattern fits. The engine defines both.
type FileRule struct {
	Pattern  string
	Priority uint8
}

// PathRename is another path for a file or folder that has a path of the torrent.
type PathRename struct{ From, To string }

// of reports whether the link is that of a torrent.
func (p *Pending) of(h infohash.Hash) bool {
	l, err := magnet.Parse(p.Link)
	return err == nil && l.V1 == h
}

// appendFields writes the fields, whose keys follow each other.
func (p *Pending) appendFields(w *fieldWriter) {
	w.text("magnet", p.Link)
	w.flag("magnet ask", p.Ask)
	if len(p.Files) > 0 {
		w.key("magnet files").BeginList()
		for _, r := range p.Files {
			w.BeginList()
			w.String(r.Pattern)
			w.Int(int64(r.Priority))
			w.End()
		}
		w.End()
	}
	if len(p.Rename) > 0 {
		w.key("magnet rename").BeginList()
		for _, r := range p.Rename {
			w.BeginList()
			w.String(r.From)
			w.String(r.To)
			w.End()
		}
		w.End()
	}
	w.flag("magnet rest", p.Rest)
}

// linkOnly reports whether the entry is that of a magnet without metadata.
func (e *Entry) linkOnly() bool {
	return e.Torrent == nil && len(e.Metainfo) == 0 && e.Pending != nil && e.Pending.of(e.InfoHash)
}
