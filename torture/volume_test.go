//go:build torture

package torture

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A volume that is too small, by a little or a lot: the download waits and says why,
// keeps what it has, and goes on by itself when there is room.
func TestNoSpace(t *testing.T) {
	p := makePayload(t, "256KiB", 20<<20, 12<<20+5)
	source := addr(t)
	run(t, "seed", p.torrent, "--dir", p.dir, "--listen", source, "--state", "none").await("up", nil)
	for _, kib := range []int{64, 1000, 5000, 12_345, 20_480, 27_000, 32_000, 32_760} {
		t.Run(fmt.Sprintf("%d KiB", kib), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			mount(t, "-t", "tmpfs", "-o", fmt.Sprintf("size=%dk", kib), "tmpfs", dir)
			defer unmount(t, "-l", dir)
			get := run(t, "get", p.torrent, "--dir", dir, "--state", t.TempDir(), "--listen", addr(t), "--peer", source, "--ignore-free-space")
			stalled := get.await("stalled", nil)
			if text := stalled["text"].(string); stalled["state"] != "stalled" || !strings.Contains(text, "no space left") {
				t.Errorf("stalled: %v", stalled)
			}
			time.Sleep(7 * time.Second) // it tries again meanwhile, in vain
			before := number(get.find("progress"), "have")
			mount(t, "-o", "remount,size=40m", dir)
			get.await("resumed", nil)
			done := get.await("complete", nil)
			<-get.done
			p.whole(t, dir)
			if extra := number(done, "downloaded") - p.meta.Info.Length; extra > 24<<20 {
				t.Errorf("%d bytes came twice", extra)
			} else {
				t.Logf("%d pieces were had when it was full; %.1f MiB came twice", before, float64(extra)/(1<<20))
			}
		})
	}
}

// A volume that is too small is told before the first byte, with both sizes and the ways out;
// run begins all the same, and tells it. Where the volume takes no more files the words are about
// that.
func TestTooSmall(t *testing.T) {
	p := makePayload(t, "256KiB", 20<<20, 12<<20+5, 1000)
	source := addr(t)
	run(t, "seed", p.torrent, "--dir", p.dir, "--listen", source, "--state", "none").await("up", nil)
	volume := func(options string) string {
		dir := t.TempDir()
		mount(t, "-t", "tmpfs", "-o", options, "tmpfs", dir)
		t.Cleanup(func() { unmount(t, "-l", dir) })
		return dir
	}
	get := func(dir string, more ...string) *process {
		return run(t, append([]string{"get", p.torrent, "--dir", dir, "--state", t.TempDir(), "--listen", addr(t), "--peer", source}, more...)...)
	}
	refused := func(dir string, words ...string) {
		t.Helper()
		e := get(dir).await("error", nil)
		text := fmt.Sprint(e["message"], " ", e["hint"])
		for _, word := range words {
			if !strings.Contains(text, word) {
				t.Errorf("not in it: %q: %s", word, text)
			}
		}
		if e["exit"] != float64(9) || e["code"] != "no-space" {
			t.Errorf("%v", e)
		}
		if list, _ := os.ReadDir(dir); len(list) > 0 {
			t.Errorf("made all the same: %v", list)
		}
	}
	small := volume("size=1m")
	refused(small, "32.0 MiB are needed", "1.0 MiB are free", "--skip", "--only", "--dir", "--ignore-free-space")
	files := volume("size=60m,nr_inodes=4")
	refused(files, "4 new files and folders are needed", "takes only 3 more", "df -i")

	told := run(t, "run", p.torrent, "--dir", small, "--state", t.TempDir(), "--listen", addr(t), "--peer", source)
	space := told.await("space", nil)
	if number(space, "need") != p.meta.Info.Length || number(space, "free") != 1<<20 || number(space, "others") != 0 || space["dir"] != small {
		t.Errorf("told: %v", space)
	}
	told.await("progress", func(e map[string]any) bool { return e["short"] != nil })
	mount(t, "-o", "remount,size=60m", small)
	told.await("finished", nil)

	// It begins, and meets the bound on files.
	stalled := get(files, "--ignore-free-space").await("stalled", nil)
	if text := stalled["text"].(string); !strings.Contains(text, "df -i") || strings.Contains(text, "free some space") {
		t.Errorf("stalled: %s", text)
	}
}

// The folder of state is full while there is room for the files: nothing is written
// that could not be noted, the reason is told, and it goes on.
func TestNoSpaceForState(t *testing.T) {
	p := makePayload(t, "256KiB", 20<<20)
	source := addr(t)
	run(t, "seed", p.torrent, "--dir", p.dir, "--listen", source, "--state", "none").await("up", nil)
	dir, state := t.TempDir(), t.TempDir()
	mount(t, "-t", "tmpfs", "-o", "size=64k", "tmpfs", state)
	defer unmount(t, "-l", state)
	must(t, os.WriteFile(filepath.Join(state, "ballast"), make([]byte, 64<<10), 0o666))
	get := run(t, "get", p.torrent, "--dir", dir, "--state", state, "--listen", addr(t), "--peer", source)
	stalled := get.await("stalled", nil)
	if !strings.Contains(stalled["text"].(string), "no space left") {
		t.Errorf("stalled: %v", stalled)
	}
	must(t, os.Remove(filepath.Join(state, "ballast")))
	get.await("complete", nil)
	<-get.done
	p.whole(t, dir)
}

// A volume that is mounted read-only, and made writable later.
func TestReadOnly(t *testing.T) {
	p := makePayload(t, "256KiB", 20<<20)
	source := addr(t)
	run(t, "seed", p.torrent, "--dir", p.dir, "--listen", source, "--state", "none").await("up", nil)
	dir := t.TempDir()
	mount(t, "-t", "tmpfs", "-o", "ro,size=40m", "tmpfs", dir)
	defer unmount(t, "-l", dir)
	get := run(t, "get", p.torrent, "--dir", dir, "--state", t.TempDir(), "--listen", addr(t), "--peer", source)
	stalled := get.await("stalled", nil)
	if !strings.Contains(stalled["text"].(string), "read-only") {
		t.Errorf("stalled: %v", stalled)
	}
	mount(t, "-o", "remount,rw", dir)
	get.await("complete", nil)
	<-get.done
	p.whole(t, dir)
}

// A volume that vanishes under a download, which waits on an empty mount point and
// writes nothing into it; and that comes back.
func TestVolumeVanishes(t *testing.T) {
	p := makePayload(t, "256KiB", 24<<20)
	source, later := addr(t), addr(t)
	dir, volume, state := t.TempDir(), t.TempDir(), t.TempDir()
	mount(t, "-t", "tmpfs", "-o", "size=60m", "tmpfs", volume)
	defer unmount(t, "-l", volume)
	mount(t, "--bind", volume, dir)
	mounted := true
	defer func() {
		if mounted {
			unmount(t, "-l", dir)
		}
	}()

	// A seed of the first half alone leaves the download in the middle.
	half := t.TempDir()
	must(t, os.CopyFS(half, os.DirFS(filepath.Join(p.dir))))
	file := filepath.Join(half, "payload", "file 0")
	b, err := os.ReadFile(file)
	must(t, err)
	clear(b[len(b)/2:])
	must(t, os.WriteFile(file, b, 0o666))
	run(t, "seed", p.torrent, "--dir", half, "--listen", source, "--state", "none").await("up", nil)
	get := run(t, "get", p.torrent, "--dir", dir, "--state", state, "--listen", addr(t), "--peer", source, "--peer", later)
	get.await("progress", func(e map[string]any) bool { return number(e, "have") >= number(e, "pieces")/2 })

	unmount(t, "-l", dir)
	mounted = false
	stalled := get.await("stalled", nil)
	if stalled["state"] != "missing" {
		t.Errorf("stalled: %v", stalled)
	}
	run(t, "seed", p.torrent, "--dir", p.dir, "--listen", later, "--state", "none").await("up", nil)
	time.Sleep(7 * time.Second)
	if list, _ := os.ReadDir(dir); len(list) > 0 {
		t.Errorf("made in an empty mount point: %v", list)
	}
	mount(t, "--bind", volume, dir)
	mounted = true
	get.await("resumed", nil)
	done := get.await("complete", nil)
	<-get.done
	p.whole(t, dir)
	if extra := number(done, "downloaded") - p.meta.Info.Length; extra > twice {
		t.Errorf("%d bytes came twice", extra)
	}

	// And at a start: the volume is not there, then it is.
	unmount(t, "-l", dir)
	mounted = false
	get = run(t, "get", p.torrent, "--dir", dir, "--state", state, "--listen", addr(t))
	if e := get.await("error", nil); !strings.Contains(e["hint"].(string), "--anew") {
		t.Errorf("at a start: %v", e)
	}
	if list, _ := os.ReadDir(dir); len(list) > 0 {
		t.Errorf("made in an empty mount point: %v", list)
	}
	mount(t, "--bind", volume, dir)
	mounted = true
	get = run(t, "get", p.torrent, "--dir", dir, "--state", state, "--listen", addr(t))
	if e := get.await("checked", nil); number(e, "hashed") != 0 || number(e, "have") != number(e, "pieces") {
		t.Errorf("when it is back: %v", e)
	}
}
