package content

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"shoal/internal/decide/upkeep"
	"shoal/internal/files/resume"
	"shoal/internal/files/storage"
)

// place is a folder, as the user names it and from the root.
type place struct {
	given, abs string
	final      *place // where the files belong once all are complete; nil: here
	found      bool   // it is known that they are here, and not where unfinished ones are
}

func newPlace(dir string) (*place, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("find the folder %s: %w", dir, err)
	}
	return &place{given: dir, abs: abs}, nil
}

// Move brings the files into another folder, which must exist, also on another volume;
// they stay there when they are complete. What has the same name there is not written
// over. While it lasts nothing is fetched or served. The files are first in both places,
// looked at in the new one, and removed from the old one only then: a stop at any moment
// leaves them whole in one of the two.
func (t *Content) Move(ctx context.Context, dir string, progress func(done, total int64)) error {
	if t.opt.Storage != nil || t.opt.Open != nil {
		return errors.New("move: its files are not in a folder")
	}
	to, err := newPlace(dir)
	if err != nil {
		return err
	}
	return t.changeFiles(ctx, func(c *change) { c.do = t.mover(c, to, nil, progress) })
}

// mover is the change that brings the files to a folder. After an error they are back, at
// the place as it is then; nil for as it was.
func (t *Content) mover(c *change, to, back *place, progress func(done, total int64)) func(*opening, int32, func()) {
	to.found = true
	return func(prev *opening, epoch int32, leave func()) {
		leave()
		old := t.at.Load()
		err := prev.close(t.life, true)
		if err == nil {
			err = t.moveTo(c, prev, old, to, progress, epoch)
		}
		if err != nil {
			if back == nil {
				back = old
			}
			t.at.Store(back)
			if err := t.host.Remember(false); err != nil {
				t.shared.log.Warn("remember where the files are", "torrent", t.info.Name, "err", err)
			}
			t.reopen(nil, nil, epoch, leave)
			c.done <- fmt.Errorf("move %s to %s: %w", t.info.Name, to.given, err)
		}
	}
}

// moveTo moves the files and opens them in the new folder. After an error they are where
// they were.
func (t *Content) moveTo(c *change, prev *opening, old, to *place, progress func(done, total int64), epoch int32) error {
	lay, files := t.layout(), prev.onDisk()
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	defer context.AfterFunc(t.life, cancel)()
	release, err := t.shared.journals.Lock(old.abs, t.infoHash)
	if err != nil {
		return err
	}
	defer release()
	state, err := t.shared.journals.For(to.abs)
	if err != nil {
		return err
	}
	if a := (resume.Aside{Suffix: prev.was.Suffix}); a.Suffix != "" && old.final != to { // files have it there, too
		if err := resume.WriteAside(state, t.infoHash, a); err != nil {
			return err
		}
	}
	from, err := t.follow(old, pathsOn(files))
	if err != nil {
		return err
	}
	defer from.Close()
	there, err := t.follow(to, pathsOn(files))
	if err != nil {
		return err
	}
	defer there.Close()
	moved, err := storage.Relocate(ctx, from, there, files, progress)
	if err != nil {
		return err
	}
	before, err := t.shared.journals.Read(old.abs, lay)
	if err != nil {
		moved.Undo()
		return err
	}
	t.at.Store(to)
	o, err := t.openFiles(epoch, nil)
	if err == nil && o.state == nil && t.shared.journals.Kept() {
		o.close(t.life, false)
		err = errors.New("no journal can be kept of the new place") // and nobody would know of it
	}
	if err != nil {
		moved.Undo()
		return err
	}
	if moved.Linked {
		o.loaded = before // the same files under other names: what was claimed holds
	}
	have, err := o.settle(t.life, func() {})
	if err == nil && have.Count() < before.Have.Count() {
		err = errors.New("not all that was had is right in the new place: look at the health of that disk")
	}
	if err == nil {
		o.adopting.Wait() // the new place is claimed, and remembered, before the old one goes
		err = t.host.Remember(true)
	}
	if err != nil {
		o.close(t.life, false)
		if state != nil {
			_ = resume.Remove(state, lay)
		}
		moved.Undo()
		return err
	}
	o.loaded = nil
	s := Settled{o: o, have: have, outcome: upkeep.Fine}
	err = t.leave(from, old.abs, files)
	if final := old.final; err == nil && final != nil && final != to { // they do not go there any more
		if state, serr := t.shared.journals.For(final.abs); serr == nil {
			err = resume.WriteAside(state, t.infoHash, resume.Aside{})
		}
	}
	if err != nil {
		err = fmt.Errorf("the files are in the new place; remove the old ones: %w", err)
	}
	if !t.host.Post(&s) {
		o.close(t.life, false)
	}
	c.done <- err
	return nil
}

// leave removes the files from a folder that they have left, and what was known of them there.
func (t *Content) leave(folder storage.FS, dir string, files []storage.Entry) error {
	if err := storage.RemoveFiles(folder, files); err != nil {
		return err
	}
	state, err := t.shared.journals.For(dir)
	if err != nil || state == nil {
		return nil
	}
	return errors.Join(resume.Remove(state, t.layout()), resume.WriteAside(state, t.infoHash, resume.Aside{}))
}
