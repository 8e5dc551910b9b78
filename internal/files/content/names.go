package content

import (
	"context"
	"errors"
	"fmt"
	"path"

	"shoal/internal/files/resume"
	"shoal/internal/files/storage"
	"shoal/metainfo"
)

// Names are paths of files, by index: slash-separated, below the folder.
type Names = resume.Names

// Paths says what a torrent's files are called, and where they are.
type Paths struct {
	// Named holds the paths of renamed files, from the catalogue. The journal knows better; Named is used
	// when there is none, or it is damaged.
	Named Names
	// Rename holds paths that files get now, whatever they are called.
	Rename Names
	// Suffix is appended to the names of incomplete files; empty means none.
	Suffix string
	// IncompleteDir holds the files until all wanted ones are complete; then they are moved to Dir. Empty
	// means that they are in Dir from the start. Files that are in Dir when the torrent is first added stay
	// there.
	IncompleteDir string
}

// CheckPaths sets the paths of the options, and refuses impossible ones.
func (c *Content) CheckPaths() error {
	p := c.opt.Paths
	if p == nil {
		return nil
	}
	if p.Suffix != "" {
		if err := storage.CheckSuffix(p.Suffix); err != nil {
			return err
		}
	}
	for _, names := range []Names{p.Named, p.Rename} {
		if err := c.checkNames(nil, c.layout().Files, names); err != nil {
			return err
		}
	}
	if len(p.Named) > 0 {
		c.named.Store(&p.Named)
	}
	if len(p.Rename) > 0 {
		c.renames.Store(&p.Rename)
	}
	return nil
}

// checkNames refuses paths that collide with those of other files of the torrent. With a folder, its
// file system decides whether names that differ only in case are two.
func (c *Content) checkNames(folder storage.FS, files []storage.Entry, to Names) error {
	if len(to) == 0 {
		return nil
	}
	paths := make([]string, 0, len(c.info.Files))
	for i := range c.info.Files {
		if name, ok := to[i]; ok {
			paths = append(paths, name)
		} else if !c.info.Files[i].Pad {
			paths = append(paths, files[i].Path)
		}
	}
	for i := range to {
		if i < 0 || i >= len(c.info.Files) || c.info.Files[i].Pad {
			return fmt.Errorf("rename file %d: there is none", i)
		}
	}
	if err := metainfo.CheckPaths(paths); err != nil {
		return fmt.Errorf("rename: %w", err)
	}
	if err := metainfo.CheckFolded(paths); err != nil && folder != nil {
		ask := newTaste(folder, c.info.Hash)
		defer ask.close()
		if ask.folds() {
			return fmt.Errorf("rename: %w", err)
		}
	}
	return nil
}

// names returns the paths of files that differ from the torrent's.
func (c *Content) names() Names {
	if n := c.named.Load(); n != nil {
		return *n
	}
	return nil
}

// Path returns the path of a file below the folder, without the suffix of an incomplete one.
func (c *Content) Path(file int) string {
	if name, ok := c.names()[file]; ok {
		return name
	}
	return path.Join(c.info.Files[file].Path...)
}

// Named returns the paths of files that differ from the torrent's; nil means none. The caller must not
// change it. The pointer changes with the paths.
func (c *Content) Named() *Names { return c.named.Load() }

// Rename changes paths of files, and of folders with them, while the torrent runs. It overwrites
// nothing. A stop at any moment leaves each file under one of its two names, and we know which. Peers
// are dropped, and may come back; nothing is hashed or fetched for it.
func (c *Content) Rename(ctx context.Context, to Names) error {
	if c.opt.Storage != nil || c.opt.Open != nil {
		return errors.New("rename: its files are not in a folder")
	}
	return c.changeFiles(ctx, func(ch *change) {
		ch.do = func(prev *session, epoch int32, leave func()) {
			prev.giveWay(leave)
			err := prev.close(c.life, true)
			if err == nil {
				err = c.rename(ch.ctx, to)
			}
			c.reopen(nil, nil, epoch, leave)
			ch.done <- err
		}
	})
}

// rename renames files that are not open.
func (c *Content) rename(ctx context.Context, to Names) error {
	o := newSession(c, 0)
	if err := o.openJournal(); err != nil {
		return err
	}
	if o.state == nil && c.shared.journals.Kept() {
		return errors.New("rename: no journal can be kept, and nobody would know the files by their new names")
	}
	defer func() {
		if o.unlock != nil {
			o.unlock()
		}
	}()
	c.users.links.Seal(c.at.Load().abs, false) // the user names the paths now
	folder, err := c.follow(c.at.Load(), o.allNames(to))
	if err != nil {
		return err
	}
	defer folder.Close()
	if err := c.checkNames(folder, o.lay.Files, to); err != nil {
		return err
	}
	return o.rename(ctx, folder, to)
}

// rename changes paths of files. None of them is open.
func (o *session) rename(ctx context.Context, folder storage.FS, to Names) error {
	if err := o.lock(); err != nil {
		return err
	}
	err := o.journal.Rename(ctx, o.finding(folder, to), to)
	o.named()
	if merr := o.c.host.Remember(true); err == nil {
		err = merr
	}
	return err
}

// named sets the names that files have according to the journal.
func (o *session) named() {
	o.lay = o.journal.Layout()
	if names := o.journal.Names(); names == nil {
		o.c.named.Store(nil)
	} else {
		o.c.named.Store(&names)
	}
}

// openStorage opens the folder, and the torrent's files in it.
func (o *session) openStorage() (*storage.Files, error) {
	c := o.c
	if c.opt.Open != nil {
		return c.opt.Open()
	}
	also := []Names{o.journal.Pending()}
	if w := c.renames.Load(); w != nil {
		also = append(also, *w)
	}
	folder, err := c.follow(c.at.Load(), o.allNames(also...))
	if err != nil {
		return nil, err
	}
	err = o.giveNames(folder)
	if err == nil {
		err = o.find(folder)
	}
	if err != nil {
		folder.Close()
		return nil, err
	}
	files := o.lay.Files
	if o.lay.Part {
		files = files[:len(files)-1]
	}
	return storage.OpenIn(o.finding(folder, nil), files, c.info, c.shared.pool)
}

// giveNames completes a renaming that a stop has interrupted, and makes the one that the user wants.
func (o *session) giveNames(folder storage.FS) error {
	c := o.c
	if o.loaded.Renaming {
		if err := o.lock(); err != nil {
			return err
		}
		if err := o.journal.FinishRenames(c.life, o.finding(folder, o.journal.Pending())); err != nil {
			return err
		}
	}
	o.named()
	w := c.renames.Load()
	if w == nil {
		return nil
	}
	to := Names{}
	for i, name := range *w {
		if o.lay.Files[i].Path != name {
			to[i] = name
		}
	}
	if len(to) > 0 {
		if err := c.checkNames(folder, o.lay.Files, to); err != nil {
			return err
		}
		if err := o.rename(c.life, folder, to); err != nil {
			return err
		}
	}
	c.renames.Store(nil) // they count once
	return nil
}
