package content

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"sync"

	"shoal/internal/decide/room"
	"shoal/internal/files/resume"
	"shoal/internal/files/storage"
	"shoal/internal/value/bitfield"
)

// rooms knows how much the torrents of an engine still have to write, by volume. A torrent is in it from
// the first look at its files until it is complete or has ended (decision 0137).
type rooms struct {
	mu    sync.Mutex
	plans map[*Content]*plan
}

// plan is what a torrent has to write, as of the last look at its files.
type plan struct {
	on    map[uint64]*demand // by volume
	left  int64              // bytes of wanted pieces that were missing then
	waits bool               // it writes nothing because room is short
	short *room.Shortage     // nil: it fits
	// foreign says that we may have to keep a file of the user; the plan does not know exactly.
	foreign bool
}

// demand is what a torrent has to write on one volume.
type demand struct {
	dir          string // the folder on that volume, for messages
	bytes, files int64
	later        int64 // of bytes, the part that is moved there when everything is complete
	space        room.Volume
	look         func() (storage.Space, bool) // asks the volume again
}

// enoughRoom compares what has to be written with the free space of the volumes, before the first byte.
// It returns an error when the torrent has to wait for room; otherwise it only tells the user, since
// there may be room when it is needed.
func (o *session) enoughRoom(ctx context.Context, seen resume.Seen, changed []int, have *bitfield.Bitfield) error {
	c := o.c
	p := o.planOf(ctx, seen, changed, have, false)
	short := c.shared.rooms.enter(c, p)
	if short != nil && p.foreign {
		// A file of zeros only is overwritten: other clients reserve room in this way.
		short = c.shared.rooms.enter(c, o.planOf(ctx, seen, changed, have, true))
	}
	switch {
	case short == nil || ctx.Err() != nil:
		return ctx.Err()
	case c.opt.NeedRoom:
		return short
	}
	c.shared.log.Warn("too little room", "torrent", c.info.Name, "text", short.Error())
	c.host.Say(Event{Kind: Space, Text: short.Error(), Err: short})
	return nil
}

// Short returns why the torrent does not fit on its volumes; nil when it fits, or we do not know.
func (c *Content) Short() *room.Shortage {
	r := &c.shared.rooms
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.plans[c]; p != nil {
		return p.short
	}
	return nil
}

// enter notes the plan of a torrent, and returns the shortage if there is too little room for it.
func (r *rooms) enter(c *Content, p *plan) *room.Shortage {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.plans == nil {
		r.plans = make(map[*Content]*plan)
	}
	r.plans[c] = p
	p.short = r.judge(c, p)
	p.waits = p.short != nil && c.opt.NeedRoom
	return p.short
}

// leave forgets a torrent: it has written, or reserved, everything that it needs.
func (r *rooms) leave(c *Content) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.plans, c)
}

// judge looks at each volume of a plan. r.mu is held.
func (r *rooms) judge(c *Content, p *plan) *room.Shortage {
	rest := c.restOf(p)
	for volume, d := range p.on {
		var others int64
		for other, theirs := range r.plans {
			if o := theirs.on[volume]; o != nil && other != c && !theirs.waits {
				others += o.after(other.restOf(theirs))
			}
		}
		if s := room.Judge(d.after(rest), d.files, others, d.space); s != nil {
			s.Dir = d.dir
			return s
		}
	}
	return nil
}

// restOf returns what is written since a plan was made, in bytes of verified pieces. A torrent that is
// over has written everything.
func (c *Content) restOf(p *plan) (written int64) {
	s := c.host.Standing()
	switch {
	case s.Rests || s.Over:
		return p.left
	case s.Left < 0: // there is no swarm yet
		return 0
	}
	return min(max(p.left-s.Left, 0), p.left)
}

// after returns what is left of a demand when this much is written.
func (d *demand) after(written int64) int64 {
	return max(d.bytes-d.later-written, 0) + d.later
}

// look asks the volumes again about torrents that did not fit: the user may have made room. It forgets
// torrents that are complete or have ended.
func (r *rooms) look() {
	type asked struct {
		p *plan
		d map[uint64]room.Volume
	}
	var again []asked
	r.mu.Lock()
	for c, p := range r.plans {
		if c.host.Standing().Over {
			delete(r.plans, c)
			continue
		}
		if p.short != nil && !p.waits { // a torrent that waits looks by itself
			again = append(again, asked{p, make(map[uint64]room.Volume)})
		}
	}
	r.mu.Unlock()
	for _, a := range again {
		for volume, d := range a.p.on { // only the space in an entered plan changes
			if s, ok := d.look(); ok {
				a.d[volume] = volumeOf(s)
			}
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for c, p := range r.plans {
		i := slices.IndexFunc(again, func(a asked) bool { return a.p == p })
		if i < 0 {
			continue
		}
		for volume, space := range again[i].d {
			p.on[volume].space = space
			p.on[volume].files = 0 // some exist by now
		}
		p.short = r.judge(c, p)
	}
}

func volumeOf(s storage.Space) room.Volume {
	return room.Volume{Free: s.Free, Files: s.Files, FreeFiles: s.FreeFiles}
}

// planner counts what a torrent has to write.
type planner struct {
	*plan
	o       *session
	folders map[string]where // by path
	made    map[string]bool  // folders that are counted as new
	spaces  map[uint64]bool  // volumes that were asked; false: they do not tell
}

// where is the volume of a folder.
type where struct {
	volume uint64
	there  bool // the folder exists; otherwise it is created on the volume of its parent
}

// planOf counts what has to be written, with one call to the file system for each incomplete file that
// exists, for each folder and for each volume. Without exact it does not read files that seem to be the
// user's.
func (o *session) planOf(ctx context.Context, seen resume.Seen, changed []int, have *bitfield.Bitfield, exact bool) *plan {
	c := o.c
	pl := planner{&plan{on: make(map[uint64]*demand)}, o, make(map[string]where), make(map[string]bool), make(map[uint64]bool)}
	foreign := make(map[int]bool, len(changed))
	for _, i := range changed {
		foreign[i] = true
	}
	prio, wanted := c.PiecePriorities(), int64(0)
	for i := range c.info.Files {
		f := &c.info.Files[i]
		if f.Pad {
			continue
		}
		if f.Length == 0 {
			if !seen.Files[i].Exists && !o.files.Skipped(i) {
				pl.add(o.lay.Files[i].Path, 0, 0, 1)
			}
			continue
		}
		name, is, volume := o.lay.Files[i].Path, seen.Files[i], uint64(0)
		file := room.File{Length: f.Length, Missing: c.missingOf(i, prio, have), There: is.Exists, Skipped: o.files.Skipped(i)}
		pl.left += file.Missing
		if !file.Skipped {
			wanted += f.Length
		}
		if file.Missing == 0 {
			continue
		}
		if is.Exists {
			info, err := o.files.Folder().Lstat(name)
			if err != nil {
				continue // keepUsers returns that error
			}
			file.Taken = storage.Allocated(info)
			volume, _ = storage.DeviceOf(info)
			if !c.opt.Overwrite {
				file.Copied = storage.LinksOf(info) > 1
				file.Replaced = foreign[i] && is.Size > 0 && !o.loaded.PerhapsOurs(is) && !c.anyOf(i, have)
			}
			if file.Replaced && exact {
				zeros, err := storage.OnlyZeros(ctx, o.files.Folder(), name)
				file.Replaced = err != nil || !zeros
			}
			pl.foreign = pl.foreign || file.Replaced
		}
		bytes, files := file.Needs()
		if file.Skipped && (!file.There || file.Replaced) {
			if e, ok := o.files.PartEntry(); ok {
				name, volume = e.Path, 0
			}
		}
		pl.add(name, volume, bytes, files)
	}
	if home := c.home(); home != c.at.Load() {
		pl.addHome(home, wanted)
	}
	return pl.plan
}

// missingOf returns how many bytes of a file are in pieces that are wanted and missing.
func (c *Content) missingOf(file int, prio []uint8, have *bitfield.Bitfield) (n int64) {
	f, size := &c.info.Files[file], int64(c.geom.PieceLength)
	for p := f.Offset / size; p <= (f.Offset+f.Length-1)/size; p++ {
		if !have.Has(uint32(p)) && (prio == nil || prio[p] > 0) {
			n += min(f.Offset+f.Length, (p+1)*size) - max(f.Offset, p*size)
		}
	}
	return n
}

// add counts bytes of a file. volume is the volume of an existing file, if the system tells.
func (p *planner) add(name string, volume uint64, bytes, files int64) {
	if bytes == 0 && files == 0 {
		return
	}
	if volume == 0 {
		volume = p.folder(path.Dir(name)).volume
	}
	for dir := path.Dir(name); files > 0 && !p.folder(dir).there && !p.made[dir]; dir = path.Dir(dir) {
		p.made[dir] = true
		files++
	}
	folder := p.o.files.Folder()
	look := func() (storage.Space, bool) { return storage.SpaceAt(folder, name) }
	dir := p.o.c.at.Load().given
	if volume != p.folder(".").volume {
		dir = filepath.Join(dir, filepath.FromSlash(path.Dir(name)))
	}
	p.count(volume, dir, look, bytes, files)
}

// addHome counts what is moved to another volume when everything is complete.
func (p *planner) addHome(home *place, bytes int64) {
	pool := p.o.c.shared.pool
	look := func() (storage.Space, bool) {
		folder, err := pool.Folder(home.given)
		if err != nil {
			return storage.Space{}, false
		}
		defer folder.Close()
		return storage.SpaceAt(folder, "x")
	}
	s, ok := look()
	if !ok || s.Volume == p.folder(".").volume {
		return
	}
	if p.count(s.Volume, home.given, look, bytes, 0) {
		p.on[s.Volume].later += bytes
	}
}

// count adds to the demand on a volume, if the volume tells its free space.
func (p *planner) count(volume uint64, dir string, look func() (storage.Space, bool), bytes, files int64) bool {
	tells, asked := p.spaces[volume]
	if !asked {
		var s storage.Space
		s, tells = look()
		p.spaces[volume] = tells
		if tells {
			p.on[volume] = &demand{dir: dir, space: volumeOf(s), look: look}
		}
	}
	if tells {
		p.on[volume].bytes += bytes
		p.on[volume].files += files
	}
	return tells
}

// folder returns the volume of a folder.
func (p *planner) folder(dir string) where {
	if w, ok := p.folders[dir]; ok {
		return w
	}
	w := where{}
	if dir != "." {
		w = p.folder(path.Dir(dir))
	}
	if dir == "." || w.there {
		info, err := p.o.files.Folder().Lstat(dir)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			w.there = false
		case err == nil:
			w.there = true
			if id, ok := storage.DeviceOf(info); ok {
				w.volume = id
			} else if s, ok := storage.SpaceAt(p.o.files.Folder(), path.Join(dir, "x")); ok {
				w.volume = s.Volume
			}
		}
	}
	p.folders[dir] = w
	return w
}
