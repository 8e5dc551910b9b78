package content

import (
	"context"
	"errors"
	"fmt"
	"time"

	"shoal/internal/decide/filestate"
	"shoal/internal/files/disk"
	"shoal/internal/files/resume"
	"shoal/internal/value/bitfield"
	"shoal/internal/value/block"
	"shoal/internal/value/mono"
)

// keeper is what only the loop knows of the files. Reports and the acts of the filestate machine
// change it, nothing else does.
//
//shoal:part
type keeper struct {
	machine filestate.Machine
	cur     *session        // of the files; nil while they are being opened, and while they can't be
	epoch   int32           // of the latest opening
	told    filestate.State // as Turn told it
	failed  bool            // Turn told of a failure
	synced  bool            // what is complete is durable
	syncing bool
	cause   error    // of a failure
	change  *change  // asked for, not begun
	doubts  []uint32 // pieces to be hashed at the next opening, whatever the journal says
}

// Report is what a task, or another goroutine, tells the loop. The loop gives Checked, Settled
// and Synced to the methods of these names, and the others to Done.
type Report interface {
	// refuse gives back what the report holds, when its loop has ended.
	refuse(c *Content)
}

// Settled is the outcome of an opening, or of another look at what is open.
type Settled struct {
	o       *session
	have    *bitfield.Bitfield
	err     error
	outcome filestate.Outcome
}

func (s *Settled) refuse(c *Content) { c.cur = s.o } // Close closes it

// Settled takes the outcome of an opening. It returns the pieces that are there; nil when none
// can be read, or the files are opened again.
func (c *Content) Settled(now mono.Time, s *Settled) (have *bitfield.Bitfield) {
	c.cur = s.o
	if s.o != nil && s.o.moved != nil {
		c.settleOn(s.o.moved)
		s.o.moved = nil
	}
	if s.err != nil || s.outcome == filestate.Fine {
		c.cause = s.err
	}
	c.source.set(s.o)
	c.machine.Settled(now, s.outcome)
	return s.have
}

// Checked is the outcome of a piece that was stored.
type Checked struct {
	epoch int32
	disk.Result
}

func (*Checked) refuse(*Content) {}

// Fate is what became of a piece that was stored.
type Fate uint8

// The fates.
const (
	Hashed  Fate = iota // Checked.OK says whether it matches
	Lost                // it was not written: it is missing
	LeftOut             // it was not written, and its file is left out: Unkept reports that
	Stalled             // it could not be written, and is written again
)

// Checked takes the outcome of a piece. What an opening tells that is gone does not count: the
// piece was looked at since.
func (c *Content) Checked(now mono.Time, r *Checked) Fate {
	switch {
	case r.epoch != c.epoch:
		return Lost
	case r.Err == nil:
		if r.OK {
			c.verified.add(r.Piece)
			c.machine.Written()
			if c.cur.committer != nil {
				c.cur.committer.Verified(r.Piece)
			}
		}
		return Hashed
	case errors.Is(r.Err, resume.ErrChanged):
		c.suspect(now, r.Err)
		return Lost
	case c.leftOut(c.cur, r.Err):
		return LeftOut
	}
	c.cause = r.Err
	c.machine.WriteFailed(now)
	if r.Stalled {
		return Stalled
	}
	return Lost
}

// Synced is the outcome of Sync.
type Synced struct {
	epoch int32
	err   error
}

func (*Synced) refuse(*Content) {}

// Sync makes durable what is complete. Synced tells how that went.
func (c *Content) Sync() {
	if c.syncing || c.synced || c.cur == nil {
		return
	}
	c.syncing = true
	o := c.cur
	c.tasks.Go(func() {
		ctx, cancel := c.life.Child()
		defer cancel()
		c.host.Post(&Synced{o.epoch, o.sync(ctx)})
	})
}

// Synced takes the outcome of Sync. It reports whether everything is durable and where it
// belongs. complete says that all wanted pieces are there. An error ends the torrent.
func (c *Content) Synced(now mono.Time, r *Synced, complete bool) (durable bool, err error) {
	c.syncing = false
	switch {
	case r.epoch != c.epoch || c.cur == nil:
		// It is looked at again, and synced after that.
		if c.cur != nil && complete {
			c.Sync()
		}
	case errors.Is(r.err, context.Canceled), errors.As(r.err, new(*resume.SyncError)):
		// The end, or told of by the committer.
	case r.err != nil && c.opt.Storage != nil:
		// Its syncs fail from now on, and it can't be opened again.
		return false, fmt.Errorf("make the download durable: %w", r.err)
	case r.err != nil:
		c.suspect(now, fmt.Errorf("make the download durable: %w", r.err))
	case !c.synced && complete:
		if c.goHome() {
			return false, nil
		}
		c.synced = true
		return true, nil
	}
	return false, nil
}

// Incomplete says that wanted pieces are missing again.
func (c *Content) Incomplete() { c.synced = false }

// doubt says that the files are not as they were left.
type doubt struct {
	epoch int32 // of the session that it is about, or anyOpening
	err   error
}

// anyOpening is the number of whichever session is current.
const anyOpening = -1

func (*doubt) refuse(*Content) {}

// wrote says that what was kept of a piece that is not whole is written.
type wrote struct{ epoch int32 }

func (*wrote) refuse(*Content) {}

// unreadable says that a piece could not be read.
type unreadable struct {
	piece uint32
	err   error
}

func (*unreadable) refuse(*Content) {}

// Done takes a report that is for the content alone.
func (c *Content) Done(now mono.Time, r Report) {
	switch r := r.(type) {
	case *doubt:
		if r.epoch == c.epoch || r.epoch == anyOpening && c.cur != nil {
			c.suspect(now, r.err)
		}
	case *wrote:
		if r.epoch == c.epoch {
			c.machine.Written()
		}
	case *unreadable:
		c.Unreadable(now, r.piece, r.err)
	case *change:
		c.startChange(r)
	case *question:
		r.answer <- c.whatIsOpen()
	}
}

// Refuse gives back what a report holds, when the loop has ended.
func (c *Content) Refuse(r Report) { r.refuse(c) }

// startChange closes the files and opens them again, with a change in between.
func (c *Content) startChange(ch *change) {
	if c.cur == nil || c.change != nil || !c.machine.Reopen(c.shared.now()) {
		ch.done <- ErrBusy
		return
	}
	c.change = ch
}

// Unreadable takes a read that failed. What was changed is found by how the files look; where
// the device failed, the piece is read again.
func (c *Content) Unreadable(now mono.Time, piece uint32, err error) {
	switch {
	case errors.Is(err, disk.ErrClosed):
	case errors.Is(err, resume.ErrChanged):
		c.suspect(now, err)
	default:
		c.suspect(now, fmt.Errorf("read piece %d to serve it: %w", piece, err), piece)
	}
}

// suspect says that what the files hold is in doubt, the pieces given whatever the files look
// like.
func (c *Content) suspect(now mono.Time, err error, pieces ...uint32) {
	c.doubts = append(c.doubts, pieces...)
	c.cause = err
	c.say(err.Error())
	c.machine.Spoilt(now)
}

// Start begins to look at what is on disk.
func (c *Content) Start() {
	c.machine.Start(c.shared.now())
	c.machine.Next() // it is this
	c.openSoon(func(leave func()) { c.reopen(nil, nil, 0, leave) })
}

// Tick does what is due.
func (c *Content) Tick(now mono.Time) { c.machine.Tick(now) }

// Deadline returns when Tick is wanted; mono.Never when nothing is due.
func (c *Content) Deadline() mono.Time { return c.machine.Deadline() }

// State returns how the files are.
func (c *Content) State() filestate.State { return c.machine.State() }

// Mode returns what may be done with the files now.
func (c *Content) Mode() filestate.Mode { return c.machine.Mode() }

// Cause returns why the files are held or missing; nil when they are not.
func (c *Content) Cause() error { return c.cause }

// FetchAgain fetches files again that were here and are not.
func (c *Content) FetchAgain(now mono.Time) {
	c.again.Store(true)
	c.machine.Hurry(now)
}

// Maintain does what the filestate machine decided. The loop calls it after each event.
func (c *Content) Maintain(now mono.Time) {
	switch c.machine.Next() {
	case filestate.Open:
		prev, doubts := c.cur, c.doubts
		c.cur, c.doubts = nil, nil
		c.source.set(nil)
		c.epoch++
		epoch, ch := c.epoch, c.change
		c.change = nil
		if ch != nil {
			c.openSoon(func(leave func()) { ch.do(prev, epoch, leave) })
			break
		}
		c.openSoon(func(leave func()) { c.reopen(prev, doubts, epoch, leave) })
	case filestate.Settle:
		o := c.cur
		c.openSoon(func(leave func()) { c.settle(o, leave) })
	case filestate.Retry:
		c.machine.Retried(now, c.cur.disk.Retry())
	}
}

// A Turn is a change of how the files are.
type Turn uint8

// The turns.
const (
	Same    Turn = iota
	Other        // the state is another one
	HeldUp       // they fail, or are gone: Cause says why
	GoingOn      // a failure that HeldUp told of is over
)

// Turn returns what has changed since it was called last.
func (c *Content) Turn() Turn {
	state := c.machine.State()
	if state == c.told {
		return Same
	}
	c.told = state
	switch {
	case state == filestate.Stalled || state == filestate.Missing:
		c.failed = true
		return HeldUp
	case state == filestate.Ready && c.failed:
		c.failed = false
		return GoingOn
	}
	return Other
}

// Store hashes a block, and writes its piece when that is whole. It never waits; Checked tells
// how it went.
func (c *Content) Store(ref block.Ref, b *block.Block, sums bool) {
	if c.cur == nil {
		c.Put(b)
		return
	}
	c.cur.disk.Store(ref, b, sums)
}

// Put gives back a block that nobody needs.
func (c *Content) Put(b *block.Block) { c.device.budget.Put(b) }

// Forget drops what is kept of a piece that is not whole.
func (c *Content) Forget(piece uint32) {
	if c.cur != nil {
		c.cur.disk.Forget(piece)
	}
}

// Cold says that nobody is expected to read a verified piece soon.
func (c *Content) Cold(piece uint32) {
	if c.cur != nil {
		c.cur.cold.add(piece)
	}
}

// lastClaims bounds what stopping waits for the disk: what is not claimed by then
// is checked at the next start.
const lastClaims = 30 * time.Second

// Close waits for the tasks, claims what is verified, and closes the files and leaves the device.
// Nobody uses them any more, and the life of the torrent has ended.
func (c *Content) Close() error {
	c.tasks.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), lastClaims)
	defer cancel()
	var err error
	if c.cur != nil {
		c.source.set(nil)
		err = c.cur.close(ctx, true)
		c.cur = nil
	}
	if c.opt.Storage != nil {
		err = errors.Join(err, c.opt.Storage.Close())
	}
	c.Leave()
	c.over.Open()
	return err
}
