package resume_test

import (
	"errors"
	"testing"

	"shoal/internal/resume"
)

// A torrent is written by one process; others of the same folder are not in its way.
func TestLock(t *testing.T) {
	dir := t.TempDir()
	first, err := resume.OpenFolder(dir)
	must(t, err)
	defer first.Close()
	second, err := resume.OpenFolder(dir)
	must(t, err)
	defer second.Close()
	release, err := resume.Lock(first, [20]byte{1})
	must(t, err)
	if _, err := resume.Lock(second, [20]byte{1}); !errors.Is(err, resume.ErrInUse) {
		t.Errorf("the same torrent again: %v", err)
	}
	other, err := resume.Lock(second, [20]byte{2})
	must(t, err)
	other()
	release()
	release, err = resume.Lock(second, [20]byte{1})
	must(t, err)
	release()
}
