package content

import (
	"cmp"
	"errors"
	"maps"

	"shoal/internal/files/resume"
)

// Journals go by the path of the download folder. A volume that is mounted in another place,
// or a folder that is renamed, copied or restored, has another path and no journal. Then the
// journals that other folders have of the same torrent are asked: a file whose size and time
// are as one of them notes is trusted as it would be there (decision 0139). Those journals are
// read only, and stay.

// inherit looks for journals of other folders that know the files which lie in this one, when
// this one has none. The one whose claims hold most is taken.
func (o *session) inherit() {
	c := o.c
	if o.search == nil || o.state == nil || o.loaded.Found || c.opt.Open != nil {
		return // without a search the files are known, or are a copy that is to be checked
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
	if c.users.lookOnly { // nothing is noted
		o.incomplete = &incomplete{was: resume.Aside{Suffix: best.suffix(o.was.Suffix)}}
	} else if err := o.keepSuffixes(best.suffixes); err != nil {
		c.shared.log.Warn("note the suffix of unfinished files", "torrent", c.info.Name, "err", err)
	}
}

// askAll asks the journals of other folders, and returns the one whose claims hold most; nil
// where none knows a file.
func (o *session) askAll() (best *heritage) {
	for _, folder := range o.c.shared.journals.Others(o.c.at.Load().abs, o.c.info.Hash) {
		h := o.ask(folder)
		if h != nil && (best == nil || cmp.Or(cmp.Compare(h.pieces, best.pieces), cmp.Compare(h.files, best.files)) > 0) {
			best = h
		}
	}
	return best
}

// vouch asks the journals of other folders about files that are not as our own notes them: the
// volume may have been elsewhere, and back.
func (o *session) vouch(v *resume.Verdict, seen resume.Seen) {
	if o.search == nil || o.state == nil || !o.loaded.Found || o.loaded.Damaged != "" || len(v.Changed) == 0 || o.c.opt.Open != nil {
		return
	}
	if h := o.askAll(); h != nil {
		o.loaded.Vouch(v, h.loaded, seen)
	}
}

// heritage is what the journal of another folder says of the files in this one.
type heritage struct {
	loaded        *resume.Loaded
	names         Names // of files that do not have the torrent's
	seen          resume.Seen
	files, pieces int // what of it holds
	suffixes      []string
}

// suffix adds the suffixes to those that are noted.
func (h *heritage) suffix(noted string) string {
	for _, s := range h.suffixes {
		noted = addSuffix(noted, s)
	}
	return noted
}

// ask compares the files with the journal in one folder of state. It returns nil when that
// knows none of them, can't be read, or is being written: a torrent that another process gets
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
	for i, was := range pending { // a stop came while they were renamed
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
