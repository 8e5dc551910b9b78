package session

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"shoal"
	"shoal/internal/cli/ui"
	"shoal/internal/value/plural"
)

// CloseWithin bounds a clean stop: trackers and peers learn of it, files are
// closed. A tracker that does not answer must not hold a person up.
const CloseWithin = 5 * time.Second

// A Session is an engine for the length of one command.
type Session struct {
	Out    *ui.Output
	Engine *shoal.Engine
	Trace  *traceFile // nil when none is kept
}

type listeningEvent struct {
	Addr string `json:"addr"`
}

// Open makes the engine that the flags ask for.
func Open(out *ui.Output, n Flags) (*Session, error) {
	cfg := n.Config()
	cfg.Log = out.Logger()
	var err error
	cfg.DHT.StateFile = n.stateFile()
	if n.Remember {
		if _, err = NeedState(n); err == nil {
			cfg.StateDir, err = n.OpenState()
		}
		if err != nil {
			return nil, err
		}
		cfg.Remember = true
	} else {
		cfg.StateDir = n.StateOrNone(out, "nothing is kept for the next start")
	}
	s := &Session{Out: out}
	if n.Trace != "" {
		if s.Trace, err = openTrace(n.Trace); err != nil {
			return nil, ui.Fail("open the trace file", err)
		}
		cfg.Trace = s.Trace
		out.AtEnd(func() { s.Trace.Close() }) // also when a second Ctrl-C stops at once
	}
	if s.Engine, err = shoal.New(cfg); err != nil {
		s.Trace.Close()
		if errors.Is(err, shoal.ErrInUse) {
			return nil, ui.Fail("run", err)
		}
		what := "start"
		if len(n.Listen) > 0 {
			what = "listen on " + n.Listen.String()
		}
		return nil, ui.Fail(what, err)
	}
	if err := n.limits.alternative(s.Engine); err != nil {
		return nil, errors.Join(ui.Fail("set the alternative limits", err), s.Close())
	}
	var texts []string
	for _, a := range s.Engine.Addrs() {
		texts = append(texts, a.String())
	}
	out.Say("listening on %s", strings.Join(texts, " and "))
	for _, t := range texts {
		out.Event("listening", listeningEvent{t})
	}
	return s, nil
}

// Close stops all torrents and writes out the trace. It is given its own time,
// since it comes after an interruption, too.
func (s *Session) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), CloseWithin)
	defer cancel()
	err := s.Engine.Close(ctx)
	if n := s.Engine.Untold(); n > 0 {
		s.Out.Warn("%s that a torrent stopped or is complete did not reach its tracker in time", plural.Of(n, "announce"))
	}
	if terr := s.Trace.Close(); terr != nil {
		return ui.Fail("write the trace", terr)
	}
	if err != nil {
		return ui.Fail("stop cleanly", err)
	}
	return nil
}

// Config turns the flags into the engine's configuration. A loopback address
// stays alone: no public nodes, and no table of nodes from other runs.
func (n Flags) Config() shoal.Config {
	cfg := shoal.Config{SuperSeed: shoal.SuperSeed(n.superSeed.Text), SeedChoking: shoal.SeedChoking(n.seedSlots.Text), MaxPeers: int(n.peersMost), MaxConnections: int(n.connectionsMost), MaxMetadata: int64(n.metadataMost), KeepCached: n.keep, NoWebSeeds: n.NoWeb, Listen: n.Listen.First(), ListenAlso: n.Listen.Rest(), Limits: n.limits.limits(), LocalUnlimited: n.limits.local, Queue: n.Queue.queue()}
	cfg.DHT.Off, cfg.DHT.ReadOnly = n.NoDHT, n.readOnly
	switch {
	case n.noLSD:
		cfg.LSD = shoal.LSDNever
	case n.LSD:
		cfg.LSD = shoal.LSDAlways
	}
	n.Trust.apply(&cfg)
	cfg.DHT.Nodes = n.Nodes
	cfg.DHT.PublicNodes = len(n.Nodes) == 0 && !n.NoDHT && !n.loopback()
	return cfg
}

func (n Flags) loopback() bool { return n.Listen.Loopback() }

// Nearby reports whether peers are looked for on the local network.
func (n Flags) Nearby() bool { return n.LSD || !n.noLSD && !n.loopback() }

// StateDir is where journals are kept; empty when nothing is.
func (n Flags) StateDir() (string, error) {
	switch n.State {
	case "":
		return defaultStateDir()
	case "none":
		return "", nil
	}
	return n.State, nil
}

// stateFile is where the DHT's table is kept between runs, so that the next one
// starts with nodes it knows; empty when it is not kept. It holds a node's id,
// too, and a node is known by its id and address: so each port has its own file,
// and a port that is new every time has none.
func (n Flags) stateFile() string {
	port := n.Listen.First().Port()
	if len(n.Listen) == 0 {
		state, err := n.StateDir()
		if err != nil || state == "" {
			return ""
		}
		port = shoal.OwnPort(state)
	}
	if n.NoDHT || n.loopback() || port == 0 {
		return ""
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	dir = filepath.Join(dir, "shoal")
	if os.MkdirAll(dir, 0o700) != nil {
		return ""
	}
	return filepath.Join(dir, fmt.Sprintf("dht-%d.dat", port))
}

// A traceFile is the file of a trace, which can be closed while the engine still writes:
// that happens when a second Ctrl-C stops everything at once. It buffers nothing: the engine
// gathers records while the last ones are written, so what a kill takes is the last burst.
type traceFile struct {
	mu  sync.Mutex
	f   *os.File
	err error // the first; what comes after it is dropped
}

// openTrace opens a file to append to: a run that goes on where another one was
// interrupted goes on with its trace, and nothing is ever lost.
func openTrace(name string) (*traceFile, error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
	if err != nil {
		return nil, err
	}
	return &traceFile{f: f}, nil
}

func (t *traceFile) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.f == nil {
		return 0, os.ErrClosed
	}
	n, err := t.f.Write(b)
	if t.err == nil {
		t.err = err
	}
	return n, err
}

// Close ends the trace. It may be called again, and on nil.
func (t *traceFile) Close() error {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.f == nil {
		return nil
	}
	if err := t.f.Close(); t.err == nil {
		t.err = err
	}
	t.f = nil
	return t.err
}
