package content

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"

	"shoal/internal/decide/filestate"
	"shoal/internal/files/resume"
	"shoal/internal/files/storage"
)

// incomplete is what an opening knows about incomplete files. Most openings have none, and share one
// value, which never changes.
type incomplete struct {
	was        resume.Aside          // what was noted
	unfinished []*storage.Unfinished // finds files that have a suffix
	entries    map[string]int        // the files by their paths
	taken      []string              // files whose names are taken by others, as the user knows already
}

var noIncomplete = new(incomplete)

func newSession(c *Content, epoch int32) *session {
	return &session{c: c, epoch: epoch, incomplete: noIncomplete}
}

// suffix returns the suffix of incomplete files.
func (c *Content) suffix() string {
	if c.opt.Paths == nil || c.opt.SeedOnly {
		return ""
	}
	return c.opt.Paths.Suffix
}

// lostError means that we can't find out, or can't note, where the files are.
type lostError struct{ err error }

func (e *lostError) Error() string { return e.err.Error() }
func (e *lostError) Unwrap() error { return e.err }

// findPlace finds out which folder the files are in, and returns the folder of its journals. It is the
// torrent's own folder when that has a journal, or files that no journal knows; otherwise it is the
// folder for incomplete files that was noted, or that the user chose. findPlace notes what it finds
// before anything is created that we could not find again.
func (o *session) findPlace() (resume.FS, error) {
	c := o.c
	at, home, hash := c.at.Load(), c.home(), c.info.Hash
	state, err := c.shared.journals.For(home.abs)
	if err != nil {
		return nil, err
	}
	was, err := resume.ReadAside(state, hash)
	if err != nil {
		return nil, &lostError{err}
	}
	if was != (resume.Aside{}) || c.suffix() != "" {
		o.incomplete = &incomplete{was: was}
	}
	if !at.found {
		if at, err = o.choosePlace(home); err != nil {
			return nil, &lostError{err}
		}
		c.at.Store(at)
	}
	note := o.was
	if s := c.suffix(); s != "" {
		note.Suffix = addSuffix(note.Suffix, s)
	}
	if at.final != nil {
		note.Dir = at.abs
	}
	if note != (resume.Aside{}) && !c.opt.SeedOnly {
		if err := resume.WriteAside(state, hash, note); err != nil {
			return nil, &lostError{err}
		}
	}
	return c.shared.journals.For(at.abs)
}

// choosePlace chooses between the torrent's own folder and those for incomplete files, as
// filestate.Places decides.
func (o *session) choosePlace(home *place) (*place, error) {
	c := o.c
	here := &place{given: home.given, abs: home.abs, found: true}
	folders := [...]*place{filestate.Home: here, filestate.Noted: nil, filestate.Wished: nil}
	wish := ""
	if p := c.opt.Paths; p != nil && !c.opt.SeedOnly {
		wish = p.IncompleteDir
	}
	for at, dir := range [...]string{filestate.Noted: o.was.Dir, filestate.Wished: wish} {
		if dir == "" {
			continue
		}
		var err error
		if folders[at], err = newPlace(dir); err != nil {
			return nil, err
		}
	}
	noted, wished := folders[filestate.Noted], folders[filestate.Wished]
	if noted != nil && noted.abs == home.abs {
		return here, nil
	}
	p := filestate.Places{
		Noted: noted != nil, Wished: wished != nil && wished.abs != home.abs,
		WishedHome: noted != nil && wished != nil && wished.abs == home.abs,
		Same:       noted != nil && wished != nil && wished.abs == noted.abs,
		Again:      c.again.Load(),
	}
	for {
		in, ignored, ask := p.Choose()
		if ask != filestate.NoQuestion {
			yes, err := c.answer(ask, home, noted, wished)
			if err != nil {
				return nil, err
			}
			p.Facts[ask] = filestate.FactOf(yes)
			continue
		}
		if ignored {
			c.say(fmt.Sprintf(
				"unfinished files are in %s, where they were before, and none in %s: move them there, or leave out --incomplete-dir; if %s is lost, --anew fetches them again", noted.abs, wished.abs, noted.abs))
		}
		there := folders[in]
		if in != filestate.Home {
			there.final, there.found = here, true
		}
		return there, nil
	}
}

// answer looks up what filestate.Places asks for.
func (c *Content) answer(ask filestate.Question, home, noted, wished *place) (yes bool, err error) {
	lay := c.layout()
	switch ask {
	case filestate.HomeJournal:
		return c.shared.journals.Has(home.abs, lay)
	case filestate.WishedJournal:
		return c.shared.journals.Has(wished.abs, lay)
	case filestate.HomeFiles:
		return c.anyIn(home, lay.Files), nil
	case filestate.NotedFiles:
		return c.anyIn(noted, lay.Files), nil
	case filestate.WishedFiles:
		return c.anyIn(wished, lay.Files), nil
	}
	return false, nil
}

// anyIn reports whether one of the files is in a folder, under the name that it should have or
// one that another client chose. A folder that we can't look at counts as empty.
func (c *Content) anyIn(at *place, files []storage.Entry) bool {
	names := pathsOn(files)
	if s := c.suffix(); s != "" {
		for _, name := range pathsOn(files) {
			names = append(names, name+s)
		}
	}
	folder, err := c.follow(at, names)
	if err != nil {
		return false
	}
	defer folder.Close()
	for i := range files {
		for _, name := range []string{files[i].Path, files[i].Path + c.suffix()} {
			if info, err := folder.Lstat(name); !files[i].Pad && err == nil && info.Mode().IsRegular() {
				return true
			}
		}
	}
	var all []int
	for i := range files {
		if !files[i].Pad && files[i].Length > 0 && i < len(c.info.Files) {
			all = append(all, i)
		}
	}
	return len(findFiles(folder, c.info, c.opt.FileName, all)) > 0
}

// finding returns a view of folder in which files are found by their names even when they have a
// suffix: the one that the user chose, or the one from before. also holds further names that files
// have or are about to get.
func (o *session) finding(folder storage.FS, also Names) storage.FS {
	c := o.c
	layers := o.search.layers()
	if o.was.Suffix == "" && c.suffix() == "" && layers == nil {
		return folder
	}
	if o.incomplete == noIncomplete {
		o.incomplete = new(incomplete)
	}
	o.unfinished, o.entries = nil, nil
	files := slices.Clone(o.lay.Files)
	if o.lay.Part {
		files = files[:len(files)-1]
	}
	o.entries = make(map[string]int, len(files))
	for i := range files {
		if !files[i].Pad {
			o.entries[files[i].Path] = i
		}
	}
	for i, name := range also {
		e := files[i]
		e.Path = name
		files = append(files, e)
	}
	entries, loaded := o.entries, o.loaded
	// which tells whether of two files the one with the suffix is the torrent's: the one that a
	// search supposes, or that was noted, or else the one that is not as long as it has to be in the end.
	which := func(suffix, name string, plain, hidden fs.FileInfo) bool {
		i, ok := entries[name]
		if !ok {
			return false
		}
		if o.search.supposes(i, suffix) {
			return true
		}
		if ours, _ := loaded.Ours(i, hidden); ours {
			return true
		}
		if ours, _ := loaded.Ours(i, plain); ours {
			return false
		}
		return plain.Size() != o.c.info.Files[i].Length
	}
	partial := func(name string, plain fs.FileInfo) bool {
		i, ok := entries[name]
		if !ok {
			return false
		}
		ours, complete := loaded.Ours(i, plain)
		return ours && !complete
	}
	add := func(suffix string, files []storage.Entry) {
		u := storage.NewUnfinished(folder, files, storage.UnfinishedConfig{
			Suffix: suffix, Hide: suffix == c.suffix(), Partial: partial,
			Which: func(name string, plain, hidden fs.FileInfo) bool { return which(suffix, name, plain, hidden) },
		})
		folder, o.unfinished = u, append(o.unfinished, u)
	}
	for _, suffix := range slices.Sorted(maps.Keys(layers)) { // suffixes of other clients
		var theirs []storage.Entry
		for _, i := range layers[suffix] {
			theirs = append(theirs, files[i])
		}
		add(suffix, theirs)
	}
	noted := suffixesOf(o.was.Suffix)
	for _, suffix := range noted {
		if suffix != c.suffix() {
			add(suffix, files)
		}
	}
	if s := c.suffix(); s != "" {
		add(s, files)
	}
	return folder
}

// onDisk returns the files by the names that they have on disk.
func (o *session) onDisk() []storage.Entry {
	files := slices.Clone(o.lay.Files)
	for i := range files {
		for _, u := range o.unfinished {
			files[i].Path = u.OnDisk(files[i].Path)
		}
	}
	return files
}

// reveal removes the suffix from files that are complete and durable. A file whose name is taken
// keeps the suffix. The user learns of it, and we share the file all the same.
func (o *session) reveal() error {
	var dirs []string
	for _, u := range o.unfinished {
		for _, name := range u.Hidden() {
			i, ok := o.entries[name]
			if !ok || !o.journal.Whole(i) {
				continue
			}
			err := u.Reveal(name)
			if errors.Is(err, fs.ErrExist) && (o.makesWay(i, name) || o.keepsAside(i, name)) {
				err = u.Reveal(name)
			}
			switch {
			case errors.Is(err, fs.ErrExist):
				if !slices.Contains(o.taken, name) {
					o.taken = append(o.taken, name)
					o.c.say(fmt.Sprintf(
						"%s is complete, and stays %s: another file has its name; move that out of the way", name, path.Base(u.OnDisk(name))))
				}
			case err != nil:
				return err
			case !slices.Contains(dirs, path.Dir(name)):
				dirs = append(dirs, path.Dir(name))
			}
		}
	}
	for _, dir := range dirs {
		if err := o.files.Folder().SyncDir(dir); err != nil {
			return storage.Fail("sync", dir, err)
		}
	}
	return nil
}

// finish is called when everything is complete and durable: files get their final names, and when
// none is in another folder any more, the note about that is removed.
func (o *session) finish() error {
	if err := o.reveal(); err != nil {
		return err
	}
	c := o.c
	o.sameAsKept(c.life)
	if o.was == (resume.Aside{}) && len(o.unfinished) == 0 || c.opt.SeedOnly || c.at.Load().final != nil {
		return nil
	}
	for _, u := range o.unfinished {
		if len(u.Hidden()) > 0 {
			return nil
		}
	}
	if err := c.leftBehind(o.was.Dir); err != nil {
		c.say("complete; what is left of it where it was before has to be removed by hand: " + err.Error())
		return nil
	}
	if err := resume.WriteAside(o.state, c.info.Hash, resume.Aside{}); err != nil {
		c.shared.log.Warn("forget where unfinished files were", "torrent", c.info.Name, "err", err)
	}
	return nil
}

// leftBehind removes what a stop in the middle of the last move has left in the folder for
// incomplete files, unless somebody has changed it since.
func (c *Content) leftBehind(dir string) error {
	if dir == "" || dir == c.at.Load().abs {
		return nil
	}
	lo, err := c.shared.journals.Read(dir, c.layout())
	if err != nil || !lo.Found {
		return err
	}
	folder, err := c.shared.pool.Folder(dir)
	if err != nil {
		return err
	}
	defer folder.Close()
	var ours []storage.Entry
	for i, e := range c.layout().Files {
		if name, ok := lo.Names[i]; ok {
			e.Path = name
		}
		if info, err := folder.Lstat(e.Path); err == nil {
			if same, _ := lo.Ours(i, info); same || e.Length == 0 && info.Size() == 0 && info.Mode().IsRegular() {
				ours = append(ours, e)
			}
		}
	}
	return c.leave(folder, dir, ours)
}

// goHome starts to move complete files out of the folder for incomplete ones to where they belong.
// It reports whether it has started a move: the torrent is complete once that has ended.
func (c *Content) goHome() bool {
	at := c.at.Load()
	if at.final == nil || c.opt.SeedOnly || c.opt.Open != nil {
		return false
	}
	ch := newChange(c.life)
	stay := &place{given: at.given, abs: at.abs, found: true}
	do := c.mover(ch, at.final, stay, nil)
	ch.do = func(prev *session, epoch int32, leave func()) {
		do(prev, epoch, leave)
		if err := <-ch.done; err != nil && c.life.Err() == nil {
			c.say(err.Error())
		}
	}
	c.startChange(ch)
	return true
}

// home returns the folder in which the files belong.
func (c *Content) home() *place {
	at := c.at.Load()
	if at.final != nil {
		return at.final
	}
	return at
}
