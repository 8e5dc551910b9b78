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
	Name     string // printable
	Dir      string // absolute; empty when it is not known any more
	Size     int64  // bytes of all files
	Added    time.Time

	Stopped    bool  // it runs again with Engine.StartTorrent
	Paused     bool  // by the user or a share limit, until Torrent.Resume
	Uploaded   int64 // payload bytes of all runs
	Downloaded int64 // payload bytes of all runs

	// Bytes of verified pieces, of wanted pieces, and of those that are both, as ListRemembered
	// finds them in the journal. 0 from Engine.Remembered: there Torrent.Stats has them.
	Verified, Wanted, WantedVerified int64

	// Torrent is nil when it does not run: it is stopped, has failed, or there is no engine.
	Torrent *Torrent

	HasMetadata bool // false for a magnet whose metadata is not here yet: see Engine.AddMagnet
}

// Problem is something wrong with the remembered torrents, found while reading them. It does not
// affect other torrents.
type Problem struct {
	InfoHash string // empty when it is not about one torrent
	// Lost means that the torrent must be added again. Otherwise it is there, perhaps stopped or
	// without its options, or will be once it can be read; Text says which.
	Lost bool
	Text string // what is wrong, what follows, and what to do; one line, printable
	Err  error  // error of the system; nil when that is not the reason
}

// Remembered returns the torrents on the list, stopped ones too, in the order of the queue. It is
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
		Stopped: r.Stopped, Paused: r.Paused, Uploaded: r.Uploaded, Downloaded: r.Downloaded, HasMetadata: r.HasMetadata,
	}
}

// Problems returns what was wrong with the remembered torrents when the engine started.
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

// StartTorrent starts a remembered torrent that is stopped, with the options that it had. Its
// files are in the folder where they were, or in dir if that is not empty. The error is
// ErrUnknown, ErrDuplicate when it runs already, or why it can't start.
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

// RemoveOptions say what to remove with a torrent.
type RemoveOptions struct {
	// DeleteFiles deletes the files that are the torrent's own: those that the journal in
	// StateDir vouches for, or that hold pieces of it and nothing else. It keeps foreign files
	// at the torrent's names, files that another torrent has, and what is behind a symbolic
	// link, and lists them in the result. It removes folders that are empty then
	// (decision 0180).
	DeleteFiles bool
}

// RemoveResult is what happened to the files of a removed torrent. It is empty without
// RemoveOptions.DeleteFiles.
type RemoveResult struct {
	Removed []string // absolute paths
	Freed   int64    // bytes that these files took
	Left    []LeftFile
}

// LeftFile is a file at a torrent's name that we did not delete.
type LeftFile struct {
	Path string // absolute
	Why  string // reason, printable
	Err  error  // error of the system; nil when the file stays because it is not the torrent's alone
}

// Remove ends a torrent, if it runs, and takes it off the list: once Remove has returned nil it
// does not come back. Its files stay unless opt says otherwise. It works for stopped torrents,
// too. The error is ErrUnknown, or why the list could not be written. With DeleteFiles it is
// fs.ErrNotExist when the torrent's folder is missing, perhaps unmounted: the torrent has
// stopped then, and is still on the list.
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

// Remove ends the torrent and takes it off the list, as Engine.Remove does. Stop keeps it on the
// list.
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

// Save makes durable what the engine knows: the list of torrents, and which pieces their files
// have. It waits until all torrents have looked at their files, except for checks that take long.
// The engine saves by itself, too: a change of the list soon, totals once a minute, and all of it
// when it closes.
func (e *Engine) Save(ctx context.Context) error { return publicError(e.e.Save(ctx)) }

// ListRemembered reads the torrents that an engine with this StateDir remembers. While such an
// engine runs, the list is as the engine last wrote it: totals are up to a minute old. Verified
// bytes come from the journals, which are more recent.
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
		r.Verified, r.Wanted, r.WantedVerified = h.Verified, h.Wanted, h.WantedVerified
		all = append(all, r)
	}
	return all, problems(lo.Problems), done(ctx)
}

// RemoveRemembered is Engine.Remove without an engine. The error is ErrInUse while an engine has
// the StateDir, or one of Engine.Remove.
func RemoveRemembered(ctx context.Context, stateDir, infoHash string, opt RemoveOptions) (RemoveResult, error) {
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
