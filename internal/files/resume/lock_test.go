package resume_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"

	"shoal/internal/crashfs"
	"shoal/internal/files/resume"
)

// A torrent is written by one process; others of the same folder are not in its way. A
// lock is let go of by hand, with the folder, or by a kill.
func TestLock(t *testing.T) {
	dir, mem := t.TempDir(), crashfs.New(nil)
	for name, open := range map[string]func() resume.FS{
		"folder": func() resume.FS {
			f, err := resume.OpenFolder(dir)
			must(t, err)
			t.Cleanup(func() { f.Close() })
			return f
		},
		"memory": func() resume.FS { return mem.Folder("state") },
	} {
		t.Run(name, func(t *testing.T) {
			first, second := open(), open()
			lock := func(f resume.FS, torrent byte) func() {
				t.Helper()
				release, err := resume.Lock(f, [20]byte{torrent})
				must(t, err)
				return release
			}
			refused := func(f resume.FS, torrent byte) {
				t.Helper()
				if _, err := resume.Lock(f, [20]byte{torrent}); !errors.Is(err, resume.ErrInUse) {
					t.Errorf("the same torrent again: %v", err)
				}
			}
			release := lock(first, 1)
			refused(second, 1)
			refused(first, 1)
			other := lock(second, 2)
			refused(first, 2)
			release()
			release()
			again := lock(second, 1)
			refused(first, 1)
			other()
			other = lock(first, 2)
			must(t, first.Close())
			if name == "memory" {
				mem.Crash(crashfs.Kill, nil)
				second = open()
				lock(second, 1)()
			} else {
				again()
			}
			lock(second, 2)()
			other()
		})
	}
}

// The lock of another process ends when that is killed.
func TestLockEndsWithTheProcess(t *testing.T) {
	const where = "SHOAL_TEST_LOCK"
	if dir := os.Getenv(where); dir != "" { // we are the other one
		f, err := resume.OpenFolder(dir)
		must(t, err)
		_, err = resume.Lock(f, [20]byte{1})
		must(t, err)
		fmt.Println("locked")
		_, _ = io.Copy(io.Discard, os.Stdin) // until the end
		return
	}
	dir := t.TempDir()
	other := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	other.Env = append(os.Environ(), where+"="+dir)
	in, err := other.StdinPipe()
	must(t, err)
	defer in.Close()
	out, err := other.StdoutPipe()
	must(t, err)
	must(t, other.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	if line != "locked\n" {
		t.Errorf("the other process says %q, %v", line, err)
	}
	f, err := resume.OpenFolder(dir)
	must(t, err)
	defer f.Close()
	if _, err := resume.Lock(f, [20]byte{1}); !errors.Is(err, resume.ErrInUse) {
		t.Errorf("while the other lives: %v", err)
	}
	must(t, other.Process.Kill())
	_ = other.Wait() // it says that it was killed
	release, err := resume.Lock(f, [20]byte{1})
	must(t, err)
	release()
}
