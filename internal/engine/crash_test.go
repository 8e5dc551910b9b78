package engine

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"shoal/internal/crashfs"
	"shoal/internal/files/journals"
	"shoal/internal/files/resume"
	"shoal/internal/files/storage"
)

var sweep = flag.Bool("sweep", false, "stop at every call, in every way")

// crashing is a torrent of a few small files on a file system that can crash, with a seed
// that has it.
type crashing struct {
	*world
	fs   *crashfs.FS
	c    payload
	seed *Engine
	boot resume.Boot
	host byte
}

func (w *world) crashing(links bool) *crashing {
	// No two looks at the clock are alike, as on real systems; in here it stands still while
	// somebody works.
	var looks atomic.Int64
	clock := func() time.Time { return time.Now().Add(time.Duration(looks.Add(1)) * time.Microsecond) }
	k := &crashing{world: w, fs: crashfs.New(clock), c: makeContent(w.t, "crash", 16<<10, 20_000, 50_000, 0, 30_000), seed: w.engine(100, Config{})}
	k.fs.Links(links)
	k.boot = resume.Boot{ID: "first", Start: time.Now()}
	k.fs.Folder("home")
	k.fs.Folder("aside")
	k.fs.Folder("elsewhere")
	w.seed(k.seed, k.c)
	return k
}

// start starts a process with the torrent.
func (k *crashing) start(paths *Paths) (*Engine, *Torrent) { return k.startIn("home", paths) }

func (k *crashing) startIn(dir string, paths *Paths) (*Engine, *Torrent) {
	k.t.Helper()
	e := k.process()
	return e, add(k.t, e, Spec{Meta: k.c.meta, Dir: "/" + dir, Paths: paths, Peers: []netip.AddrPort{k.seed.Addr()}})
}

// process starts a process with no torrent.
func (k *crashing) process() *Engine {
	k.t.Helper()
	k.host++
	return k.engine(k.host, Config{StateDir: "state", seams: &seams{
		folder: func(dir string) (storage.FS, error) { return k.fs.Folder(strings.TrimPrefix(dir, "/")), nil },
		state:  k.twin(),
	}})
}

// twin is the folder of state of the next process, with journals of these folders.
func (k *crashing) twin(known ...string) *journals.Twin {
	return &journals.Twin{
		Open: func(folder string) (resume.FS, error) { return k.fs.Folder("state/" + folder), nil },
		Boot: k.boot, Folders: known,
	}
}

// end ends the process as it is, and crashes.
func (k *crashing) end(e *Engine, mode crashfs.Mode, seed int) {
	k.t.Helper()
	e.Close(k.t.Context())
	time.Sleep(time.Second)
	k.fs.Crash(mode, rand.New(rand.NewPCG(uint64(seed), 0)))
	if mode != crashfs.Kill {
		time.Sleep(time.Minute)
		k.boot = resume.Boot{ID: fmt.Sprint("run ", k.host), Start: time.Now()}
	}
}

// list gives the files in a folder, in all depths.
func (k *crashing) list(dir string) (names []string) {
	all, err := k.fs.Folder(dir).List()
	if err != nil {
		k.t.Fatal(err)
	}
	for _, name := range all {
		full := path.Join(dir, name)
		info, err := k.fs.Folder(dir).Lstat(name)
		if err != nil {
			k.t.Fatal(err)
		}
		if info.IsDir() {
			names = append(names, k.list(full)...)
		} else {
			names = append(names, full)
		}
	}
	slices.Sort(names)
	return names
}

// holds fails the test unless a folder has the content by its names, and nothing else.
func (k *crashing) holds(dir string, names Names, when string) {
	k.t.Helper()
	entries := storage.Entries(k.c.meta.Info)
	var want []string
	for i := range entries {
		if name, ok := names[i]; ok {
			entries[i].Path = name
		}
		want = append(want, path.Join(dir, entries[i].Path))
	}
	slices.Sort(want)
	if got := k.list(dir); !slices.Equal(got, want) {
		k.t.Errorf("%s: there are %v, want %v", when, got, want)
		return
	}
	st, err := storage.New(entries, storage.Config{FS: k.fs.Folder(dir), Pool: storage.NewPool(0)})
	if err != nil {
		k.t.Fatal(err)
	}
	defer st.Close()
	got := make([]byte, len(k.c.data))
	if err := st.ReadV([][]byte{got}, 0); err != nil || string(got) != string(k.c.data) {
		k.t.Errorf("%s: the bytes differ (%v)", when, err)
	}
}

// flow is something that moves files about.
type flow struct {
	name  string
	links bool // folders are on one volume
	paths *Paths
	// do is what is stopped, when everything is had and durable; nil: the download is.
	do    func(t *testing.T, l *Torrent) error
	to    string // the folder that the files are in when it is done
	names Names  // they may have these names then
}

var flows = []flow{
	{name: "suffix", paths: &Paths{Suffix: ".part"}, to: "home"},
	{name: "another folder", paths: &Paths{IncompleteDir: "/aside", Suffix: ".part"}, to: "home"},
	{name: "another folder of the volume", links: true, paths: &Paths{IncompleteDir: "/aside"}, to: "home"},
	{name: "rename", to: "home", names: newNames("crash"), do: func(t *testing.T, l *Torrent) error {
		return l.Rename(t.Context(), newNames("crash"))
	}},
	{name: "move", to: "elsewhere", do: func(t *testing.T, l *Torrent) error {
		return l.Move(t.Context(), "/elsewhere", nil)
	}},
	{name: "move in the volume", links: true, to: "elsewhere", do: func(t *testing.T, l *Torrent) error {
		return l.Move(t.Context(), "/elsewhere", nil)
	}},
}

// A stop at every call to the file system, and a crash in every way: what was had is had,
// the files end up where they belong, and nothing is left elsewhere.
func TestFlowsStopped(t *testing.T) {
	t.Parallel()
	for _, f := range flows {
		t.Run(f.name, func(t *testing.T) {
			for _, mode := range crashfs.Modes() {
				stopped := true
				for n := 1 + int(mode); stopped; n += step(n) {
					bubble(t, func(t *testing.T, w *world) { stopped = f.stop(t, w, mode, n) })
					if t.Failed() {
						return
					}
				}
			}
		})
	}
}

// step is the distance to the next call to stop at.
func step(n int) int {
	if *sweep {
		return 1
	}
	return 3 + n/6
}

func (f *flow) stop(t *testing.T, w *world, mode crashfs.Mode, n int) (stopped bool) {
	k := w.crashing(f.links)
	if f.do != nil {
		e, l := k.start(nil)
		wait(t, l)
		k.end(e, crashfs.Lost, n)
	}
	e, l := k.start(f.paths)
	durable := f.do != nil
	if durable {
		wait(t, l)
		synctest.Wait()
	}
	events := watch(t, l)
	k.fs.StopAt(n)
	done := f.do != nil && f.do(t, l) == nil
	for range 300 { // until it has stopped, or there is nothing more to do
		if f.do != nil || k.fs.Stopped() || len(kinds(events(), EventComplete)) > 0 {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	durable = durable || len(kinds(events(), EventComplete)) > 0
	stopped = k.fs.Stopped()
	when := fmt.Sprintf("%s, stopped at call %d, %v", f.name, n, mode)
	k.end(e, mode, n)

	// Broken off, they are whole in one of the two places, which is where they are looked for.
	dir := "home"
	if done || f.do != nil && len(k.list("home")) < len(k.c.files) {
		dir = f.to
	}
	paths := f.paths
	if n%2 == 0 {
		paths = nil // the next process is not told
	}
	e, l = k.startIn(dir, paths)
	wait(t, l)
	if s := l.Stats(); durable && s.Swarm.Downloaded > 0 {
		t.Errorf("%s: %d bytes were fetched again of what was durable", when, s.Swarm.Downloaded)
	}
	synctest.Wait()
	if err := e.Close(t.Context()); err != nil {
		t.Errorf("%s: close: %v", when, err)
	}
	names := k.mixed(f.names)
	if done && len(names) < len(f.names) {
		t.Errorf("%s: it was said to be done, and the names are %v", when, names)
	}
	k.holds(dir, names, when)
	if left := k.list("aside"); len(left) > 0 {
		t.Errorf("%s: left behind: %v", when, left)
	}
	if left := k.list("home"); done && dir != "home" && len(left) > 0 {
		t.Errorf("%s: left behind: %v", when, left)
	}
	return stopped
}

// mixed gives the names that files have which have the new ones.
func (k *crashing) mixed(to Names) Names {
	there, out := k.list("home"), Names{}
	for i, name := range to {
		if slices.Contains(there, path.Join("home", name)) {
			out[i] = name
		}
	}
	return out
}

// Every call fails once, and all calls from one on for a while: it goes on by itself in the
// same run, and ends as it should.
func TestFlowsFail(t *testing.T) {
	t.Parallel()
	for _, f := range flows {
		if f.do != nil {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			for n, calls := 1, 1; n <= calls; n += step(n) {
				for _, c := range []struct {
					errno error
					until time.Duration
				}{{syscall.EIO, 0}, {syscall.ENOSPC, 0}, {syscall.ENOSPC, 30 * time.Second}, {syscall.EIO, 90 * time.Second}} {
					bubble(t, func(t *testing.T, w *world) {
						k := w.crashing(f.links)
						e, l := k.start(f.paths)
						errno, began := c.errno, time.Now()
						k.fs.FailWhen(func(call crashfs.Call) error {
							if call.N == n || call.N > n && time.Since(began) < c.until {
								return errno
							}
							return nil
						})
						time.Sleep(c.until * 3)
						wait(t, l)
						synctest.Wait()
						calls = max(calls, k.fs.Calls())
						k.fs.FailWhen(nil)
						when := fmt.Sprintf("%s, call %d failed with %v, others for %v", f.name, n, errno, c.until)
						if err := e.Close(t.Context()); err != nil {
							t.Errorf("%s: close: %v", when, err)
						}
						// What could not be done at the end is done at the next start.
						e, l = k.start(nil)
						wait(t, l)
						if s := l.Stats(); s.Swarm.Downloaded > 0 {
							t.Errorf("%s: %d bytes were fetched again", when, s.Swarm.Downloaded)
						}
						e.Close(t.Context())
						k.holds("home", nil, when)
						if left := k.list("aside"); len(left) > 0 {
							t.Errorf("%s: left behind: %v", when, left)
						}
					})
					if t.Failed() {
						return
					}
				}
			}
		})
	}
}

// Every call fails once while something is done with files that are had: it is done or
// refused, all is had afterwards, and what was refused can be done then.
func TestFlowsRefused(t *testing.T) {
	t.Parallel()
	for _, f := range flows {
		if f.do == nil {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			for n, calls := 1, 1; n <= calls; n += step(n) {
				bubble(t, func(t *testing.T, w *world) {
					k := w.crashing(f.links)
					e, l := k.start(nil)
					wait(t, l)
					synctest.Wait()
					k.fs.FailWhen(func(c crashfs.Call) error {
						if c.N == n {
							return syscall.EIO
						}
						return nil
					})
					err := f.do(t, l)
					calls = max(calls, k.fs.Calls())
					k.fs.FailWhen(nil)
					time.Sleep(time.Minute)
					when := fmt.Sprintf("%s, call %d failed: %v", f.name, n, err)
					if s := l.Stats(); s.State != Seeding || s.Swarm.Downloaded != s.Swarm.Size {
						t.Errorf("%s: %+v", when, s)
					}
					if err != nil && l.Dir() != "/"+f.to {
						if err = f.do(t, l); err != nil {
							t.Errorf("%s: then again: %v", when, err)
						}
					}
					if f.names != nil {
						if err := f.do(t, l); err != nil {
							t.Errorf("%s: then again: %v", when, err)
						}
					}
					synctest.Wait()
					k.holds(f.to, f.names, when)
					if err := e.Close(t.Context()); err != nil {
						t.Errorf("%s: close: %v", when, err)
					}
					e, l = k.startIn(f.to, nil)
					wait(t, l)
					if s := l.Stats(); s.Swarm.Downloaded > 0 {
						t.Errorf("%s: %d bytes were fetched again", when, s.Swarm.Downloaded)
					}
					e.Close(t.Context())
				})
				if t.Failed() {
					return
				}
			}
		})
	}
}

func (k *crashing) must(err error) {
	k.t.Helper()
	if err != nil {
		k.t.Fatal(err)
	}
}
