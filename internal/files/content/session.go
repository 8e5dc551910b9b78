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

// session is one opening of a torrent's files: from the look at what is on disk to the next doubt, or
// the end. The task that opens it owns it first; then the loop, which passes it to the task that opens
// the next session and closes this one.
type session struct {
	c     *Content
	epoch int32 // number of the session: reports of an earlier one do not count
	store storage.Storage
	disk  *disk.Torrent

	// Nil with a storage of the caller.
	files *storage.Files
	*incomplete
	search    *search // nil when files are where they are known to be
	lay       resume.Layout
	state     resume.FS // nil when nothing is kept
	loaded    *resume.Loaded
	journal   *resume.Journal
	guard     *resume.Guard
	committer *resume.Committer

	cold cold // pieces that nobody will read soon

	rewriting atomic.Bool // what was read is written once more, to be adopted

	moved  *Device // device that is not the torrent's yet; nil for none
	unlock func()  // releases the lock on writing the torrent; nil while we do not have it

	early *resume.Seen // what the search saw, until the first look after it; nil for nothing

	// Results of a settle that did not reach its end.
	seen  resume.Seen
	found *bitfield.Bitfield

	adopting sync.WaitGroup // claims of what a seed was found to have
	claiming atomic.Bool    // such claims are still to be made
}

// ErrNotThere is why a torrent whose files have disappeared waits instead of fetching them again.
var ErrNotThere = errors.New("the files were here and are not: is a volume not mounted? bring it back, or have them fetched again")

// openFiles opens the files under the names that they should have. It looks at nothing else, and
// creates nothing. When the folder is missing and there is a journal of it, the error is ErrNotThere.
// A search finds data under other names; without a search the names are those that are known.
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
	c.refused.forget() // the user may have removed the cause
	o.files.Skip(c.skipped())
	o.files.CheckWrites(o.ownFile)
	o.guard = resume.NewGuard(o.files, o.files.Folder(), o.journal, resume.VolumeAt(c.at.Load().abs))
	o.store = o.guard
	o.committer = resume.NewCommitter(o.journal, resume.CommitterConfig{Sync: o.guard.Sync, Report: o.claimed})
	o.openDisk()
	return o, nil
}

// openDisk makes the workers of the torrent's device hash and write for it.
func (o *session) openDisk() {
	c := o.c
	o.disk = o.onDevice().disk.Open(o.store, c.geom, c.info.PieceHash, func(r disk.Result) {
		c.host.Post(&Checked{o.epoch, r})
	})
	o.disk.OnResumed(func() { c.host.Post(&wrote{o.epoch}) })
}

// openJournal reads the journal. When none can be kept we fetch and share files all the same: earlier
// claims hold as far as the files are as they were then. A journal that exists and can't be read is an
// error: it may know files by other names or in another folder, and they would be fetched again.
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
		o.journal, o.loaded, _ = resume.Open(nil, lay, cfg) // a journal in memory can't fail
	}
	o.lay = o.journal.Layout()
	if o.loaded.Found {
		c.shared.journals.MarkUsed(c.at.Load().abs, o.lay.InfoHash)
	}
	return nil
}

// claimed takes the result of a group of pieces from the committer.
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
		// What is not claimed now is claimed later; until then a stop costs a check.
		o.c.shared.log.Warn("claim pieces", "torrent", o.c.info.Name, "err", r.Err)
	}
}

// close closes the files. With inOrder it first claims everything that is verified; nothing writes any
// more.
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

// distrust withdraws claims before the session is closed for a check.
func (o *session) distrust(pieces ...uint32) {
	if o.journal == nil {
		return
	}
	if err := o.journal.Distrust(pieces...); err != nil {
		o.c.shared.log.Warn("take claims back", "torrent", o.c.info.Name, "err", err)
	}
}

// sync makes durable what is complete, and claims it.
func (o *session) sync(ctx context.Context) error {
	if o.committer == nil {
		return o.disk.Sync(ctx)
	}
	// A small file may be completely in the part file, and get no further write.
	if err := o.moveOut(ctx); err != nil {
		return err
	}
	for i := range o.c.info.Files {
		if !o.c.opt.SeedOnly && o.c.info.Files[i].Executable && !o.files.Skipped(i) {
			// Its bytes are right all the same: a read-only file, or one of another user, is not worth a message at
			// each start.
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
		// The data is safe. The failed write of the journal costs a check at the next start; the committer
		// reports it.
		return nil
	}
	return err
}
