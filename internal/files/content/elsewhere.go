package content

import (
	"cmp"
	"errors"
	"maps"

	"shoal/internal/files/resume"
)

// Journals are found by the path of the download folder. A volume mounted at another place, or a
// folder that is renamed, copied or restored, has another path and so no journal. Then we look at the
// journals that other folders have of the same torrent: a file whose size and time match the note in
// one of them is trusted as it would be there (decision 0139). We only read those journals; they
// stay.

// inherit looks for journals of other folders that know the files in this one, when this one has none.
// It takes the one with the most valid claims.
func (o *session) inherit() {
	c := o.c
	if o.search == nil || o.state == nil || o.loaded.Found || c.opt.Open != nil {
		return // without a search the files are known, or are a copy that must be checked
	}
	best := o.askAll()
	if best == nil {
		return
	}
	lo := o.journal.Inherit(best.loaded, best.names, best.seen)
	if lo == nil {
		return
	}
	o.loaded = lo
	c.shared.log.Info("files are known from another folder", "torrent", c.info.Name, "dir", c.at.Load().abs, "known in", best.loaded.Dir, "files", best.files, "pieces", best.pieces)
	if len(best.suffixes) == 0 {
		return
	}
	if c.users.lookOnly { // a check notes nothing
		o.incomplete = &incomplete{was: resume.Aside{Suffix: best.suffix(o.was.Suffix)}}
	} else if err := o.keepSuffixes(best.suffixes); err != nil {
		c.shared.log.Warn("note the suffix of unfinished files", "torrent", c.info.Name, "err", err)
	}
}

// askAll looks at the journals of other folders, and returns the one with the most valid claims; nil
// when none knows a file.
func (o *session) askAll() (best *heritage) {
	for _, folder := range o.c.shared.journals.Others(o.c.at.Load().abs, o.c.info.Hash) {
		h := o.ask(folder)
		if h != nil && (best == nil || cmp.Or(cmp.Compare(h.pieces, best.pieces), cmp.Compare(h.files, best.files)) > 0) {
			best = h
		}
	}
	return best
}

// vouch looks in the journals of other folders for files that differ from the note in our own: the
// volume may have been elsewhere, and come back.
func (o *session) vouch(v *resume.Verdict, seen resume.Seen) {
	if o.search == nil || o.state == nil || !o.loaded.Found || o.loaded.Damaged != "" || len(v.Changed) == 0 || o.c.opt.Open != nil {
		return
	}
	if h := o.askAll(); h != nil {
		o.loaded.Vouch(v, h.loaded, seen)
	}
}

// heritage is what the journal of another folder says about the files in this one.
type heritage struct {
	loaded        *resume.Loaded
	names         Names // names of files that differ from the torrent's
	seen          resume.Seen
	files, pieces int // numbers of files and pieces whose claims hold
	suffixes      []string
}

// suffix adds the suffixes to the noted names.
func (h *heritage) suffix(noted string) string {
	for _, s := range h.suffixes {
		noted = addSuffix(noted, s)
	}
	return noted
}

// ask compares the files with the journal in one folder of state. It returns nil when that journal
// knows none of them, can't be read, or is being written by another process that downloads the torrent
// in that folder.
func (o *session) ask(folder string) *heritage {
	c := o.c
	state, done, err := c.shared.journals.OpenOther(folder)
	if err != nil {
		return nil
	}
	defer done()
	release, err := resume.Lock(state, c.info.Hash)
	if err != nil {
		if !errors.Is(err, resume.ErrInUse) {
			c.shared.log.Debug("read the journal of another folder", "torrent", c.info.Name, "err", err)
		}
		return nil
	}
	defer release()
	journal, lo, err := resume.Open(state, c.layout(), resume.Config{Boot: c.shared.journals.Boot()})
	if err != nil || !lo.Found || lo.Damaged != "" {
		return nil
	}
	note, err := resume.ReadAside(state, c.info.Hash)
	if err != nil {
		note = resume.Aside{}
	}
	h := &heritage{loaded: lo, suffixes: suffixesOf(note.Suffix)}
	there := newSession(c, 0)
	there.journal, there.loaded, there.lay = journal, lo, journal.Layout()
	there.incomplete = &incomplete{was: resume.Aside{Suffix: h.suffix(o.was.Suffix)}}
	pending := journal.Pending()
	data, err := c.follow(c.at.Load(), there.allNames(pending))
	if err != nil {
		return nil
	}
	defer data.Close()
	for i, was := range pending { // a stop came during the renaming
		view := there.finding(data, pending)
		if _, err := view.Lstat(there.lay.Files[i].Path); err == nil {
			continue
		}
		if _, err := view.Lstat(was); err == nil && journal.Call(Names{i: was}) == nil {
			there.lay = journal.Layout()
		}
	}
	h.seen, err = resume.Look(there.finding(data, nil), there.lay.Files)
	if err != nil {
		return nil
	}
	h.seen.Volume = resume.VolumeAt(c.at.Load().abs)
	if h.files, h.pieces = lo.Holds(h.seen); h.files == 0 {
		return nil
	}
	h.names = maps.Clone(c.names())
	if h.names == nil {
		h.names = Names{}
	}
	for i, name := range journal.Names() {
		if _, chosen := h.names[i]; !chosen || h.seen.Files[i].Exists {
			h.names[i] = name
		}
	}
	return h
}
