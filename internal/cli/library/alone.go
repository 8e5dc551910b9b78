package library

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"shoal"
	"shoal/internal/cli/session"
	"shoal/internal/cli/source"
	"shoal/internal/cli/ui"
)

// solo is an engine that talks to nobody, with one torrent whose files are there, for a
// command that does something to these.
type solo struct {
	engine  *shoal.Engine
	torrent *shoal.Torrent
	dir     string // that the files are in
	listed  bool   // shoal run remembers it: the list changes with the files
	close   func()
}

// alone starts it. what says in errors what the command attempts. Where the files of a
// torrent on the list are gone its state is Missing; others fail then.
func alone(ctx context.Context, what string, k source.Known, n session.Flags) (*solo, error) {
	state, err := n.OpenState()
	if err != nil {
		return nil, err
	}
	a := &solo{}
	if a.dir, a.listed = k.Place(n.Dir, n.DirNamed); !a.listed {
		if err := session.CheckFolder(what, a.dir); err != nil {
			return nil, err
		}
	}
	cfg := shoal.Config{Listen: netip.MustParseAddrPort("127.0.0.1:0"), DHT: shoal.DHTConfig{Off: true}, StateDir: state}
	if a.listed {
		// The list is held from here to the end: no shoal run can start in between, and
		// fetch everything again into the old place.
		cfg.Remember, cfg.AtRest = true, true
	}
	a.engine, err = shoal.New(cfg)
	if errors.Is(err, shoal.ErrInUse) {
		return nil, &ui.Failure{
			Code: ui.ExitFailed, Err: fmt.Errorf("%s: a shoal run that is up has this torrent, with the state folder %s", what, ui.Printable(state)),
			Hint: "stop that shoal run, run this command again, and start it again; nothing was changed",
		}
	}
	if err != nil {
		return nil, ui.Fail(what, err)
	}
	a.close = func() { a.engine.Close(context.WithoutCancel(ctx)) }
	if a.listed {
		a.torrent, err = a.engine.Visit(k.Listed.InfoHash, a.dir)
	} else {
		a.torrent, err = a.engine.Add(shoal.AddOptions{Metainfo: k.Raw, FileName: k.FileName(), Dir: a.dir, SeedOnly: true})
	}
	var s shoal.Stats
	if err == nil {
		s, err = a.torrent.WaitChecked(ctx)
	}
	switch {
	case err != nil:
		err = ui.Fail(what, err)
	case a.listed && (s.State == shoal.StateMissing || s.Err == nil):
	case s.Err != nil:
		err = ui.Fail(what, s.Err)
	case s.Have == 0:
		err = session.NoPieces(a.torrent)
	}
	if err != nil {
		a.close()
		return nil, err
	}
	return a, nil
}

// relist takes the files of a torrent on the list for moved by hand, if they are in the
// folder to. gone says why they are not where they were.
func (a *solo) relist(ctx context.Context, what, to string, gone error) error {
	hash := a.torrent.InfoHash()
	a.torrent.Stop(ctx)
	t, err := a.engine.Visit(hash, to)
	if err != nil {
		return ui.Fail(what, err)
	}
	s, err := t.WaitChecked(ctx)
	if err != nil {
		return ui.Fail(what, err)
	}
	if s.Have == 0 {
		return &ui.Failure{
			Code: ui.ExitFailed, Err: fmt.Errorf("%s: %w", what, gone),
			Hint: "attach the volume that has them; if they were moved by hand, name as TO the folder that has them now",
		}
	}
	a.torrent = t
	return ui.Fail(what, t.SavePaths(ctx))
}
