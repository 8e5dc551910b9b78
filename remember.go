package shoal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"shoal/internal/engine"
	"shoal/internal/files/catalogue"
	"shoal/internal/files/content"
	"shoal/internal/files/erase"
	"shoal/internal/value/infohash"
	"shoal/internal/value/printable"
)

// Remembered is a torrent that an engine with Config.Remember keeps between runs.
type Remembered struct {
	InfoHash string // 40 hex digits
	Name     string // safe for the file system and for showing
	Dir      string // absolute; empty when it is not known any more
	Size     int64  // bytes of all files
	Added    time.Time

	// Stopped torrents stay as they are until Engine.StartTorrent.
	Stopped    bool
	Paused     bool  // by the user
	Uploaded   int64 // payload bytes of all runs
	Downloaded int64

	// Bytes of verified pieces, of pieces that are wanted, and what is verified of these, as
	// ListRemembered found them in the journal; 0 in what Engine.Remembered returns, where Torrent.Stats
	// says it.
	Verified, Wanted, WantedVerified int64

	// Torrent is nil while it does not run: it is stopped, has failed, or there is no engine.
	Torrent *Torrent
}

// Problem tells of something that was wrong with what was remembered, when it was read.
// It harms no other torrent.
type Problem struct {
	InfoHash string // empty when it is not about one torrent
	// Lost says that the torrent has to be added again. Otherwise it is there, perhaps
	// stopped and without what was chosen, or will be once it can be read; Text says so.
	Lost bool
	Text string // what is wrong, what became of it, what to do; one line, printable
	Err  error  // what the system said, if that is the reason
}

// Remembered returns the torrents that come back at the next start, in their order. It is
// empty without Config.Remember.
func (e *Engine) Remembered() []Remembered {
	var all []Remembered
	for _, r := range e.e.Remembered() {
		out := remembered(r)
		if r.Torrent != nil {
			out.Torrent = handle(r.Torrent)
		}
		all = append(all, out)
	}
	return all
}

func remembered(r engine.Remembered) Remembered {
	return Remembered{
		InfoHash: r.InfoHash.String(), Name: printable.Of(r.Name), Dir: r.Dir, Size: r.Size, Added: r.Added,
		Stopped: r.Stopped, Uploaded: r.Uploaded, Downloaded: r.Downloaded,
	}
}

// Problems returns what was wrong with the remembered torrents when the engine was made.
func (e *Engine) Problems() []Problem { return problems(e.e.Problems()) }

func problems(inner []catalogue.Problem) []Problem {
	var all []Problem
	for _, p := range inner {
		out := Problem{Lost: p.Loss == catalogue.Torrent, Text: printable.Of(p.String()), Err: p.Err}
		if p.InfoHash != (infohash.Hash{}) {
			out.InfoHash = p.InfoHash.String()
		}
		all = append(all, out)
	}
	return all
}

// StartTorrent has a torrent run again that is remembered as stopped, with what was chosen for
// it. Its files are where they were, or in dir when that is not empty. The error is
// ErrUnknown, ErrDuplicate when it runs, or says why it can't.
func (e *Engine) StartTorrent(infoHash, dir string) (*Torrent, error) {
	h, err := parseHash(infoHash)
	if err != nil {
		return nil, err
	}
	t, err := e.e.Start(h, dir)
	if err != nil {
		return nil, publicError(err)
	}
	return handle(t), nil
}

// RemoveOptions say what goes with a torrent that is removed.
type RemoveOptions struct {
	// DeleteFiles removes the files that are the torrent's own: those that the journal in
	// StateDir vouches for, or that hold a piece of it and nothing else. What else lies in their
	// place stays, and so do files that another torrent has, and what is behind a symbolic
	// link; the result lists it. Folders go when they are empty (decision 0180).
	DeleteFiles bool
}

// RemoveResult is what became of the files of a torrent that was removed. It is empty without
// RemoveOptions.DeleteFiles.
type RemoveResult struct {
	Removed []string // absolute paths
	Freed   int64    // bytes that these files held
	Left    []LeftFile
}

// LeftFile is a file that has a torrent's name and was not removed.
type LeftFile struct {
	Path string // absolute
	Why  string // printable
	Err  error  // from the system; nil where the file stays because it is not the torrent's alone
}

// Remove stops a torrent, if it runs, and takes it off the list: when Remove returns nil it will
// not come back. Its files stay, unless opt says otherwise. The error is ErrUnknown, or says
// why it could not be made durable; with DeleteFiles also that a folder is missing
// (fs.ErrNotExist): then the torrent has stopped, and is still on the list.
func (e *Engine) Remove(ctx context.Context, infoHash string, opt RemoveOptions) (RemoveResult, error) {
	h, err := parseHash(infoHash)
	if err != nil {
		return RemoveResult{}, err
	}
	if !opt.DeleteFiles {
		return RemoveResult{}, publicError(e.e.Remove(ctx, h))
	}
	res, err := e.e.Erase(ctx, h)
	return removeResult(res), publicError(err)
}

// Remove is Engine.Remove for the torrent. Stop ends it, too, and keeps it on the list.
func (t *Torrent) Remove(ctx context.Context, opt RemoveOptions) (RemoveResult, error) {
	if !opt.DeleteFiles {
		return RemoveResult{}, publicError(t.t.Engine().Remove(ctx, t.t.InfoHash()))
	}
	res, err := t.t.Engine().Erase(ctx, t.t.InfoHash())
	return removeResult(res), publicError(err)
}

func removeResult(in erase.Result) RemoveResult {
	out := RemoveResult{Removed: in.Removed, Freed: in.Freed}
	for _, l := range in.Left {
		out.Left = append(out.Left, LeftFile{Path: l.Path, Why: printable.Of(l.Why), Err: clean(l.Err)})
	}
	return out
}

// Save makes durable what is known now: what is remembered, and which pieces were found in
// the files. It waits until all torrents have looked for those, but for checks that take
// long. Without Save it is done soon, for totals once a minute, and by Close.
func (e *Engine) Save(ctx context.Context) error { return publicError(e.e.Save(ctx)) }

// ListRemembered reads what an engine with this StateDir remembers, also while there is one:
// then it is as that has written it, totals up to a minute ago. How much of each torrent is
// there comes from its journal, which is never far behind.
func ListRemembered(ctx context.Context, stateDir string) ([]Remembered, []Problem, error) {
	lo, done, err := openRemembered(stateDir)
	if errors.Is(err, ErrInUse) {
		lo, err = engine.PeekCatalogue(stateDir)
		err = publicError(err)
		done = func(context.Context) error { return nil }
	}
	if err != nil || lo == nil {
		return nil, nil, err
	}
	var all []Remembered
	for i := range lo.Entries {
		en := &lo.Entries[i]
		r := remembered(engine.RowOf(en))
		h := content.Claimed(stateDir, en)
		r.Paused, r.Verified, r.Wanted, r.WantedVerified = en.Paused, h.Verified, h.Wanted, h.WantedVerified
		all = append(all, r)
	}
	return all, problems(lo.Problems), done(ctx)
}

// Forget is Engine.Remove for a folder of state that no engine has: the error is
// ErrInUse when one does, or ErrUnknown.
func Forget(ctx context.Context, stateDir, infoHash string, opt RemoveOptions) (RemoveResult, error) {
	h, err := parseHash(infoHash)
	if err != nil {
		return RemoveResult{}, err
	}
	if _, err := os.Stat(engine.CatalogueDir(stateDir)); errors.Is(err, fs.ErrNotExist) {
		return RemoveResult{}, fmt.Errorf("%w: %s", ErrUnknown, infoHash)
	}
	res, err := engine.Forget(ctx, stateDir, h, opt.DeleteFiles)
	return removeResult(res), publicError(err)
}

// openRemembered opens the torrents in a folder of state; nothing, and lo nil, when
// there are none. done releases them.
func openRemembered(stateDir string) (lo *catalogue.Loaded, done func(context.Context) error, err error) {
	if _, err := os.Stat(engine.CatalogueDir(stateDir)); errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	_, lo, done, err = engine.OpenCatalogue(stateDir)
	return lo, done, publicError(err)
}

func parseHash(s string) (infohash.Hash, error) {
	h, err := infohash.ParseHex(s)
	if err != nil {
		return h, fmt.Errorf("%w: %q is not an info-hash", ErrUnknown, printable.Of(s))
	}
	return h, nil
}
