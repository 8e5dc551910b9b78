package resume

import (
	"maps"
	"slices"

	"shoal/internal/value/bitfield"
)

// Holds returns how many files in another folder match the journal's notes, and how many claims
// hold there. now is how the files lie in that folder, under the names of the journal's layout.
func (lo *Loaded) Holds(now Seen) (files, pieces int) {
	st, fits, _ := lo.elsewhere(now)
	for _, fit := range fits {
		if fit {
			files++
		}
	}
	return files, int(st.have.Count())
}

// elsewhere returns which of the journal's claims hold for files in another folder, which files
// match their notes, and the pieces in doubt. Size and time decide. A change counts as our own
// unfinished work in the journal's own folder only.
func (lo *Loaded) elsewhere(now Seen) (st *state, fits []bool, doubt *bitfield.Bitfield) {
	l := lo.lay
	st = lo.st.clone()
	st.clean, st.writing = true, write{}
	was := *lo
	was.st, was.same = st, true
	v := was.Compare(now)
	fits = make([]bool, len(l.Files))
	for i := range l.Files {
		fits[i] = kept(&l.Files[i]) && i != l.part() && now.Files[i].Exists && !slices.Contains(v.Changed, i)
		if !fits[i] && i != l.part() {
			st.files[i] = Identity{}
		}
	}
	st.have, st.safe = v.Trusted, st.files
	return st, fits, v.Doubt
}

// Inherit lets a journal that does not exist yet start with what the journal of another folder says
// about the same torrent: other, which does not change. names are the names of files that differ
// from the torrent's, and seen is how the files lie in the folder of j. Files with the noted size
// and time vouch for the claims of other; every other file is in doubt, as if there were no
// journal. Nothing is written or claimed before Guard.Adopt, which first makes the inherited pieces
// durable: a copy may be in the page cache alone.
//
// The Loaded has no claims of its own: Found is false, and Have is empty. When the names are
// impossible, Inherit returns nil and does not change j.
func (j *Journal) Inherit(other *Loaded, names Names, seen Seen) *Loaded {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.adopted || j.file.end > 0 || j.checkNames(names.naming()) != nil {
		return nil
	}
	st, fits, _ := other.elsewhere(seen)
	st.names = names.naming()
	fresh := newState(&j.lay)
	fresh.names = maps.Clone(st.names)
	if st.anyDoubt() {
		// We wrote these pieces, and no sync is known to have covered them: the good ones are
		// written once more. A file that differs is not the one that we wrote.
		fresh.doubt = st.doubt.Clone()
		strange := bitfield.New(j.lay.Geometry.Pieces)
		for i := range j.lay.Files {
			if kept(&j.lay.Files[i]) && i != j.lay.part() && !fits[i] {
				j.lay.mark(strange, i)
			}
		}
		without(fresh.doubt, strange)
	}
	j.st, j.called = fresh, true
	j.name()
	return &Loaded{
		Clean: true, Names: names, Have: bitfield.New(j.lay.Geometry.Pieces),
		lay: &j.lay, st: st, boot: j.cfg.Boot, same: true,
	}
}

// Vouch settles files that differ from the notes of lo and match those of another folder's journal:
// a volume was mounted elsewhere for a while, and something was written there. What other or lo has
// in doubt stays in doubt.
func (lo *Loaded) Vouch(v *Verdict, other *Loaded, now Seen) {
	st, fits, theirs := other.elsewhere(now)
	var changed []int
	var how []string
	for k, i := range v.Changed {
		if !fits[i] {
			changed, how = append(changed, i), append(how, v.How[k])
			lo.lay.mark(theirs, i)
		}
	}
	if len(changed) == len(v.Changed) {
		return
	}
	v.Changed, v.How = changed, how
	for p := range v.Doubt.Clone().Pieces() {
		if theirs.Has(p) || lo.st.inDoubt(p) {
			continue
		}
		v.Doubt.Clear(p)
		if st.have.Has(p) {
			v.Trusted.Set(p)
		}
	}
}
