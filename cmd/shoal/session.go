package main

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
)

// closeWithin bounds a clean stop: trackers are told, peers too, files closed. A
// tracker that does not answer must not hold a person up.
const closeWithin = 5 * time.Second

// A session is an engine for the length of one command.
type session struct {
	out    *output
	engine *shoal.Engine
	trace  *traceFile // nil when none is kept
}

type listeningEvent struct {
	Addr string `json:"addr"`
}

// openSession makes the engine that the flags ask for.
func openSession(out *output, n netFlags) (*session, error) {
	cfg := n.config()
	cfg.Log = out.logger()
	var err error
	cfg.DHT.StateFile = n.stateFile()
	if n.remember {
		if _, err = rememberIn(n); err == nil {
			cfg.StateDir, err = n.openState()
		}
		if err != nil {
			return nil, err
		}
		cfg.Remember = true
	} else {
		cfg.StateDir = n.stateOrNone(out, "nothing is kept for the next start")
	}
	s := &session{out: out}
	if n.trace != "" {
		if s.trace, err = openTrace(n.trace); err != nil {
			return nil, fail("open the trace file", err)
		}
		cfg.Trace = s.trace
		out.atEnd(func() { s.trace.close() }) // also when a second Ctrl-C stops at once
	}
	if s.engine, err = shoal.New(cfg); err != nil {
		s.trace.close()
		if errors.Is(err, shoal.ErrInUse) {
			return nil, fail("run", err)
		}
		what := "start"
		if len(n.listen) > 0 {
			what = "listen on " + n.listen.String()
		}
		return nil, fail(what, err)
	}
	if err := n.limits.alternative(s.engine); err != nil {
		return nil, errors.Join(fail("set the alternative limits", err), s.close())
	}
	var texts []string
	for _, a := range s.engine.Addrs() {
		texts = append(texts, a.String())
	}
	out.say("listening on %s", strings.Join(texts, " and "))
	for _, t := range texts {
		out.event("listening", listeningEvent{t})
	}
	return s, nil
}

// close stops all torrents and writes out the trace. It is given its own time,
// since it comes after an interruption, too.
func (s *session) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeWithin)
	defer cancel()
	err := s.engine.Close(ctx)
	if terr := s.trace.close(); terr != nil {
		return fail("write the trace", terr)
	}
	if err != nil {
		return fail("stop cleanly", err)
	}
	return nil
}

// config turns the flags into the engine's configuration. A loopback address
// stays alone: no public nodes, and no table of nodes from other runs.
func (n netFlags) config() shoal.Config {
	cfg := shoal.Config{SuperSeed: shoal.SuperSeed(n.superSeed.text), SeedChoking: shoal.SeedChoking(n.seedSlots.text), MaxPeers: int(n.peersMost), MaxConnections: int(n.connectionsMost), MaxMetadata: int64(n.metadataMost), KeepCached: n.keep, NoWebSeeds: n.noWeb, Listen: n.listen.first(), ListenAlso: n.listen.rest(), Limits: n.limits.limits(), LocalUnlimited: n.limits.local, Queue: n.queue.queue()}
	cfg.DHT.Off, cfg.DHT.ReadOnly = n.noDHT, n.readOnly
	switch {
	case n.noLSD:
		cfg.LSD = shoal.LSDNever
	case n.lsd:
		cfg.LSD = shoal.LSDAlways
	}
	n.trust.apply(&cfg)
	cfg.DHT.Nodes = n.nodes
	cfg.DHT.PublicNodes = len(n.nodes) == 0 && !n.noDHT && !n.loopback()
	return cfg
}

func (n netFlags) loopback() bool { return n.listen.loopback() }

// nearby reports whether peers are looked for on the local network.
func (n netFlags) nearby() bool { return n.lsd || !n.noLSD && !n.loopback() }

// stateDir is where journals are kept; empty when nothing is.
func (n netFlags) stateDir() (string, error) {
	switch n.state {
	case "":
		return defaultStateDir()
	case "none":
		return "", nil
	}
	return n.state, nil
}

// stateFile is where the DHT's table is kept between runs, so that the next one
// starts with nodes it knows; empty when it is not kept. It holds a node's id,
// too, and a node is known by its id and address: so each port has its own file,
// and a port that is new every time has none.
func (n netFlags) stateFile() string {
	port := n.listen.first().Port()
	if len(n.listen) == 0 {
		state, err := n.stateDir()
		if err != nil || state == "" {
			return ""
		}
		port = shoal.OwnPort(state)
	}
	if n.noDHT || n.loopback() || port == 0 {
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

// close ends the trace. It may be called again, and on nil.
func (t *traceFile) close() error {
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
