package main

import (
	"context"
	"errors"
	"fmt"

	"shoal"
)

// A torrent that shoal run remembers in one folder can be named with another one (decision
// 0166). What the user names counts; but data that lies in the old folder is not fetched
// again without being asked for.

// placing is what decides in which of two folders a torrent goes on.
type placing struct {
	named  bool // the user names the new folder, and does not only leave it to the default
	itself bool // the user names the torrent, and not a folder of torrents
	anew   bool // the user wants it fetched again
	oldHas bool // pieces of it lie in the old folder
	newHas bool // pieces of it lie in the new folder
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
	case p.newHas:
		return inNew
	case p.anew && p.oldHas:
		return newAgain
	case p.oldHas:
		return oldHasIt
	case p.itself || p.anew:
		return inNew
	}
	return oldIsGone
}

// listing is what the list of shoal run says of a torrent, and what lies in the two folders.
type listing struct {
	hash, name, old, dir string
	placing
	oldBytes int64 // of verified pieces in the old folder; 0 when it is not known how many
}

// otherFolder looks up a torrent that is named with the folder dir on the list of shoal run.
// It returns nil where no other folder is in question: the torrent is not on the list, or is
// there in this folder, or its folder is not known.
func otherFolder(ctx context.Context, out *output, src source, dir string, n netFlags) (*listing, error) {
	state, err := n.stateDir()
	if err != nil || state == "" {
		return nil, nil // openState tells
	}
	r, raw, err := shoal.ReadRemembered(state, hashOf(src))
	switch {
	case errors.Is(err, shoal.ErrUnknown), unusable(err):
		return nil, nil
	case err != nil:
		return nil, fail("read the list of torrents", err)
	case r.Dir == "" || sameFolder(dir, r.Dir):
		return nil, nil
	}
	l := &listing{hash: r.InfoHash, name: printable(r.Name), old: r.Dir, dir: dir, placing: placing{named: n.dirNamed, itself: !src.within}}
	look := func(dir string) (shoal.VerifyOptions, shoal.InFolder, error) {
		opt := shoal.VerifyOptions{Metainfo: raw, FileName: src.fileName(), Dir: dir, StateDir: state}
		in, err := shoal.LookIn(opt)
		return opt, in, err
	}
	_, was, err := look(l.old)
	if err != nil {
		return nil, fail("look for "+l.name, err)
	}
	l.oldHas = was.There && (!was.Known || was.Verified > 0)
	if l.oldHas {
		l.oldBytes = was.Verified
	}
	opt, is, err := look(dir)
	if err != nil {
		return nil, fail("look for "+l.name, err)
	}
	l.newHas = is.There && is.Known && is.Verified > 0
	if is.There && !l.newHas && l.oldHas { // else it makes no difference
		defer out.alive(func() string { return "looking for pieces of " + l.name + " in " + printable(dir) })()
		if l.newHas, err = shoal.HasPiece(ctx, opt); err != nil {
			if stopSignal(ctx) != nil {
				return nil, context.Cause(ctx)
			}
			return nil, fail("look for "+l.name, err)
		}
	} else if is.There {
		l.newHas = true
	}
	return l, nil
}

// has says how much of the torrent is in the old folder.
func (l *listing) has() string {
	if l.oldBytes > 0 {
		return size(l.oldBytes) + " of it"
	}
	return "data of it"
}

// elsewhere is the failure of a command that would fetch what lies in the old folder.
func (l *listing) elsewhere(verb string) error {
	return &failure{
		exitFailed,
		fmt.Errorf("%s %s: shoal run has %s in %s, and nothing of it is in %s", verb, l.name, l.has(), printable(l.old), printable(l.dir)),
		fmt.Sprintf("use it with --dir %s, move it with: shoal move %s %s, or fetch it again with --anew", quoted(l.old), quoted(l.name), quoted(l.dir)),
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
func (l *listing) relist(ctx context.Context, out *output, n netFlags) error {
	d := l.decide()
	old, dir := printable(l.old), printable(l.dir)
	switch d {
	case inOld:
		return nil
	case oldHasIt:
		out.warn("%s stays in %s, where shoal run has %s; nothing of it is in %s. Stop this run and move it with: shoal move %s %s. To fetch it again there, add --anew",
			l.name, old, l.has(), dir, quoted(l.name), quoted(l.dir))
		return nil
	case oldIsGone:
		out.warn("%s is waited for in %s, where shoal run had it; nothing of it is in %s. To use that folder, name this torrent's own file or info-hash", l.name, old, dir)
		return nil
	}
	state, err := n.openState()
	if err != nil {
		return err
	}
	if err := shoal.Relocate(ctx, state, l.hash, l.dir, l.newHas); err != nil {
		return fail("run "+l.name, err)
	}
	switch {
	case d == newAgain:
		out.say("%s is fetched again into %s; %s stays in %s, unchanged", l.name, dir, l.has(), old)
	case l.newHas && l.oldHas:
		out.say("%s goes on in %s, where its files are checked; %s stays in %s, unchanged", l.name, dir, l.has(), old)
	case l.newHas:
		out.say("%s goes on in %s, where its files are checked; shoal run had it in %s", l.name, dir, old)
	default:
		out.say("%s goes on in %s; shoal run had it in %s, where none of its files is now", l.name, dir, old)
	}
	out.event("relisted", relistedEvent{l.hash, l.name, l.old, l.dir, d == newAgain})
	return nil
}

// placed returns the folder in which a command that does not change the list works: dir, or,
// when the user names no folder and dir has nothing, the one that shoal run has it in.
func placed(ctx context.Context, out *output, src source, n netFlags) (dir string, l *listing, err error) {
	l, err = otherFolder(ctx, out, src, n.dir, n)
	if err != nil || l == nil || l.named || l.newHas || !l.oldHas {
		return n.dir, l, err
	}
	out.say("%s is in %s, where shoal run has it", l.name, printable(l.old))
	return l.old, nil, nil
}

// relistAll is relist of all torrents that are named. unused reports whether none of them
// goes into the new folder.
func relistAll(ctx context.Context, out *output, srcs []source, n netFlags, anew bool) (unused bool, err error) {
	if !n.dirNamed {
		return false, nil
	}
	stay := 0
	for _, src := range srcs {
		l, err := otherFolder(ctx, out, src, n.dir, n)
		if err != nil {
			return false, err
		}
		if l == nil {
			continue
		}
		l.anew = anew
		if err := l.relist(ctx, out, n); err != nil {
			return false, err
		}
		if d := l.decide(); d == oldHasIt || d == oldIsGone {
			stay++
		}
	}
	return stay > 0 && stay == len(srcs), nil
}

// hint adds to the failure of a command that found nothing where the torrent is. l may be nil.
func (l *listing) hint(err error) error {
	var f *failure
	if l == nil || !l.oldHas || l.newHas || !errors.As(err, &f) {
		return err
	}
	return &failure{f.code, f.err, fmt.Sprintf("shoal run has %s in %s: name that with --dir, or move it with: shoal move %s %s",
		l.has(), printable(l.old), quoted(l.name), quoted(l.dir))}
}

// anewHelp is the help of --anew.
const anewHelp = "fetch again what is gone, or lies in another folder"
