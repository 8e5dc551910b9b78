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

// keeper is what only the loop knows about the files. Reports and the acts of the filestate machine
// change it; nothing else does.
//
//shoal:part
type keeper struct {
	machine filestate.Machine
	cur     *session        // current session; nil while the files are being opened, or can't be
	epoch   int32           // number of the latest opening
	told    filestate.State // state that Turn has reported
	failed  bool            // Turn has reported a failure
	synced  bool            // what is complete is durable
	syncing bool
	cause   error    // cause of a failure
	change  *change  // requested and not begun
	doubts  []uint32 // pieces to hash at the next opening, whatever the journal says
}

// Report is what a task or another goroutine reports to the loop. The loop passes Checked, Settled and
// Synced to the methods of these names, and the others to Done.
type Report interface {
	// refuse releases what the report holds when its loop has ended.
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

// Settled applies the outcome of an opening. It returns the pieces that we have; nil when none can be
// read, or the files are opened again.
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

// Checked is the outcome of storing a piece.
type Checked struct {
	epoch int32
	disk.Result
}

func (*Checked) refuse(*Content) {}

// Fate says what happened to a piece that was stored.
type Fate uint8

// Values of Fate.
const (
	Hashed  Fate = iota // Checked.OK says whether it matches
	Lost                // not written: the piece is missing
	LeftOut             // not written, and its file is left out: Unkept reports that
	Stalled             // the write failed, and is repeated
)

// Checked applies the outcome of a piece. An outcome from an earlier session does not count: the piece
// was checked since.
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

// Sync makes durable what is complete. Synced reports the outcome.
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

// Synced applies the outcome of Sync. It reports whether everything is durable and where it belongs.
// complete says that we have all wanted pieces. An error ends the torrent.
func (c *Content) Synced(now mono.Time, r *Synced, complete bool) (durable bool, err error) {
	c.syncing = false
	switch {
	case r.epoch != c.epoch || c.cur == nil:
		// The files are checked again, and synced after that.
		if c.cur != nil && complete {
			c.Sync()
		}
	case errors.Is(r.err, context.Canceled), errors.As(r.err, new(*resume.SyncError)):
		// The torrent ends, or the committer reports the failure.
	case r.err != nil && c.opt.Storage != nil:
		// The syncs of this session fail from now on, and the files can't be opened again.
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

// Incomplete notes that wanted pieces are missing again.
func (c *Content) Incomplete() { c.synced = false }

// doubt reports that the files are not as we left them.
type doubt struct {
	epoch int32 // number of the session that it is about, or anyOpening
	err   error
}

// anyOpening stands for the current session, whichever that is.
const anyOpening = -1

func (*doubt) refuse(*Content) {}

// wrote reports that what was kept of an incomplete piece is written.
type wrote struct{ epoch int32 }

func (*wrote) refuse(*Content) {}

// unreadable reports that a piece could not be read.
type unreadable struct {
	piece uint32
	err   error
}

func (*unreadable) refuse(*Content) {}

// Done applies a report that concerns the content alone.
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

// Refuse releases what a report holds, when the loop has ended.
func (c *Content) Refuse(r Report) { r.refuse(c) }

// startChange closes the files, makes a change, and opens them again.
func (c *Content) startChange(ch *change) {
	if c.cur == nil || c.change != nil || !c.machine.Reopen(c.shared.now()) {
		ch.done <- ErrBusy
		return
	}
	c.change = ch
}

// Unreadable handles a failed read. A changed file shows by its looks; when the device failed, the piece
// is read again.
func (c *Content) Unreadable(now mono.Time, piece uint32, err error) {
	switch {
	case errors.Is(err, disk.ErrClosed):
	case errors.Is(err, resume.ErrChanged):
		c.suspect(now, err)
	default:
		c.suspect(now, fmt.Errorf("read piece %d to serve it: %w", piece, err), piece)
	}
}

// suspect puts in doubt what the files hold; the given pieces are hashed whatever the files look like.
func (c *Content) suspect(now mono.Time, err error, pieces ...uint32) {
	c.doubts = append(c.doubts, pieces...)
	c.cause = err
	c.say(err.Error())
	c.machine.Spoilt(now)
}

// Start begins to look at what is on disk.
func (c *Content) Start() {
	c.machine.Start(c.shared.now())
	c.machine.Next() // the opening is what it decides first
	c.openSoon(func(leave func()) { c.reopen(nil, nil, 0, leave) })
}

// Tick does what is due.
func (c *Content) Tick(now mono.Time) { c.machine.Tick(now) }

// Deadline returns when to call Tick; mono.Never when nothing is due.
func (c *Content) Deadline() mono.Time { return c.machine.Deadline() }

// State returns the state of the files.
func (c *Content) State() filestate.State { return c.machine.State() }

// Mode returns what may be done with the files now.
func (c *Content) Mode() filestate.Mode { return c.machine.Mode() }

// Cause returns why the files are stalled or missing; nil when they are neither.
func (c *Content) Cause() error { return c.cause }

// FetchAgain makes the torrent fetch files again that have disappeared.
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

// A Turn is a change of the state of the files.
type Turn uint8

// Values of Turn.
const (
	Same    Turn = iota
	Other        // another state
	HeldUp       // the files fail, or are missing: Cause says why
	GoingOn      // a failure that HeldUp reported is over
)

// Turn returns what has changed since its last call.
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

// Store hashes a block, and writes its piece when that is whole. It never waits; Checked reports the
// outcome.
func (c *Content) Store(ref block.Ref, b *block.Block, sums bool) {
	if c.cur == nil {
		c.Put(b)
		return
	}
	c.cur.disk.Store(ref, b, sums)
}

// Put returns the buffer of a block that nobody needs.
func (c *Content) Put(b *block.Block) { c.device.budget.Put(b) }

// Forget drops what is kept of an incomplete piece.
func (c *Content) Forget(piece uint32) {
	if c.cur != nil {
		c.cur.disk.Forget(piece)
	}
}

// Cold says that nobody will read a verified piece soon.
func (c *Content) Cold(piece uint32) {
	if c.cur != nil {
		c.cur.cold.add(piece)
	}
}

// lastClaims bounds how long stopping waits for the disk: what is not claimed by then is checked at the
// next start.
const lastClaims = 30 * time.Second

// Close waits for the tasks, claims what is verified, closes the files and leaves the device. Nobody
// uses them any more, and the life of the torrent has ended.
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
