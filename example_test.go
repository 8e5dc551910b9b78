package shoal_test

import (
	"context"
	"fmt"
	"log"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"shoal"
)

// anyPort keeps the examples on this machine: an engine that listens on a
// loopback address neither dials nor asks anybody else.
var anyPort = netip.MustParseAddrPort("127.0.0.1:0")

// shared makes a folder with a file and its torrent.
func shared() (dir string, metainfo []byte) {
	dir, err := os.MkdirTemp("", "shoal-example-")
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "hello.txt"), []byte("hello, swarm\n"), 0o666); err != nil {
		log.Fatal(err)
	}
	made, err := shoal.Create(context.Background(), shoal.CreateOptions{Path: filepath.Join(dir, "hello.txt")})
	if err != nil {
		log.Fatal(err)
	}
	return dir, made.Metainfo
}

// Two engines on one machine: one seeds, the other gets.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	from, metainfo := shared()
	defer os.RemoveAll(from)
	to, err := os.MkdirTemp("", "shoal-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(to)

	seeder, err := shoal.New(shoal.Config{Listen: anyPort})
	if err != nil {
		log.Fatal(err)
	}
	defer seeder.Close(ctx)
	if _, err := seeder.Add(shoal.AddOptions{Metainfo: metainfo, Dir: from}); err != nil {
		log.Fatal(err)
	}

	engine, err := shoal.New(shoal.Config{Listen: anyPort})
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close(ctx)
	t, err := engine.Add(shoal.AddOptions{
		Metainfo: metainfo, Dir: to, Peers: []netip.AddrPort{seeder.Addr()},
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := t.Wait(ctx); err != nil {
		log.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(to, t.Name()))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s: %s", t.Name(), b)
	// Output: hello.txt: hello, swarm
}

// From a magnet link: the metadata comes from peers, and then the files.
func ExampleEngine_AddMagnet() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	from, metainfo := shared()
	defer os.RemoveAll(from)
	to, err := os.MkdirTemp("", "shoal-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(to)
	seeder, err := shoal.New(shoal.Config{Listen: anyPort})
	if err != nil {
		log.Fatal(err)
	}
	defer seeder.Close(ctx)
	seed, err := seeder.Add(shoal.AddOptions{Metainfo: metainfo, Dir: from})
	if err != nil {
		log.Fatal(err)
	}

	engine, err := shoal.New(shoal.Config{Listen: anyPort})
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close(ctx)
	m, err := engine.AddMagnet("magnet:?xt=urn:btih:"+seed.InfoHash(), shoal.AddOptions{
		Dir: to, Peers: []netip.AddrPort{seeder.Addr()},
	})
	if err != nil {
		log.Fatal(err)
	}
	t, err := m.Wait(ctx) // until it is known what the torrent is
	if err != nil {
		log.Fatal(err)
	}
	if err := t.Wait(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(t.Name() == seed.Name(), t.Stats().State)
	// Output: true seeding
}

// A torrent of a file, for a swarm without a tracker.
func ExampleCreate() {
	dir, err := os.MkdirTemp("", "shoal-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "hello.txt")
	if err := os.WriteFile(path, []byte("hello, swarm\n"), 0o666); err != nil {
		log.Fatal(err)
	}
	made, err := shoal.Create(context.Background(), shoal.CreateOptions{
		Path:  path,
		Nodes: []string{"node.example:6881"},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(made.Name, made.Size, made.Pieces, made.InfoHash)
	// Output: hello.txt 13 1 5a8035fd92a70ee98b1bd04121672a133c7eda1a
}

// An engine that remembers goes on where the last one was.
func ExampleEngine_Remembered() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	dir, metainfo := shared()
	defer os.RemoveAll(dir)
	state, err := os.MkdirTemp("", "shoal-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(state)
	cfg := shoal.Config{Listen: anyPort, StateDir: state, Remember: true}

	first, err := shoal.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := first.Add(shoal.AddOptions{Metainfo: metainfo, Dir: dir}); err != nil {
		log.Fatal(err)
	}
	if err := first.Close(ctx); err != nil {
		log.Fatal(err)
	}

	next, err := shoal.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	defer next.Close(ctx)
	for _, r := range next.Remembered() {
		if err := r.Torrent.Wait(ctx); err != nil {
			log.Fatal(err)
		}
		fmt.Println(r.Name, r.Torrent.State())
	}
	// Output: hello.txt seeding
}

// What lies in a folder is checked against a torrent, and not changed.
func ExampleVerify() {
	dir, metainfo := shared()
	defer os.RemoveAll(dir)
	r, err := shoal.Verify(context.Background(), shoal.VerifyOptions{Metainfo: metainfo, Dir: dir})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Name, r.Complete, r.Good, "of", r.Pieces)
	// Output: hello.txt true 1 of 1
}

// Progress can be watched as snapshots, which cost the engine nothing.
func ExampleTorrent_Progress() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	dir, metainfo := shared()
	defer os.RemoveAll(dir)
	engine, err := shoal.New(shoal.Config{Listen: anyPort, DHT: shoal.DHTConfig{Off: true}})
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close(ctx)
	t, err := engine.Add(shoal.AddOptions{Metainfo: metainfo, Dir: dir})
	if err != nil {
		log.Fatal(err)
	}
	for s := range t.Progress(ctx, 20*time.Millisecond) {
		if s.State == shoal.StateSeeding {
			fmt.Println(s.Name, s.Verified, "of", s.Size)
			break
		}
	}
	// Output: hello.txt 13 of 13
}

// Events tell what happens as it happens.
func ExampleTorrent_Events() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	dir, metainfo := shared()
	defer os.RemoveAll(dir)
	engine, err := shoal.New(shoal.Config{Listen: anyPort, DHT: shoal.DHTConfig{Off: true}})
	if err != nil {
		log.Fatal(err)
	}
	t, err := engine.Add(shoal.AddOptions{Metainfo: metainfo, Dir: dir})
	if err != nil {
		log.Fatal(err)
	}
	events := t.Events(ctx) // from here on
	if err := t.Wait(ctx); err != nil {
		log.Fatal(err)
	}
	if err := engine.Close(ctx); err != nil {
		log.Fatal(err)
	}
	for e := range events {
		if e.Kind == shoal.EventStopped {
			fmt.Println(e.Kind)
		}
	}
	// Output: stopped
}
