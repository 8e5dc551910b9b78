package content

import (
	"context"
	"fmt"
	"slices"
	"time"

	"shoal/internal/decide/filestate"
	"shoal/internal/files/resume"
	"shoal/internal/files/storage"
	"shoal/internal/value/bitfield"
	"shoal/internal/value/plural"
)

// settle finds out what we have. The pieces that it returns can be served even when the error says that
// some could not be read or claimed; with ErrNotThere it returns none. It may be called again after an
// error.
func (o *session) settle(ctx context.Context, leave func()) (*bitfield.Bitfield, error) {
	c := o.c
	count := func(piece uint32, ok bool) { c.progress.checked(&c.geom, piece, ok) }
	if o.guard == nil {
		c.progress.begin(c.geom.Pieces, nil)
		done := c.shared.longCheck(ctx, c.geom.Total, leave)
		have, err := o.disk.Check(ctx, count)
		done()
		if err == nil {
			err = o.store.Prepare(ctx)
		}
		return have, err
	}
	seen, err := o.lookFirst()
	if err != nil {
		return nil, err
	}
	seen.Volume = resume.VolumeAt(c.at.Load().abs)
	v := o.loaded.Compare(seen)
	o.vouch(&v, seen)
	v.Missing = slices.DeleteFunc(v.Missing, c.users.wasSetAside)
	if !c.again.Load() && c.notThere(seen, v, o) {
		return nil, ErrNotThere
	}
	have := v.Trusted.Clone()
	if o.found != nil && seen.Same(o.seen) {
		for p := range o.found.Pieces() { // found the last time
			have.Set(p)
			v.Doubt.Clear(p)
		}
	} else {
		c.tellChanges(o, v)
		c.tellLonger(o, seen, v)
	}
	o.search.before(&o.lay, seen, have, v.Doubt)
	c.progress.begin(c.geom.Pieces, v.Doubt)
	o.guard.Expect(resume.Seen{})
	var found *bitfield.Bitfield
	if !v.Doubt.None() {
		done := c.shared.longCheck(ctx, int64(v.Doubt.Count())*int64(c.geom.PieceLength), leave)
		found, err = o.disk.CheckPieces(ctx, v.Doubt, o.states(seen), count)
		done()
		for p := range found.Pieces() {
			have.Set(p)
		}
	}
	o.seen, o.found = seen, have
	o.guard.Expect(seen)
	if err != nil && !c.leftOut(o, err) {
		return have, err
	}
	if err = o.judge(seen, have, allPieces(have.Len())); err == nil {
		err = o.accept()
	}
	if err != nil {
		return have, err
	}
	if c.opt.SeedOnly {
		o.adoptLater(seen, have, found != nil)
		return have, nil
	}
	if !have.All() { // a complete torrent needs no lock, and 10,000 of them are slow to take
		if err = o.lock(); err != nil {
			return have, err
		}
		if err = o.enoughRoom(ctx, seen, v.Changed, have); err != nil {
			return have, err
		}
		c.users.lookAgain()
		err = o.keepUsers(ctx, &seen, v.Changed, have)
		o.guard.Expect(seen)
		if err != nil {
			return have, err
		}
	}
	if err = o.adoptKept(ctx, seen, have); err == nil {
		err = o.allOwn(have)
	}
	if err == nil {
		err = o.keeping(func() error { return o.store.Prepare(ctx) })
	}
	if err == nil {
		err = o.moveOut(ctx)
	}
	if err == nil {
		err = o.reveal()
	}
	for i := 0; c.opt.Allocate && err == nil && i < len(c.info.Files); i++ {
		if !o.files.Skipped(i) && !have.All() {
			if err = o.guard.Allocate(ctx, i); err != nil && c.leftOut(o, err) {
				err = nil
			}
		}
	}
	if err == nil {
		if c.opt.Allocate {
			c.shared.rooms.leave(c) // the volume counts it as used now
		}
		o.seen, o.found = resume.Seen{}, nil
	}
	return have, err
}

// lookFirst looks at the files, unless the search has just done so.
func (o *session) lookFirst() (resume.Seen, error) {
	if seen := o.early; seen != nil {
		o.early = nil
		return *seen, nil
	}
	return resume.Look(o.files.Folder(), o.lay.Files)
}

// states returns the states of the files with bytes, as they were seen.
func (o *session) states(seen resume.Seen) []storage.FileState {
	inPart := o.lay.Part && seen.Files[len(seen.Files)-1].Exists
	states := make([]storage.FileState, len(o.c.info.Files))
	for i := range states {
		is, s := seen.Files[i], &states[i]
		s.Entry = o.lay.Files[i]
		if s.Exists = is.Exists && is.Size >= 0; s.Exists {
			s.Size, s.ModTime = is.Size, time.Unix(0, is.ModTime)
		}
		s.InPart = inPart && !s.Exists && !s.Pad
	}
	return states
}

// adopt claims what was found. It may write what was read once more.
func (o *session) adopt(ctx context.Context, seen resume.Seen, have *bitfield.Bitfield) error {
	o.rewriting.Store(true)
	defer func() {
		o.rewriting.Store(false)
		o.files.Release() // we opened them only for this
	}()
	return o.guard.Adopt(ctx, seen, have)
}

// lock makes sure that nobody else writes the torrent here. A complete torrent needs no lock.
func (o *session) lock() error {
	if o.unlock != nil || o.state == nil {
		return nil
	}
	release, err := resume.Lock(o.state, o.c.info.Hash)
	o.unlock = release
	return err
}

// adoptLater claims what a seed was found to have. It writes no data, so it can wait for its turn; when
// nothing new was found there is nothing to claim.
func (o *session) adoptLater(seen resume.Seen, have *bitfield.Bitfield, found bool) {
	o.seen, o.found = resume.Seen{}, nil
	// Stopping does not cut it short at once: each start would have to repeat it.
	adopt := func(func()) {
		ctx, done := o.c.last.Child()
		defer done()
		if err := o.adopt(ctx, seen, have); err != nil && ctx.Err() == nil {
			o.c.shared.log.Warn("claim what was found", "torrent", o.c.info.Name, "err", err)
		}
	}
	if !found {
		adopt(nil)
		return
	}
	o.adopting.Add(1)
	o.claiming.Store(true)
	o.c.shared.adoptions.Add(func(leave func()) {
		defer o.adopting.Done()
		defer o.claiming.Store(false)
		adopt(leave)
	})
}

// giveWay frees the place of a task before it closes the session, when that waits for claims: their
// turn comes after all tasks that open files.
func (o *session) giveWay(leave func()) {
	if o.claiming.Load() {
		leave()
	}
}

// notThere reports whether all files of a torrent have disappeared, so that it waits for them.
func (c *Content) notThere(seen resume.Seen, v resume.Verdict, o *session) bool {
	return filestate.Look{
		FolderGone: v.FolderGone, Missing: len(v.Missing) > 0,
		Any:       slices.ContainsFunc(seen.Files, func(id resume.Identity) bool { return id.Exists }),
		SamePlace: (v.FolderGone || len(v.Missing) > 0) && o.loaded.SamePlace(seen),
		SeedOnly:  c.opt.SeedOnly, WasHere: c.verified.known(),
	}.NotThere()
}

// tellChanges says which files are not as we left them, and how they differ. It does not say who did it:
// after a kill, or on an odd file system, we do not know.
func (c *Content) tellChanges(o *session, v resume.Verdict) {
	if !o.loaded.Found {
		return
	}
	if o.loaded.Damaged != "" {
		c.say("its journal is damaged and not trusted, everything is checked: " + o.loaded.Damaged)
		return
	}
	for _, i := range v.Missing {
		c.say(o.lay.Files[i].Path + " was here and is gone")
	}
	for k, i := range v.Changed {
		c.say(o.lay.Files[i].Path + " is not as shoal left it (" + v.How[k] + "): it is checked")
	}
}

// tellLonger says which files that are hashed now are longer than the torrent says: what follows the end
// belongs to somebody, and stays.
func (c *Content) tellLonger(o *session, seen resume.Seen, v resume.Verdict) {
	for i := range c.info.Files {
		more := seen.Files[i].Size - c.info.Files[i].Length
		if more <= 0 || c.info.Files[i].Pad || o.loaded.Found && !slices.Contains(v.Changed, i) {
			continue
		}
		c.say(fmt.Sprintf("%s is %s longer than the torrent says: what is behind its end is kept, and not shared", o.lay.Files[i].Path, plural.Of(more, "byte")))
	}
}
