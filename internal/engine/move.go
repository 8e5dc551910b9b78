package engine

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"shoal/internal/resume"
	"shoal/internal/storage"
	"shoal/internal/upkeep"
)

// ErrBusy says that the files are being opened, checked or moved at the moment.
var ErrBusy = errors.New("the files are being checked or moved: try again later")

// place is a folder, as the user names it and from the root.
type place struct{ given, abs string }

func newPlace(dir string) (*place, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("find the folder %s: %w", dir, err)
	}
	return &place{dir, abs}, nil
}

// Dir gives the folder that holds the torrent's file or folder.
func (t *Torrent) Dir() string { return t.at.Load().given }

// move is a wish to have the files in another folder.
type move struct {
	ctx      context.Context
	to       *place
	progress func(done, total int64)
	done     chan error // of capacity one
}

// Move brings the files into another folder, which must exist, also on another volume.
// What has the same name there is not written over. While it lasts nothing is fetched or
// served. The files are first in both places, looked at in the new one, and removed from
// the old one only then: a stop at any moment leaves them whole in one of the two.
func (t *Torrent) Move(ctx context.Context, dir string, progress func(done, total int64)) error {
	if t.spec.Storage != nil || t.spec.Open != nil {
		return errors.New("move: its files are not in a folder")
	}
	to, err := newPlace(dir)
	if err != nil {
		return err
	}
	m := &move{ctx: ctx, to: to, progress: progress, done: make(chan error, 1)}
	if !t.post(event{kind: evMove, with: m}) {
		return ErrStopped
	}
	select {
	case err := <-m.done:
		return err
	case <-t.stopped:
		select {
		case err := <-m.done:
			return err
		default:
			return ErrStopped
		}
	}
}

// startMove has the files opened anew, in another folder.
func (t *Torrent) startMove(m *move) {
	if t.cur == nil || t.move != nil || !t.upkeep.Reopen(t.e.now()) {
		m.done <- ErrBusy
		return
	}
	t.move = m
}

// upkeepMove is upkeepOpen in another folder. It is a task.
func (t *Torrent) upkeepMove(prev *opening, m *move, gen int32, leave func()) {
	leave()
	old := t.at.Load()
	err := prev.close(t.ctx, true)
	if err == nil {
		err = t.moveTo(old, m, gen)
	}
	if err != nil {
		m.done <- fmt.Errorf("move %s to %s: %w", t.info.Name, m.to.given, err)
		t.at.Store(old)
		if err := t.e.memory.changed(t, false); err != nil {
			t.e.log.Warn("remember where the files are", "torrent", t.info.Name, "err", err)
		}
		t.upkeepOpen(nil, nil, gen, leave)
		return
	}
}

// moveTo moves the files and opens them in the new folder. After an error they are where
// they were.
func (t *Torrent) moveTo(old *place, m *move, gen int32) error {
	lay := t.layout()
	ctx, cancel := context.WithCancel(m.ctx)
	defer cancel()
	defer context.AfterFunc(t.ctx, cancel)()
	moved, err := storage.Relocate(ctx, old.abs, m.to.abs, lay.Files, m.progress)
	if err != nil {
		return err
	}
	before, err := t.journalOf(old.abs, lay)
	if err != nil {
		moved.Undo()
		return err
	}
	t.at.Store(m.to)
	o, err := t.openFiles(gen)
	if err != nil {
		moved.Undo()
		return err
	}
	if moved.Linked {
		o.loaded = before // the same files under other names: what was claimed holds
	}
	have, err := o.settle(t.ctx, func() {})
	if err == nil && have.Count() < before.Have.Count() {
		err = errors.New("not all that was had is right in the new place: look at the health of that disk")
	}
	if err == nil {
		o.adopting.Wait() // the new place is claimed, and remembered, before the old one goes
		err = t.e.memory.changed(t, true)
	}
	if err != nil {
		o.close(t.ctx, false)
		if state, serr := t.e.stateFor(m.to.abs); serr == nil && state != nil {
			_ = resume.Remove(state, lay)
		}
		moved.Undo()
		return err
	}
	moved.Close()
	o.loaded = nil
	err = storage.RemoveFiles(old.abs, lay.Files)
	if state, serr := t.e.stateFor(old.abs); serr == nil && state != nil && err == nil {
		err = resume.Remove(state, lay)
	}
	if err != nil {
		err = fmt.Errorf("the files are in the new place; remove the old ones: %w", err)
	}
	m.done <- err
	s := settled{o: o, have: have, outcome: upkeep.Fine}
	if !t.post(event{kind: evSettled, with: &s}) {
		o.close(t.ctx, false)
	}
	return nil
}

// journalOf reads what the journal says of the torrent in a folder.
func (t *Torrent) journalOf(dir string, lay resume.Layout) (*resume.Loaded, error) {
	state, err := t.e.stateFor(dir)
	if err != nil {
		return nil, err
	}
	_, lo, err := resume.Open(state, lay, resume.Config{Dir: dir, Boot: t.e.boot})
	return lo, err
}
