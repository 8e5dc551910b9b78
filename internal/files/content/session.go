package content

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"shoal/internal/files/disk"
	"shoal/internal/files/resume"
	"shoal/internal/files/storage"
	"shoal/internal/value/bitfield"
)

// session is one opening of a torrent's files: from the look at what lies there to
// the next doubt, or the end. The task that opens it has it first; then the loop,
// which gives it to the task that opens the next one, and that one closes it.
type session struct {
	c     *Content
	epoch int32 // which one it is: what one that is gone reports does not count
	store storage.Storage
	disk  *disk.Torrent

	// Nil with a storage of the caller's.
	files *storage.Files
	*incomplete
	search    *search // nil when files are where they are known to be
	lay       resume.Layout
	state     resume.FS // nil when nothing is kept
	loaded    *resume.Loaded
	journal   *resume.Journal
	guard     *resume.Guard
	committer *resume.Committer

	cold cold // pieces that nobody is expected to read soon

	rewriting atomic.Bool // what was read is written once more, to be adopted

	moved  *Device // a device that is not the torrent's yet; nil for none
	unlock func()  // the torrent is ours to write; nil while it is not

	early *resume.Seen // what the search saw, until the first look after it; nil for nothing

	// What was found by a settle that did not go through to the end.
	seen  resume.Seen
	found *bitfield.Bitfield

	adopting sync.WaitGroup // of a seed: what was found is claimed in its turn
	claiming atomic.Bool    // that is still to be done
}

// ErrNotThere is why a torrent whose files were there waits instead of fetching them again.
var ErrNotThere = errors.New("the files were here and are not: is a volume not mounted? bring it back, or have them fetched again")

// openFiles opens the files under the names that they should have. Nothing is
// looked at otherwise, and nothing created. Where there is a journal of a folder that is
// not there, the error is ErrNotThere.
// Data that lies there under other names is found with a search; without one the names are
// those that are known.
func (c *Content) openFiles(epoch int32, s *search) (*session, error) {
	o := newSession(c, epoch)
	o.search = s
	if c.opt.Storage != nil {
		o.store = c.opt.Storage
		o.openDisk()
		return o, nil
	}
	if err := o.openJournal(); err != nil {
		return nil, err
	}
	var err error
	if o.files, err = o.openStorage(); err != nil {
		if o.unlock != nil {
			o.unlock()
		}
		if storage.KindOf(err) == storage.Missing && (o.loaded.Found || c.verified.known() || c.opt.Restored) {
			err = fmt.Errorf("%w (%w)", ErrNotThere, err)
		}
		return nil, err
	}
	c.users.links.Seal(c.at.Load().abs, true)
	c.refused.forget() // something may have been done about them
	o.files.Skip(c.skipped())
	o.files.CheckWrites(o.ownFile)
	o.guard = resume.NewGuard(o.files, o.files.Folder(), o.journal, resume.VolumeAt(c.at.Load().abs))
	o.store = o.guard
	o.committer = resume.NewCommitter(o.journal, resume.CommitterConfig{Sync: o.guard.Sync, Report: o.claimed})
	o.openDisk()
	return o, nil
}

// openDisk has the workers of the torrent's device hash and write for it.
func (o *session) openDisk() {
	c := o.c
	o.disk = o.onDevice().disk.Open(o.store, c.geom, c.info.PieceHash, func(r disk.Result) {
		c.host.Post(&Checked{o.epoch, r})
	})
	o.disk.OnResumed(func() { c.host.Post(&wrote{o.epoch}) })
}

// openJournal reads the journal. Where none can be kept that is no reason not to get and
// share files: what was claimed before holds as far as the files are as they were then. That
// one is there and can't be read is a reason: it may know files by other names, or in
// another folder, and they would be fetched again.
func (o *session) openJournal() error {
	c := o.c
	state, err := o.findPlace()
	if errors.As(err, new(*lostError)) {
		return err
	}
	lay, cfg := c.layout(), resume.Config{Dir: c.at.Load().abs, Boot: c.shared.journals.Boot(), Names: c.names()}
	if err == nil {
		o.state = state
		o.journal, o.loaded, err = resume.Open(state, lay, cfg)
		if err != nil {
			return err
		}
		o.inherit()
	}
	if err != nil {
		c.say("no journal is kept, so the next start checks everything: " + err.Error())
		o.state = nil
		o.journal, o.loaded, _ = resume.Open(nil, lay, cfg) // in memory: it can't fail
	}
	o.lay = o.journal.Layout()
	if o.loaded.Found {
		c.shared.journals.MarkUsed(c.at.Load().abs, o.lay.InfoHash)
	}
	return nil
}

// claimed takes the outcome of a group of pieces from the committer.
func (o *session) claimed(r resume.Report) {
	switch {
	case r.Err == nil:
		if err := o.reveal(); err != nil {
			o.c.host.Post(&doubt{o.epoch, err})
		}
		if !o.c.shared.keepCached {
			o.uncache(r.Durable)
		}
	case errors.As(r.Err, new(*resume.SyncError)):
		o.c.host.Post(&doubt{o.epoch, r.Err})
	default:
		// What is not claimed now will be; until then a stop costs a check.
		o.c.shared.log.Warn("claim pieces", "torrent", o.c.info.Name, "err", r.Err)
	}
}

// close closes the files. In order, everything that is verified is claimed
// first; nothing writes any more.
func (o *session) close(ctx context.Context, inOrder bool) error {
	o.disk.Close()
	o.adopting.Wait()
	if o.moved != nil {
		o.c.shared.leaveDevice(o.moved)
		o.moved = nil
	}
	if o.unlock != nil {
		defer o.unlock()
	}
	var err error
	if o.committer != nil {
		err = o.committer.Close(ctx, inOrder)
		if err == nil && inOrder {
			err = o.reveal()
		}
	}
	if o.c.opt.Storage != nil {
		return err // it is closed with the torrent
	}
	return errors.Join(err, o.store.Close())
}

// distrust takes claims back, before what is open is closed to be checked.
func (o *session) distrust(pieces ...uint32) {
	if o.journal == nil {
		return
	}
	if err := o.journal.Distrust(pieces...); err != nil {
		o.c.shared.log.Warn("take claims back", "torrent", o.c.info.Name, "err", err)
	}
}

// sync makes durable what is complete, and has it claimed.
func (o *session) sync(ctx context.Context) error {
	if o.committer == nil {
		return o.disk.Sync(ctx)
	}
	// A small file may lie in the part file whole, and nothing more be written to it.
	if err := o.moveOut(ctx); err != nil {
		return err
	}
	for i := range o.c.info.Files {
		if !o.c.opt.SeedOnly && o.c.info.Files[i].Executable && !o.files.Skipped(i) {
			// Its bytes are right all the same: a file that is read-only, or another user's, is
			// not worth a word at each start.
			if err := o.files.MakeExecutable(i); err != nil {
				o.c.shared.log.Debug("make executable", "torrent", o.c.info.Name, "err", err)
			}
		}
	}
	err := o.committer.Flush(ctx)
	if err == nil {
		return o.finish()
	}
	if err != nil && ctx.Err() == nil && !errors.As(err, new(*resume.SyncError)) {
		// The data is safe. That the journal could not be written costs a check
		// at the next start; the committer reports it.
		return nil
	}
	return err
}
