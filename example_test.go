package shoal_test

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"shoal"
	"shoal/metainfo"
	"shoal/storage"
	"shoal/tracker"
)

// Add a torrent and wait for it.
func Example() {
	p := newPair() // two engines on this machine; the other one seeds
	defer p.Close()
	t, err := p.Engine.AddFile(p.File, shoal.AddOptions{Dir: p.Dir})
	check(err)
	check(t.Wait(ctx)) // every file is complete, verified and durable
	b, err := os.ReadFile(filepath.Join(p.Dir, "album", "one.txt"))
	check(err)
	fmt.Printf("%s", b)
	// Output: hello, swarm
}

func ExampleNew() {
	engine, err := shoal.New(shoal.Config{
		Listen: netip.MustParseAddrPort("127.0.0.1:0"), // default: all addresses
		DHT:    shoal.DHTConfig{Off: true},
	})
	check(err)
	fmt.Println(engine.Addr().Addr())
	check(engine.Close(ctx))
	// Output: 127.0.0.1
}

func ExampleEngine_Add() {
	p := newPair()
	defer p.Close()
	b, err := os.ReadFile(p.File)
	check(err)
	t, err := p.Engine.Add(shoal.AddOptions{Metainfo: b, Dir: p.Dir})
	check(err)
	fmt.Println(t.Name())
	// Output: album
}

func ExampleEngine_AddFile() {
	p := newPair()
	defer p.Close()
	t, err := p.Engine.AddFile(p.File, shoal.AddOptions{Dir: p.Dir})
	check(err)
	fmt.Println(t.Name())
	// Output: album
}

func ExampleEngine_AddMagnet() {
	p := newPair()
	defer p.Close()
	t, err := p.Engine.AddMagnet(p.Link, shoal.AddOptions{Dir: p.Dir})
	check(err)
	check(t.Wait(ctx)) // for the metadata, and then for the files
	fmt.Println(t.Name())
	// Output: album
}

func ExampleTorrent_WaitMetadata() {
	p := newPair()
	defer p.Close()
	t, err := p.Engine.AddMagnet(p.Link, shoal.AddOptions{Dir: p.Dir})
	check(err)
	check(t.WaitMetadata(ctx))
	fmt.Println(len(t.Files()), "files")
	// Output: 2 files
}

func ExampleEngine_Torrent() {
	p := newPair()
	defer p.Close()
	added := p.Download()
	t, ok := p.Engine.Torrent(added.InfoHash())
	fmt.Println(t == added, ok)
	// Output: true true
}

func ExampleTorrent_Wait() {
	p := newPair()
	defer p.Close()
	t := p.Download()
	check(t.Wait(ctx))
	fmt.Println(t.State())
	// Output: seeding
}

func ExampleTorrent_Progress() {
	p := newPair()
	defer p.Close()
	for s := range p.Download().Progress(ctx, 20*time.Millisecond) {
		if s.State == shoal.StateSeeding {
			fmt.Println(s.Verified, "of", s.Size, "bytes")
			break
		}
	}
	// Output: 100013 of 100013 bytes
}

func ExampleTorrent_Events() {
	p := newPair()
	defer p.Close()
	t := p.Download()
	events := t.Events(ctx) // from here on
	t.Stop(ctx)
	for e := range events {
		if e.Kind == shoal.EventStopped {
			fmt.Println(e.Kind)
		}
	}
	// Output: stopped
}

func ExampleTorrent_Files() {
	p := newPair()
	defer p.Close()
	for _, f := range p.Download().Files() {
		fmt.Println(f.Path, f.Length, f.Priority)
	}
	// Output:
	// album/one.txt 13 normal
	// album/two.txt 100000 normal
}

func ExampleTorrent_SetPriority() {
	p := newPair()
	defer p.Close()
	t := p.Download()
	check(t.SetPriority("album/two.txt", shoal.PrioritySkip))
	fmt.Println(t.Files()[1].Priority)
	// Output: skip
}

func ExampleTorrent_SetPriorities() {
	p := newPair()
	defer p.Close()
	t := p.Download()
	check(t.SetPriorities(func(f shoal.File) shoal.Priority {
		if f.Length < 100 {
			return shoal.PrioritySkip
		}
		return shoal.PriorityHigh
	}))
	fmt.Println(t.Files()[0].Priority, t.Files()[1].Priority)
	// Output: skip high
}

// Read a file while it downloads.
func ExampleTorrent_Open() {
	p := newPair()
	defer p.Close()
	r, err := p.Download().Open(ctx, "album/one.txt")
	check(err)
	defer r.Close()
	b, err := io.ReadAll(r)
	check(err)
	fmt.Printf("%s", b)
	// Output: hello, swarm
}

// The files as a file system, for http.FileServerFS, for instance.
func ExampleTorrent_FS() {
	p := newPair()
	defer p.Close()
	b, err := fs.ReadFile(p.Download().FS(ctx), "album/one.txt")
	check(err)
	fmt.Printf("%s", b)
	// Output: hello, swarm
}

func ExampleReader_SetReadAhead() {
	p := newPair()
	defer p.Close()
	r, err := p.Download().Open(ctx, "album/two.txt")
	check(err)
	defer r.Close()
	r.SetReadAhead(32 << 10)
	fmt.Println(r.Seek(-3, io.SeekEnd))
	// Output: 99997 <nil>
}

func ExampleTorrent_SetSequential() {
	p := newPair()
	defer p.Close()
	t := p.Download()
	t.SetSequential(true)
	fmt.Println(t.Sequential())
	// Output: true
}

func ExampleTorrent_Pause() {
	p := newPair()
	defer p.Close()
	t := p.Download()
	t.Pause()
	t.Resume()
	fmt.Println(t.Wait(ctx))
	// Output: <nil>
}

// End a torrent, and keep it on the list.
func ExampleTorrent_Stop() {
	p := newPair()
	defer p.Close()
	t := p.Download()
	t.Stop(ctx)
	fmt.Println(t.State(), len(p.Engine.Remembered()))
	t, err := p.Engine.StartTorrent(t.InfoHash(), "")
	check(err)
	fmt.Println(t.Wait(ctx))
	// Output:
	// stopped 1
	// <nil>
}

// End a torrent, take it off the list, and delete its files.
func ExampleTorrent_Remove() {
	p := newPair()
	defer p.Close()
	t := p.Download()
	check(t.Wait(ctx))
	gone, err := t.Remove(ctx, shoal.RemoveOptions{DeleteFiles: true})
	check(err)
	fmt.Println(len(gone.Removed), "files,", gone.Freed, "bytes")
	// Output: 2 files, 100013 bytes
}

func ExampleTorrent_Move() {
	p := newPair()
	defer p.Close()
	t := p.Download()
	check(t.Wait(ctx))
	to := filepath.Join(p.Dir, "done")
	check(os.Mkdir(to, 0o777))
	check(t.Move(ctx, to, nil))
	fmt.Println(filepath.Base(t.Dir()))
	// Output: done
}

func ExampleTorrent_Rename() {
	p := newPair()
	defer p.Close()
	t := p.Download()
	check(t.Wait(ctx))
	check(t.Rename(ctx, "album/one.txt", "album/first.txt"))
	fmt.Println(t.Files()[0].Path)
	// Output: album/first.txt
}

func ExampleTorrent_SetQueuePosition() {
	p := newPair()
	defer p.Close()
	t := p.Download()
	t.SetQueuePosition(0)
	fmt.Println(t.QueuePosition())
	// Output: 0
}

func ExampleTorrent_Verify() {
	p := newPair()
	defer p.Close()
	t := p.Download()
	check(t.Wait(ctx))
	r, err := t.Verify(ctx, nil)
	check(err)
	fmt.Println(r.Good, "of", r.Pieces, "pieces")
	// Output: 7 of 7 pieces
}

// Check what is in a folder, without an engine.
func ExampleVerify() {
	p := newPair()
	defer p.Close()
	b, err := os.ReadFile(p.File)
	check(err)
	r, err := shoal.Verify(ctx, shoal.VerifyOptions{Metainfo: b, Dir: p.Dir})
	check(err)
	fmt.Println(r.Good, "of", r.Pieces, "pieces")
	// Output: 0 of 7 pieces
}

func ExampleEngine_SetLimits() {
	p := newPair()
	defer p.Close()
	check(p.Engine.SetLimits(shoal.Limits{Up: 2 << 20})) // bytes a second
	limits, _ := p.Engine.Limits()
	fmt.Println(limits.Up)
	// Output: 2097152
}

// Other limits hold in office hours, and when the user says so.
func ExampleEngine_SetAltLimits() {
	p := newPair()
	defer p.Close()
	check(p.Engine.SetAltLimits(shoal.Limits{Up: 256 << 10}, "mon-fri 08:00-18:00"))
	p.Engine.UseAltLimits(true) // until the next change in the plan
	limits, alternative := p.Engine.Limits()
	fmt.Println(limits.Up, alternative)
	// Output: 262144 true
}

// An engine that remembers its torrents starts them again.
func ExampleEngine_Remembered() {
	p := newPair()
	defer p.Close()
	check(p.Download().Wait(ctx))
	p.Restart()
	for _, r := range p.Engine.Remembered() {
		fmt.Println(r.Name, r.Torrent.Wait(ctx))
	}
	// Output: album <nil>
}

func ExampleTorrent_Peers() {
	p := newPair()
	defer p.Close()
	check(p.Engine.SetLimits(shoal.Limits{Down: 1})) // so that it stays a leecher
	t := p.Download()
	for s := range t.Progress(ctx, 0) {
		if s.Peers > 0 {
			break
		}
	}
	for _, peer := range t.Peers() {
		fmt.Println(peer.Addr == p.Peer, peer.Incoming, peer.Sources)
	}
	// Output: true false [tracker]
}

func ExampleTorrent_AddPeers() {
	p := newPair()
	defer p.Close()
	t := p.Download()
	t.AddPeers(p.Peer)
	fmt.Println(t.Wait(ctx))
	// Output: <nil>
}

func ExampleTorrent_AddTracker() {
	p := newPair()
	defer p.Close()
	fmt.Println(p.Download().AddTracker("udp://"+p.Tracker, 1))
	// Output: <nil>
}

func ExampleTorrent_AddWebSeed() {
	p := newPair()
	defer p.Close()
	fmt.Println(p.Download().AddWebSeed("http://127.0.0.1:9/files/"))
	// Output: <nil>
}

// Announce now. Trackers allow it once a minute at most.
func ExampleTorrent_Announce() {
	p := newPair()
	defer p.Close()
	t := p.Download()
	check(t.Wait(ctx))
	all, err := t.Announce(ctx)
	check(err)
	fmt.Println(all[0].Tracker == "http://"+p.Tracker+"/announce")
	// Output: true
}

func ExampleCreate() {
	dir, err := os.MkdirTemp("", "shoal-example-")
	check(err)
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "hello.txt")
	check(os.WriteFile(path, []byte("hello, swarm\n"), 0o666))
	made, err := shoal.Create(ctx, shoal.CreateOptions{Path: path, Nodes: []string{"node.example:6881"}})
	check(err)
	fmt.Println(made.Name, made.Size, made.Pieces, made.InfoHash)
	// Output: hello.txt 13 1 5a8035fd92a70ee98b1bd04121672a133c7eda1a
}

// A torrent in memory. Package storage has the interface for others.
func ExampleAddOptions_storage() {
	p := newPair()
	defer p.Close()
	t, err := p.Engine.AddFile(p.File, shoal.AddOptions{
		Storage: func(files []storage.Entry) (storage.Storage, error) { return storage.NewMemory(files), nil },
	})
	check(err)
	fmt.Println(t.Wait(ctx))
	// Output: <nil>
}

// What follows is shared by the examples.

var ctx = context.Background()

// anyPort keeps an engine on this machine: one that listens on a loopback address sends
// nothing elsewhere.
var anyPort = netip.MustParseAddrPort("127.0.0.1:0")

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// A pair is two engines on this machine, and a tracker. One engine seeds a torrent of two files;
// the examples use the other.
type pair struct {
	Engine  *shoal.Engine  // remembers its torrents
	File    string         // the .torrent file
	Link    string         // a magnet link
	Dir     string         // an empty folder
	Peer    netip.AddrPort // the other engine
	Tracker string         // host and port

	other  *shoal.Engine
	server *tracker.Server
	root   string // has all files of the pair
}

func newPair() *pair {
	root, err := os.MkdirTemp("", "shoal-example-")
	check(err)
	p := &pair{root: root, Dir: filepath.Join(root, "downloads"), File: filepath.Join(root, "album.torrent")}
	album := filepath.Join(root, "album")
	check(os.MkdirAll(p.Dir, 0o777))
	check(os.MkdirAll(album, 0o777))
	check(os.WriteFile(filepath.Join(album, "one.txt"), []byte("hello, swarm\n"), 0o666))
	check(os.WriteFile(filepath.Join(album, "two.txt"), []byte(strings.Repeat("2", 100000)), 0o666))

	p.server, err = tracker.NewServer(tracker.ServerConfig{Listen: []netip.AddrPort{anyPort}})
	check(err)
	p.Tracker = p.server.Addrs()[0].String()
	made, err := shoal.Create(ctx, shoal.CreateOptions{
		Path: album, PieceLength: 16 << 10, Trackers: []string{"http://" + p.Tracker + "/announce"},
	})
	check(err)
	check(os.WriteFile(p.File, made.Metainfo, 0o666))
	meta, err := metainfo.Parse(made.Metainfo)
	check(err)
	p.Link = shoal.LinkOf(meta).String()

	p.other, err = shoal.New(shoal.Config{Listen: anyPort, DHT: shoal.DHTConfig{Off: true}})
	check(err)
	p.Peer = p.other.Addr()
	seed, err := p.other.AddFile(p.File, shoal.AddOptions{Dir: root})
	check(err)
	for s := range seed.Progress(ctx, 0) {
		if len(s.Trackers) > 0 && s.Trackers[0].State == shoal.TrackerWorking {
			break // the tracker knows it
		}
	}
	p.start()
	return p
}

func (p *pair) start() {
	var err error
	p.Engine, err = shoal.New(shoal.Config{
		Listen: anyPort, DHT: shoal.DHTConfig{Off: true}, StateDir: filepath.Join(p.root, "state"), Remember: true,
	})
	check(err)
}

// Download adds the torrent.
func (p *pair) Download() *shoal.Torrent {
	t, err := p.Engine.AddFile(p.File, shoal.AddOptions{Dir: p.Dir})
	check(err)
	return t
}

// Restart closes the engine, and starts it again.
func (p *pair) Restart() {
	check(p.Engine.Close(ctx))
	p.start()
}

func (p *pair) Close() {
	check(p.Engine.Close(ctx))
	check(p.other.Close(ctx))
	check(p.server.Close())
	check(os.RemoveAll(p.root))
}
