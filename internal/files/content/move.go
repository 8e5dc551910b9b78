package content

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"shoal/internal/decide/filestate"
	"shoal/internal/files/resume"
	"shoal/internal/files/storage"
)

// This file moves the files of a torrent to another folder, between two sessions.

// place is a folder, as the user wrote it and as an absolute path.
type place struct {
	given, abs string
	final      *place // where the files belong once all are complete; nil means here
	found      bool   // we know that the files are here, and not in the folder for incomplete ones
}

func newPlace(dir string) (*place, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("find the folder %s: %w", dir, err)
	}
	return &place{given: dir, abs: abs}, nil
}

// Move moves the files into another folder, which must exist and can be on another volume. They stay
// there when they are complete. Files with the same names there are not overwritten. Nothing is fetched
// or served during the move. The files are first copied, then checked in the new folder, and only then
// removed from the old one: a stop at any moment leaves them whole in one of the two.
func (c *Content) Move(ctx context.Context, dir string, progress func(done, total int64)) error {
	if c.opt.Storage != nil || c.opt.Open != nil {
		return errors.New("move: its files are not in a folder")
	}
	to, err := newPlace(dir)
	if err != nil {
		return err
	}
	return c.changeFiles(ctx, func(ch *change) { ch.do = c.mover(ch, to, nil, progress) })
}

// mover returns the work of a change that moves the files to a folder. After an error they are in
// back; nil means where they were.
func (c *Content) mover(ch *change, to, back *place, progress func(done, total int64)) func(*session, int32, func()) {
	to.found = true
	return func(prev *session, epoch int32, leave func()) {
		leave()
		old := c.at.Load()
		err := prev.close(c.life, true)
		if err == nil {
			err = c.moveFiles(ch, prev, old, to, progress, epoch)
		}
		if err != nil {
			if back == nil {
				back = old
			}
			c.at.Store(back)
			if err := c.host.Remember(false); err != nil {
				c.shared.log.Warn("remember where the files are", "torrent", c.info.Name, "err", err)
			}
			c.reopen(nil, nil, epoch, leave)
			ch.done <- fmt.Errorf("move %s to %s: %w", c.info.Name, to.given, err)
		}
	}
}

// moveFiles moves the files and opens them in the new folder. After an error they are where
// they were.
func (c *Content) moveFiles(ch *change, prev *session, old, to *place, progress func(done, total int64), epoch int32) error {
	lay, files := c.layout(), prev.onDisk()
	ctx, cancel := context.WithCancel(ch.ctx)
	defer cancel()
	defer context.AfterFunc(c.life, cancel)()
	release, err := c.shared.journals.Lock(old.abs, c.info.Hash)
	if err != nil {
		return err
	}
	defer release()
	state, err := c.shared.journals.For(to.abs)
	if err != nil {
		return err
	}
	if a := (resume.Aside{Suffix: prev.was.Suffix}); a.Suffix != "" && old.final != to { // the files have the suffix there, too
		if err := resume.WriteAside(state, c.info.Hash, a); err != nil {
			return err
		}
	}
	from, err := c.follow(old, pathsOn(files))
	if err != nil {
		return err
	}
	defer from.Close()
	there, err := c.follow(to, pathsOn(files))
	if err != nil {
		return err
	}
	defer there.Close()
	moved, err := storage.Relocate(ctx, from, there, files, progress)
	if err != nil {
		return err
	}
	before, err := c.shared.journals.Read(old.abs, lay)
	if err != nil {
		moved.Undo()
		return err
	}
	c.at.Store(to)
	o, err := c.openFiles(epoch, nil)
	if err == nil && o.state == nil && c.shared.journals.Kept() {
		o.close(c.life, false)
		err = errors.New("no journal can be kept of the new place") // and the next start would not find the files
	}
	if err != nil {
		moved.Undo()
		return err
	}
	if moved.Linked {
		o.loaded = before // the same files under other names: the claims hold
	}
	have, err := o.settle(c.life, func() {})
	if err == nil && have.Count() < before.Have.Count() {
		err = errors.New("some pieces that were right are wrong in the new place: check the health of that disk")
	}
	if err == nil {
		o.adopting.Wait() // the new place is claimed and remembered before the old one is removed
		err = c.host.Remember(true)
	}
	if err != nil {
		o.close(c.life, false)
		if state != nil {
			_ = resume.Remove(state, lay)
		}
		moved.Undo()
		return err
	}
	o.loaded = nil
	s := Settled{o: o, have: have, outcome: filestate.Fine}
	err = c.leave(from, old.abs, files)
	if final := old.final; err == nil && final != nil && final != to { // the files do not go there any more
		if state, serr := c.shared.journals.For(final.abs); serr == nil {
			err = resume.WriteAside(state, c.info.Hash, resume.Aside{})
		}
	}
	if err != nil {
		err = fmt.Errorf("the files are in the new place; remove the old ones: %w", err)
	}
	if !c.host.Post(&s) {
		o.close(c.life, false)
	}
	ch.done <- err
	return nil
}

// leave removes the files, and what we noted about them, from a folder that they have left.
func (c *Content) leave(folder storage.FS, dir string, files []storage.Entry) error {
	if err := storage.RemoveFiles(folder, files); err != nil {
		return err
	}
	state, err := c.shared.journals.For(dir)
	if err != nil || state == nil {
		return nil
	}
	return errors.Join(resume.Remove(state, c.layout()), resume.WriteAside(state, c.info.Hash, resume.Aside{}))
}
