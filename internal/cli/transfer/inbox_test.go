package transfer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"shoal/internal/cli/source"
)

// Files are taken when they are whole: once, in any order, told once when they can't be used.
func TestInbox(t *testing.T) {
	torrent, err := os.ReadFile("../../../cmd/shoal/testdata/torrents/v1-multi.torrent")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	put := func(name string, b []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	there := func(name string) bool { _, err := os.Lstat(filepath.Join(dir, name)); return err == nil }
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var added, told []string
		refuse := errors.New("no room")
		b := newInbox([]string{dir, filepath.Join(dir, "gone")})
		b.read = func(line string) (source.Source, error) {
			if !strings.HasPrefix(line, "magnet:") {
				return source.Source{}, fmt.Errorf("%q is not a link", line)
			}
			return source.Source{Path: line}, nil
		}
		b.add = func(_ context.Context, src source.Source) error {
			mu.Lock()
			defer mu.Unlock()
			added = append(added, filepath.Base(src.Path))
			if strings.Contains(src.Path, "refused") {
				return refuse
			}
			return nil
		}
		b.tell = func(format string, a ...any) { told = append(told, fmt.Sprintf(format, a...)) }
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); b.run(ctx) }()
		look := func(n int) {
			for range n {
				time.Sleep(watchEvery)
				synctest.Wait()
			}
		}
		look(1)
		put("half.torrent", torrent[:40])
		put(".hidden.torrent", torrent)
		put("notes.txt", torrent)
		if err := os.Mkdir(filepath.Join(dir, "folder.torrent"), 0o700); err != nil {
			t.Fatal(err)
		}
		put("links.magnet", []byte("# mine\r\nmagnet:?a\r\n\r\n magnet:?b \n"))
		look(1)
		put("half.torrent", torrent[:80]) // it grows
		look(3)
		put("half.torrent", torrent)
		look(4)
		if got := strings.Join(added, " "); got != "magnet:?a magnet:?b half.torrent" {
			t.Errorf("added %s", got)
		}
		if !there("half.torrent.added") || !there("links.magnet.added") || there("half.torrent") || len(told) != 1 || !strings.Contains(told[0], "gone") {
			t.Errorf("told %q", told)
		}
		// The same name again; what can't be used; what is refused.
		put("half.torrent", torrent)
		put("bad.torrent", []byte("<html>"))
		put("bad.magnet", []byte("magnet:?x\nhello\n"))
		put("empty.magnet", nil)
		put("refused.torrent", torrent)
		look(15)
		if !there("half.torrent.added-2") || !there("bad.torrent") || !there("refused.torrent") {
			t.Error("names are not as they should be")
		}
		if len(told) != 5 {
			t.Errorf("told %q", told)
		}
		put("bad.torrent", torrent) // put right
		look(4)
		if !there("bad.torrent.added") || len(told) != 5 {
			t.Errorf("put right: told %q", told)
		}
		cancel()
		<-done
	})
}

// A slow web server holds up neither the look at the folder nor other files, and not the end;
// not more are asked at once than the bound says.
func TestInboxSlowURLs(t *testing.T) {
	torrent, err := os.ReadFile("../../../cmd/shoal/testdata/torrents/v1-multi.torrent")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var mu sync.Mutex
		asking, most, added := 0, 0, 0
		b := newInbox([]string{dir})
		b.read = func(string) (source.Source, error) {
			mu.Lock()
			asking++
			most = max(most, asking)
			mu.Unlock()
			<-ctx.Done()
			return source.Source{}, ctx.Err()
		}
		b.add = func(context.Context, source.Source) error {
			mu.Lock()
			defer mu.Unlock()
			added++
			return nil
		}
		b.tell = func(format string, a ...any) { t.Errorf(format, a...) }
		for i := range 3 * readAtOnce {
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("a%d.magnet", i)), []byte("http://slow.example/x.torrent"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		done := make(chan struct{})
		go func() { defer close(done); b.run(ctx) }()
		time.Sleep(10 * watchEvery)
		for i := range 3 * readAtOnce {
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("b%d.torrent", i)), torrent, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(3 * watchEvery)
		synctest.Wait()
		mu.Lock()
		if added != 3*readAtOnce || most != readAtOnce {
			t.Errorf("%d of %d added, %d asked at once", added, 3*readAtOnce, most)
		}
		mu.Unlock()
		cancel()
		<-done
	})
}
