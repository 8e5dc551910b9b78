package content

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"shoal/internal/files/disk"
	"shoal/internal/files/journals"
	"shoal/internal/files/resume"
	"shoal/internal/files/storage"
	"shoal/internal/value/bitfield"
	"shoal/metainfo"
)

// VerifySpec says what Verify checks.
type VerifySpec struct {
	Meta *metainfo.Torrent
	Dir  string // holds the torrent's file or folder
	// FileName is as in Options.
	FileName string
	// StateDir is the folder of the journals. With it we find files by the names that the user gave them, do
	// not hash again what an interrupted check has hashed, and withdraw claims of wrong pieces. Empty means
	// none of this.
	StateDir string
	// Again hashes everything, whatever an earlier check has found.
	Again bool
	// Progress is called with the number of pieces done, those of an earlier check included; one call at a
	// time. It may be nil.
	Progress func(done, total int)

	found func() // called for a piece that matches; may be nil
}

// Verified is the result of a check.
type Verified struct {
	Good      *bitfield.Bitfield // pieces that match
	Looked    *bitfield.Bitfield // pieces checked; all of them unless the check was interrupted
	Hashed    int                // number of pieces hashed this time
	Withdrawn int                // number of claims withdrawn
	Dir       string             // folder of the files
	Paths     []string           // paths of the files below it, by index; empty for pads
	States    []storage.FileState
	Notes     []string // files that are not plain, links that are not followed, and data found under other names
}

// Verify checks the content of a folder against a torrent, on all cores. It changes no file. When ctx
// ends the result is what is known until then, and kept for the next check.
func Verify(ctx context.Context, spec VerifySpec) (*Verified, error) {
	at, err := newPlace(spec.Dir)
	if err != nil {
		return nil, err
	}
	c := standIn(spec.StateDir, spec.Meta, spec.FileName)
	defer c.shared.journals.Close()
	c.at.Store(at)
	for look := newSearch(); ; {
		out, err := c.verify(ctx, &spec, look)
		if !errors.Is(err, errSearchAgain) {
			return out, err
		}
	}
}

// standIn returns the content of a torrent that does not run. It only looks.
func standIn(stateDir string, meta *metainfo.Torrent, fileName string) *Content {
	log := slog.New(slog.DiscardHandler)
	s := NewShared(SharedConfig{Pool: storage.NewPool(0), Journals: journals.New(journals.Config{StateDir: stateDir, Log: log}), Log: log})
	c := New(Config{Shared: s, Info: meta.Info, Options: Options{FileName: fileName, SeedOnly: true}})
	c.users.lookOnly = true
	return c
}

// verify is a round of a check, which is repeated when files that were found are not the torrent's.
func (c *Content) verify(ctx context.Context, spec *VerifySpec, look *search) (*Verified, error) {
	o := newSession(c, 0)
	o.search = look
	if err := o.openJournal(); err != nil {
		return nil, err
	}
	var err error
	o.files, err = o.openStorage()
	if err != nil {
		return nil, err
	}
	defer o.files.Close()
	v := &verifying{spec: spec, o: o}
	return v.run(ctx)
}

// verifying is a check of files that no running torrent has open (decision 0051).
type verifying struct {
	spec *VerifySpec
	o    *session
	kept resume.FS // results of earlier checks; nil when nothing is kept

	before []storage.FileState // how the files lay before they were read
}

func (v *verifying) run(ctx context.Context) (*Verified, error) {
	o, c := v.o, v.o.c
	seen, err := o.lookFirst()
	if err != nil {
		return nil, err
	}
	seen.Volume = resume.VolumeAt(c.at.Load().abs)
	before, done, err := v.earlier(seen)
	if err != nil {
		return nil, err
	}
	defer done()
	out := &Verified{Dir: c.Dir(), Good: bitfield.New(c.geom.Pieces), Looked: bitfield.New(c.geom.Pieces)}
	if before != nil {
		for p := range before.Trusted.Pieces() {
			out.Good.Set(p)
			out.Looked.Set(p)
		}
	}
	doubt := missingOf(out.Looked)
	o.search.before(&o.lay, seen, out.Good, doubt)
	out.Looked = missingOf(doubt)
	if err := v.hash(ctx, seen, out); err != nil && ctx.Err() == nil {
		return nil, err
	}
	out.Hashed += o.search.hashed
	o.search.hashed = out.Hashed
	if ctx.Err() == nil {
		if err := o.judge(seen, out.Good, out.Looked); err != nil {
			return nil, err
		}
	}
	out.Paths = make([]string, len(c.info.Files))
	for i := range c.info.Files {
		if !c.info.Files[i].Pad {
			out.Paths[i] = o.lay.Files[i].Path
		}
	}
	if out.States, err = v.states(out.Good.All()); err != nil {
		return nil, err
	}
	out.Notes = c.users.notes()
	if text := c.foundText(o.search); text != "" {
		out.Notes = append(out.Notes, text)
	}
	// The results are noted even when the check was interrupted.
	later := context.WithoutCancel(ctx)
	if err := v.correct(out); err != nil {
		return out, err
	}
	if ctx.Err() != nil {
		return out, errors.Join(ctx.Err(), v.keep(later, seen, out.Good))
	}
	return out, v.forget()
}

// states returns the states of the files. When everything is good it looks at empty files only: it has
// read every byte of the others.
func (v *verifying) states(good bool) ([]storage.FileState, error) {
	if !good {
		return v.o.files.State()
	}
	states := v.before
	for i := range states {
		if s := &states[i]; s.Length == 0 && !s.Pad {
			info, err := v.o.files.Folder().Lstat(s.Path)
			if err != nil || !info.Mode().IsRegular() {
				return v.o.files.State()
			}
			s.Exists, s.Size, s.ModTime = true, info.Size(), info.ModTime()
		}
	}
	return states, nil
}

// hash hashes the pieces that are not known.
func (v *verifying) hash(ctx context.Context, seen resume.Seen, out *Verified) error {
	c := v.o.c
	d := disk.New(disk.Config{Budget: disk.NewBudget(verifyBuffers)})
	defer d.Close()
	dt := d.Open(v.o.files, c.geom, c.info.PieceHash, func(disk.Result) {})
	defer dt.Close()
	todo := missingOf(out.Looked)
	told := int(out.Looked.Count())
	if v.spec.Progress != nil && told > 0 {
		v.spec.Progress(told, int(c.geom.Pieces))
	}
	v.before = v.o.states(seen)
	_, err := dt.CheckPieces(ctx, todo, v.before, func(p uint32, ok bool) {
		out.Hashed++
		out.Looked.Set(p)
		if ok {
			out.Good.Set(p)
			if v.spec.found != nil {
				v.spec.found()
			}
		}
		if v.spec.Progress != nil {
			v.spec.Progress(told+out.Hashed, int(c.geom.Pieces))
		}
	})
	return err
}

// verifyBuffers is the block budget of a check, which stores no blocks.
const verifyBuffers = 1 << 20

// missingOf returns the pieces that are not in a set.
func missingOf(set *bitfield.Bitfield) *bitfield.Bitfield {
	out := bitfield.New(set.Len())
	for p := range set.Len() {
		if !set.Has(p) {
			out.Set(p)
		}
	}
	return out
}

// earlier returns what an earlier check has found and still holds; nil for nothing. It is kept in a
// journal like that of a download, but a separate one: a download can't rely on what a check only
// looked at.
func (v *verifying) earlier(seen resume.Seen) (before *resume.Verdict, done func(), err error) {
	done = func() {}
	if v.spec.StateDir == "" {
		return nil, done, nil
	}
	path := filepath.Join(v.spec.StateDir, "checks", journals.Name(v.o.c.at.Load().abs))
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, done, nil // then nothing is kept, and everything is hashed
	}
	fsys, err := resume.OpenFolder(path)
	if err != nil {
		return nil, done, nil
	}
	v.kept, done = fsys, func() {
		fsys.Close()
		os.Remove(path) // this fails when there is something in it
	}
	if v.spec.Again {
		return nil, done, v.forget()
	}
	_, lo, err := resume.Open(v.kept, v.o.lay, v.config())
	if err != nil || !lo.Found {
		return nil, done, err
	}
	verdict := lo.Compare(seen)
	return &verdict, done, nil
}

func (v *verifying) config() resume.Config {
	return resume.Config{Dir: v.o.c.at.Load().abs, Boot: v.o.c.shared.journals.Boot()}
}

// keep notes the results for the next check.
func (v *verifying) keep(ctx context.Context, seen resume.Seen, good *bitfield.Bitfield) error {
	if v.kept == nil {
		return nil
	}
	j, _, err := resume.Open(v.kept, v.o.lay, v.config())
	if err != nil {
		return err
	}
	g := resume.NewGuard(v.o.files, v.o.files.Folder(), j, resume.VolumeAt(v.o.c.at.Load().abs))
	if err := g.Adopt(ctx, seen, good); err != nil {
		return fmt.Errorf("keep what was checked: %w", err)
	}
	return nil
}

// forget drops the results of earlier checks.
func (v *verifying) forget() error {
	if v.kept == nil {
		return nil
	}
	return resume.Remove(v.kept, v.o.lay)
}

// correct withdraws the claims of wrong pieces, so that they are fetched again.
func (v *verifying) correct(out *Verified) error {
	var wrong []uint32
	for p := range v.o.loaded.Have.Pieces() {
		if out.Looked.Has(p) && !out.Good.Has(p) {
			wrong = append(wrong, p)
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	err := v.o.lock()
	if err == nil {
		defer v.o.unlock()
		err = v.o.journal.Distrust(wrong...)
	}
	if err != nil {
		return fmt.Errorf("take back what was claimed of %d pieces that are wrong: %w", len(wrong), err)
	}
	out.Withdrawn = len(wrong)
	return nil
}
