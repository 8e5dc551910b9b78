package content

import (
	"errors"

	"shoal/internal/decide/filestate"
	"shoal/internal/files/resume"
)

// openSoon runs a task that opens or checks files, when its turn has come.
func (c *Content) openSoon(task func(leave func())) {
	c.tasks.Add(1)
	c.shared.openings.Add(func(leave func()) {
		defer c.tasks.Done()
		task(leave)
	})
}

// reopen closes the session and opens the files again. It is a task.
func (c *Content) reopen(prev *session, doubts []uint32, epoch int32, leave func()) {
	if prev != nil {
		if len(doubts) > 0 {
			prev.distrust(doubts...)
		}
		prev.giveWay(leave)
		if err := prev.close(c.life, false); err != nil {
			c.shared.log.Debug("close files to open them again", "torrent", c.info.Name, "err", err)
		}
	}
	c.openSearching(newSearch(), epoch, leave)
}

// openSearching opens the files. It repeats that when some of the found files are not the torrent's.
func (c *Content) openSearching(look *search, epoch int32, leave func()) {
	o, err := c.openFiles(epoch, look)
	if err != nil {
		s := Settled{err: err, outcome: filestate.Unusable}
		if errors.Is(err, ErrNotThere) {
			s.outcome = filestate.NotThere
		}
		c.host.Post(&s)
		return
	}
	c.settle(o, leave)
}

// settle looks at the open files and checks what is in doubt. It is a task.
func (c *Content) settle(o *session, leave func()) {
	ctx, done := c.life.Child()
	defer done()
	have, err := o.settle(ctx, leave)
	if errors.Is(err, errSearchAgain) && ctx.Err() == nil {
		if err := o.close(c.life, false); err != nil {
			c.shared.log.Debug("close files to search again", "torrent", c.info.Name, "err", err)
		}
		c.openSearching(o.search, o.epoch, leave)
		return
	}
	s := Settled{o: o, have: have, err: err}
	switch {
	case c.life.Err() != nil: // it may have gone well, but too late
		s.outcome, s.err = filestate.Unusable, ErrStopped
	case errors.Is(err, ErrNotThere):
		s.outcome = filestate.NotThere
	case have == nil, errors.Is(err, resume.ErrChanged):
		s.outcome = filestate.Unusable // the session knows the files as they were
	case err != nil:
		s.outcome = filestate.Partly
	default:
		c.again.Store(false) // it counts once
		o.loaded = nil
	}
	if s.outcome == filestate.NotThere || s.outcome == filestate.Unusable {
		// A folder that stays open would be the old one forever.
		o.close(c.life, false)
		s.o, s.have = nil, nil
	}
	if !c.host.Post(&s) && s.o != nil {
		s.o.close(c.life, false)
	}
}
