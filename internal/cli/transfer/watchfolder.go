package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"shoal"
	"shoal/internal/cli/cmdline"
	"shoal/internal/cli/session"
	"shoal/internal/cli/source"
	"shoal/internal/cli/ui"
)

// run --watch takes torrents that are put into a folder: NAME.torrent, and NAME.magnet with
// links or info-hashes, one a line. It looks every few seconds; that costs nothing worth
// saving, and works on every file system, those of other machines among them.

const (
	// watchEvery is between two looks. A file counts as written when it is the same at
	// two of them.
	watchEvery = 2 * time.Second
	// unusableAfter is how long a file must stay as it is before a warning says that it
	// can't be used: until then another program may be in the middle of writing it.
	unusableAfter = 20 * time.Second
	// maxMagnets bounds a .magnet file, and linksInFile the lines of it.
	maxMagnets  = 1 << 20
	linksInFile = 1000
	// readAtOnce bounds the files that are read at the same time, and with them what is in memory.
	readAtOnce = 4
	// watchedFiles bounds what is kept in mind of a folder.
	watchedFiles = 10000
	// addedSuffix is behind the name of a file that was taken.
	addedSuffix = ".added"
)

// foldersFlag are the folders that are watched.
type foldersFlag []string

func (f *foldersFlag) Type() string   { return "DIR" }
func (f *foldersFlag) String() string { return cmdline.Joined(*f) }

// Repeats says that the flag may be given several times.
func (f *foldersFlag) Repeats() {}

func (f *foldersFlag) Set(text string) error {
	if text == "" {
		return errors.New("name a folder")
	}
	*f = append(*f, text)
	return nil
}

func (f *foldersFlag) add(cmd *cobra.Command) {
	cmd.Flags().Var(f, "watch", "take .torrent and .magnet files that are put into this `DIR` (repeat for more)")
	cmd.MarkFlagDirname("watch")
}

// check refuses folders that are not there.
func (f *foldersFlag) check() error {
	for _, dir := range *f {
		if st, err := os.Stat(dir); err != nil || !st.IsDir() {
			return ui.UsageError("make the folder, or attach its volume", "--watch %s: there is no such folder", ui.Printable(dir))
		}
	}
	return nil
}

// inbox watches folders. It is used by one goroutine; links become torrents in others.
type inbox struct {
	dirs  []string
	read  func(name string) (source.Source, error)
	add   func(ctx context.Context, src source.Source) error // returns when the torrent is remembered
	tell  func(format string, a ...any)
	every time.Duration

	seen    map[string]seenFile
	came    chan arrival
	files   chan struct{} // places of .torrent files
	reading chan struct{} // places of the others: a link in a file may be a URL, and its server slow
	busy    int
}

// seenFile is what a file was like at the last look.
type seenFile struct {
	size  int64
	at    time.Time
	since time.Time // it is like that
	done  bool      // taken, or told as unusable, as it was then
	busy  bool
}

// arrival is a file of which all is added, or why not.
type arrival struct {
	path string
	err  error
}

func newInbox(dirs []string) *inbox {
	return &inbox{dirs: dirs, every: watchEvery, seen: make(map[string]seenFile), came: make(chan arrival), files: make(chan struct{}, readAtOnce), reading: make(chan struct{}, readAtOnce)}
}

// run looks at the folders until ctx ends, and waits for what it has begun.
func (b *inbox) run(ctx context.Context) {
	tick := time.NewTicker(b.every)
	defer tick.Stop()
	b.look(ctx)
	for {
		select {
		case a := <-b.came:
			b.took(a)
		case <-tick.C:
			b.look(ctx)
		case <-ctx.Done():
			for b.busy > 0 {
				<-b.came
				b.busy--
			}
			return
		}
	}
}

// look takes files that have not changed since the last look.
func (b *inbox) look(ctx context.Context) {
	now := make(map[string]bool)
	for _, dir := range b.dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			if !b.seen[dir].done {
				b.seen[dir] = seenFile{done: true}
				b.tell("watch %s: %s; it is looked at again", ui.Printable(dir), ui.Printable(err.Error()))
			}
			now[dir] = true
			continue
		}
		for _, e := range entries {
			path := filepath.Join(dir, e.Name())
			if !isArrival(e.Name()) || len(now) >= watchedFiles {
				continue
			}
			info, err := os.Stat(path)
			if err != nil || !info.Mode().IsRegular() {
				continue
			}
			now[path] = true
			was, known := b.seen[path]
			same := known && was.size == info.Size() && was.at.Equal(info.ModTime())
			if was.busy || same && was.done {
				continue
			}
			if !same {
				b.seen[path] = seenFile{size: info.Size(), at: info.ModTime(), since: time.Now()}
				continue
			}
			b.begin(ctx, path)
		}
	}
	for path, f := range b.seen {
		if !now[path] && !f.busy {
			delete(b.seen, path)
		}
	}
}

func isArrival(name string) bool {
	ext := filepath.Ext(name)
	return !strings.HasPrefix(name, ".") && (strings.EqualFold(ext, ".torrent") || strings.EqualFold(ext, ".magnet"))
}

// begin adds what is in a file.
func (b *inbox) begin(ctx context.Context, path string) {
	f := b.seen[path]
	f.busy = true
	b.seen[path] = f
	b.busy++
	go func() { // run waits for it, by busy
		var srcs []source.Source
		var err error
		places := b.reading
		if strings.EqualFold(filepath.Ext(path), ".torrent") {
			places = b.files // a slow server does not hold up what is here
		}
		select {
		case places <- struct{}{}:
			srcs, err = b.sources(path)
			<-places
		case <-ctx.Done():
			err = ctx.Err()
		}
		for _, src := range srcs {
			if err == nil {
				err = b.add(ctx, src)
			}
		}
		b.came <- arrival{path, err}
	}()
}

// sources reads a file.
func (b *inbox) sources(path string) ([]source.Source, error) {
	if strings.EqualFold(filepath.Ext(path), ".torrent") {
		src, err := source.ReadPlain(path)
		return []source.Source{src}, err
	}
	f, err := shoal.OpenPlain(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxMagnets+1))
	if err == nil && len(text) > maxMagnets {
		err = fmt.Errorf("over %s, which no list of links is", ui.Size(maxMagnets))
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", ui.Printable(path), err)
	}
	var srcs []source.Source
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if len(srcs) >= linksInFile {
			return nil, fmt.Errorf("%s: over %s", ui.Printable(path), ui.Count(linksInFile, "link"))
		}
		// Files, pipes and the keyboard are for people to name: reading one may never end.
		if k := cmdline.KindOf(line); k != cmdline.KindMagnet && k != cmdline.KindHash && k != cmdline.KindURL {
			return nil, fmt.Errorf("%s: a line is %s, and not a link, an info-hash or a URL", ui.Printable(path), k)
		}
		src, err := b.read(line)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", ui.Printable(path), err)
		}
		srcs = append(srcs, src)
	}
	if len(srcs) == 0 {
		return nil, fmt.Errorf("%s: no link in it", ui.Printable(path))
	}
	return srcs, nil
}

// took marks a file that was taken, or tells once why it can't be.
func (b *inbox) took(a arrival) {
	b.busy--
	f := b.seen[a.path]
	f.busy, f.done = false, a.err == nil || time.Since(f.since) >= unusableAfter
	b.seen[a.path] = f
	if a.err != nil {
		if f.done && !errors.Is(a.err, context.Canceled) {
			b.tell("%s: %s; it is tried again when it changes", ui.Printable(a.path), ui.Printable(a.err.Error()))
		}
		return
	}
	to := a.path + addedSuffix
	for n := 2; n < 100; n++ {
		if _, err := os.Lstat(to); errors.Is(err, fs.ErrNotExist) {
			break
		}
		to = fmt.Sprintf("%s%s-%d", a.path, addedSuffix, n)
	}
	if err := os.Rename(a.path, to); err != nil {
		b.tell("%s is taken, and can't be renamed: %s", ui.Printable(a.path), ui.Printable(err.Error()))
	}
}

// arrivals is what a run does with torrents that come later.
type arrivals struct {
	m   *lasting
	n   session.Flags
	o   runFlags
	new chan *shoal.Torrent
}

// add adds one, and returns when it is remembered durably.
func (a *arrivals) add(ctx context.Context, src source.Source) error {
	t, err := a.m.take(&src, a.n, a.o, a.m.away())
	if err != nil || t == nil {
		return err
	}
	if err := a.m.Engine.Save(ctx); err != nil {
		return err
	}
	a.m.added(t, src)
	select {
	case a.new <- t:
	case <-ctx.Done():
	}
	return nil
}

// untilEnd is ended of a run, with torrents that come meanwhile: the run with a folder that
// is watched ends only by a signal. again starts to show all torrents.
func (a *arrivals) untilEnd(ctx context.Context, again func()) error {
	if len(a.o.watch) == 0 {
		return ended(ctx, a.m.Out, a.m.Engine, a.m.torrents...)
	}
	b := newInbox(a.o.watch)
	b.read = func(line string) (source.Source, error) { return source.Any(ctx, line, a.n) }
	b.add, b.tell = a.add, a.m.Out.Warn
	if a.o.watchEvery > 0 {
		b.every = a.o.watchEvery
	}
	done := make(chan struct{})
	go func() { defer close(done); b.run(ctx) }()
	defer func() { <-done }()
	for {
		round, cancel := context.WithCancel(ctx)
		over := make(chan struct{})
		list := slices.Clone(a.m.torrents)
		go func() {
			defer close(over)
			if len(list) > 0 {
				_ = ended(round, a.m.Out, a.m.Engine, list...) // what failed had its warning
			}
		}()
		select {
		case t := <-a.new:
			cancel()
			<-over
			a.m.torrents = append(a.m.torrents, t)
			again()
			a.m.learned(t)
		case <-ctx.Done():
			cancel()
			<-over
			return nil
		}
	}
}
