package dhtnode

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"shoal/bencode"
	"shoal/internal/format/krpc"
	"shoal/internal/value/mono"
)

// state is what a node stores between runs: a bencoded dictionary with `id` and the compact `nodes`
// for the DHT of IPv4, `id6` and `nodes6` for that of IPv6.
type state struct {
	id, id6 krpc.ID // zero where the node had no such side yet
	nodes   []krpc.Node
}

// maxState bounds the file in bytes and nodes: a table holds a few hundred nodes.
const (
	maxState = 64 << 10
	maxSaved = 1000
)

// load reads the state file. The node starts whatever is wrong with the file: it logs the error,
// and the next save replaces the file.
func (n *Node) load() state {
	if n.cfg.StateFile == "" {
		return state{}
	}
	s, err := readState(n.cfg.StateFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		n.log.Warn("DHT state not used", "err", err)
	}
	return s
}

func readState(name string) (state, error) {
	f, err := os.Open(name)
	if err != nil {
		return state{}, fmt.Errorf("read the DHT state: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxState+1))
	if err != nil {
		return state{}, fmt.Errorf("read the DHT state: %w", err)
	}
	s, err := parseState(b)
	if err != nil {
		return state{}, fmt.Errorf("read the DHT state %s: %w", name, err)
	}
	return s, nil
}

func parseState(b []byte) (s state, err error) {
	if len(b) > maxState {
		return state{}, fmt.Errorf("larger than %d bytes", maxState)
	}
	v, err := bencode.Parse(b)
	if err != nil {
		return state{}, err
	}
	id, _ := v.Get("id").Bytes()
	id6, _ := v.Get("id6").Bytes()
	if len(id) == len(s.id) {
		s.id = krpc.ID(id)
	}
	if len(id6) == len(s.id6) {
		s.id6 = krpc.ID(id6)
	}
	if s.id == s.id6 { // none, or both sides have the same
		return state{}, errors.New("the ids are missing or equal")
	}
	for _, list := range []struct {
		key  string
		size int
	}{{"nodes", krpc.Node4}, {"nodes6", krpc.Node6}} {
		b, _ := v.Get(list.key).Bytes()
		if len(b)%list.size != 0 {
			return state{}, fmt.Errorf("%s is cut off", list.key)
		}
		for ; len(b) > 0 && len(s.nodes) < maxSaved; b = b[list.size:] {
			s.nodes, _ = krpc.AppendNodes(s.nodes, b[:list.size], list.size)
		}
	}
	return s, nil
}

func (s state) encode() []byte {
	var four, six []byte
	for _, node := range s.nodes[:min(len(s.nodes), maxSaved)] {
		if node.Addr.Addr().Is4() {
			four = krpc.AppendNode(four, node)
		} else {
			six = krpc.AppendNode(six, node)
		}
	}
	w := bencode.NewWriter(nil)
	w.BeginDict()
	if s.id != (krpc.ID{}) {
		w.Key("id")
		w.Bytes(s.id[:])
	}
	if s.id6 != (krpc.ID{}) {
		w.Key("id6")
		w.Bytes(s.id6[:])
	}
	w.Key("nodes")
	w.Bytes(four)
	w.Key("nodes6")
	w.Bytes(six)
	w.End()
	return w.Finish()
}

// snapshot returns the state to save; the loop calls it, or Close after the loop. While no node of
// a family is good, it keeps the loaded ones: being offline for an evening, or without IPv6, must
// not cost the way back.
func (n *Node) snapshot(now mono.Time) state {
	s := state{id: n.saved.id, id6: n.saved.id6}
	var have [2]bool // of IPv4, of IPv6
	for _, side := range n.sides {
		family := &s.id
		if side.v6 {
			family = &s.id6
		}
		*family = side.machine.ID()
		before := len(s.nodes)
		s.nodes = side.machine.Nodes(s.nodes, now)
		have[index(side.v6)] = len(s.nodes) > before
	}
	for _, old := range n.saved.nodes {
		if !have[index(old.Addr.Addr().Is6())] {
			s.nodes = append(s.nodes, old)
		}
	}
	return s
}

func index(v6 bool) int {
	if v6 {
		return 1
	}
	return 0
}

// saveNow gets the state from the loop and writes it.
func (n *Node) saveNow(ctx context.Context) {
	if n.cfg.StateFile == "" {
		return
	}
	got := make(chan state, 1)
	if n.do(ctx, func(now mono.Time) { got <- n.snapshot(now) }) != nil {
		return
	}
	select {
	case s := <-got:
		if err := n.save(s); err != nil {
			n.log.Warn("DHT state not saved", "err", err)
		}
	case <-n.ended:
	}
}

// save writes the state to a new file, syncs it and renames it over the old one, so that the file
// is always whole.
func (n *Node) save(s state) error {
	if n.cfg.StateFile == "" {
		return nil
	}
	name := n.cfg.StateFile
	if err := write(name+".new", s.encode()); err != nil {
		return fmt.Errorf("save the DHT state: %w", err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		return fmt.Errorf("save the DHT state: %w", err)
	}
	// The rename is durable once the folder is synced. Some systems can't do that; then a power cut
	// can bring the old file back, which is just as good.
	if d, err := os.Open(filepath.Dir(name)); err == nil {
		d.Sync()
		d.Close()
	}
	return nil
}

func write(name string, b []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
