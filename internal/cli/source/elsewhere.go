package source

import (
	"context"
	"errors"
	"fmt"

	"shoal"
	"shoal/internal/cli/session"
	"shoal/internal/cli/ui"
)

// A torrent that shoal run remembers in one folder can be named with another one (decision
// 0166). What the user names counts; but data that lies in the old folder is not fetched
// again without being asked for.

// placing is what decides in which of two folders a torrent goes on.
type placing struct {
	named  bool // the user names the new folder, and does not only leave it to the default
	itself bool // the user names the torrent, and not a folder of torrents
	again  bool // the user wants it fetched again
	OldHas bool // pieces of it lie in the old folder
	NewHas bool // pieces of it lie in the new folder
}

// decision says in which folder a torrent goes on.
type decision uint8

const (
	inOld     decision = iota // nobody asked for another folder
	inNew                     // pieces lie there, or nowhere
	newAgain                  // the user wants it there, although the old folder has it
	oldHasIt                  // the old folder has it, and the new one nothing
	oldIsGone                 // neither has it, and the user did not name the torrent
)

// decide chooses the folder.
func (p placing) decide() decision {
	switch {
	case !p.named:
		return inOld
	case p.NewHas:
		return inNew
	case p.again && p.OldHas:
		return newAgain
	case p.OldHas:
		return oldHasIt
	case p.itself || p.again:
		return inNew
	}
	return oldIsGone
}

// Listing is what the list of shoal run says of a torrent, and what lies in the two folders.
type Listing struct {
	Hash, name, old, dir string
	placing
	oldBytes int64 // of verified pieces in the old folder; 0 when it is not known how many
}

// LookElsewhere looks up a torrent that is named with the folder dir on the list of shoal run.
// It returns nil where no other folder is in question: the torrent is not on the list, or is
// there in this folder, or its folder is not known.
func LookElsewhere(ctx context.Context, out *ui.Output, src Source, dir string, n session.Flags) (*Listing, error) {
	state, err := n.StateDir()
	if err != nil || state == "" {
		return nil, nil // OpenState tells
	}
	r, raw, err := shoal.ReadRemembered(state, InfoHash(src))
	switch {
	case errors.Is(err, shoal.ErrUnknown), session.Unusable(err):
		return nil, nil
	case err != nil:
		return nil, ui.Fail("read the list of torrents", err)
	case r.Dir == "" || sameFolder(dir, r.Dir):
		return nil, nil
	}
	l := &Listing{Hash: r.InfoHash, name: ui.Printable(r.Name), old: r.Dir, dir: dir, placing: placing{named: n.DirNamed, itself: !src.within}}
	if raw == nil {
		return l, nil // a magnet without metadata, which has no files anywhere
	}
	look := func(dir string) (shoal.VerifyOptions, shoal.InFolder, error) {
		opt := shoal.VerifyOptions{Metainfo: raw, FileName: src.FileName(), Dir: dir, StateDir: state}
		in, err := shoal.LookIn(opt)
		return opt, in, err
	}
	_, was, err := look(l.old)
	if err != nil {
		return nil, ui.Fail("look for "+l.name, err)
	}
	l.OldHas = was.There && (!was.Known || was.Verified > 0)
	if l.OldHas {
		l.oldBytes = was.Verified
	}
	opt, is, err := look(dir)
	if err != nil {
		return nil, ui.Fail("look for "+l.name, err)
	}
	l.NewHas = is.There && is.Known && is.Verified > 0
	if is.There && !l.NewHas && l.OldHas { // else it makes no difference
		defer out.Alive(func() string { return "looking for pieces of " + l.name + " in " + ui.Printable(dir) })()
		if l.NewHas, err = shoal.HasPiece(ctx, opt); err != nil {
			if ui.StopSignal(ctx) != nil {
				return nil, context.Cause(ctx)
			}
			return nil, ui.Fail("look for "+l.name, err)
		}
	} else if is.There {
		l.NewHas = true
	}
	return l, nil
}

// has says how much of the torrent is in the old folder.
func (l *Listing) has() string {
	if l.oldBytes > 0 {
		return ui.Size(l.oldBytes) + " of it"
	}
	return "data of it"
}

// Elsewhere is the failure of a command that would fetch what lies in the old folder.
func (l *Listing) Elsewhere(verb string) error {
	return &ui.Failure{
		Code: ui.ExitFailed,
		Err:  fmt.Errorf("%s %s: shoal run has %s in %s, and nothing of it is in %s", verb, l.name, l.has(), ui.Printable(l.old), ui.Printable(l.dir)),
		Hint: fmt.Sprintf("use it with --dir %s, move it with: shoal move %s %s, or fetch it again with --anew", ui.Quoted(l.old), ui.Quoted(l.name), ui.Quoted(l.dir)),
	}
}

type relistedEvent struct {
	InfoHash string `json:"info_hash"`
	Name     string `json:"name"`
	From     string `json:"from"`
	To       string `json:"to"`
	Again    bool   `json:"again"`
}

// relist has the list of shoal run name the folder in which a torrent goes on, before the
// run begins, and says what is done and what is left. Nothing in the old folder is changed.
func (l *Listing) relist(ctx context.Context, out *ui.Output, n session.Flags) error {
	d := l.decide()
	old, dir := ui.Printable(l.old), ui.Printable(l.dir)
	switch d {
	case inOld:
		return nil
	case oldHasIt:
		out.Warn("%s stays in %s, where shoal run has %s; nothing of it is in %s. Stop this run and move it with: shoal move %s %s. To fetch it again there, add --anew",
			l.name, old, l.has(), dir, ui.Quoted(l.name), ui.Quoted(l.dir))
		return nil
	case oldIsGone:
		out.Warn("%s is waited for in %s, where shoal run had it; nothing of it is in %s. To use that folder, name this torrent's own file or info-hash", l.name, old, dir)
		return nil
	}
	state, err := n.OpenState()
	if err != nil {
		return err
	}
	if err := shoal.RelocateRemembered(ctx, state, l.Hash, l.dir, l.NewHas); err != nil {
		return ui.Fail("run "+l.name, err)
	}
	switch {
	case d == newAgain:
		out.Say("%s is fetched again into %s; %s stays in %s, unchanged", l.name, dir, l.has(), old)
	case l.NewHas && l.OldHas:
		out.Say("%s goes on in %s, where its files are checked; %s stays in %s, unchanged", l.name, dir, l.has(), old)
	case l.NewHas:
		out.Say("%s goes on in %s, where its files are checked; shoal run had it in %s", l.name, dir, old)
	default:
		out.Say("%s goes on in %s; shoal run had it in %s, where none of its files is now", l.name, dir, old)
	}
	out.Event("relisted", relistedEvent{l.Hash, l.name, l.old, l.dir, d == newAgain})
	return nil
}

// Placed returns the folder in which a command that does not change the list works: dir, or,
// when the user names no folder and dir has nothing, the one that shoal run has it in.
func Placed(ctx context.Context, out *ui.Output, src Source, n session.Flags) (dir string, l *Listing, err error) {
	l, err = LookElsewhere(ctx, out, src, n.Dir, n)
	if err != nil || l == nil || l.named || l.NewHas || !l.OldHas {
		return n.Dir, l, err
	}
	out.Say("%s is in %s, where shoal run has it", l.name, ui.Printable(l.old))
	return l.old, nil, nil
}

// RelistAll is relist of all torrents that are named. unused reports whether none of them
// goes into the new folder.
func RelistAll(ctx context.Context, out *ui.Output, srcs []Source, n session.Flags, again bool) (unused bool, err error) {
	if !n.DirNamed {
		return false, nil
	}
	stay := 0
	for _, src := range srcs {
		l, err := LookElsewhere(ctx, out, src, n.Dir, n)
		if err != nil {
			return false, err
		}
		if l == nil {
			continue
		}
		l.again = again
		if err := l.relist(ctx, out, n); err != nil {
			return false, err
		}
		if d := l.decide(); d == oldHasIt || d == oldIsGone {
			stay++
		}
	}
	return stay > 0 && stay == len(srcs), nil
}

// Hint adds to the failure of a command that found nothing where the torrent is. l may be nil.
func (l *Listing) Hint(err error) error {
	var f *ui.Failure
	if l == nil || !l.OldHas || l.NewHas || !errors.As(err, &f) {
		return err
	}
	return &ui.Failure{Code: f.Code, Err: f.Err, Hint: fmt.Sprintf("shoal run has %s in %s: name that with --dir, or move it with: shoal move %s %s",
		l.has(), ui.Printable(l.old), ui.Quoted(l.name), ui.Quoted(l.dir))}
}

// AnewHelp is the help of --anew.
const AnewHelp = "fetch again what is gone, or lies in another folder"
