package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shoal/internal/cli/ui"
)

// bigTorrent writes a torrent of 195 TiB, which no disk of a test has room for.
func bigTorrent(t *testing.T) string {
	t.Helper()
	const pieces, length = 400_000, 512 << 20
	var b bytes.Buffer
	fmt.Fprintf(&b, "d4:infod6:lengthi%de4:name7:big.bin12:piece lengthi%de6:pieces%d:", int64(pieces)*length, length, pieces*20)
	b.Write(make([]byte, pieces*20))
	b.WriteString("ee")
	name := filepath.Join(t.TempDir(), "big.torrent")
	if err := os.WriteFile(name, b.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
	return name
}

// A disk that is too small ends get before anything is made, with both sizes and the ways out;
// --ignore-free-space begins, and tells it.
func TestGetOnATooSmallDisk(t *testing.T) {
	torrent, dir := bigTorrent(t), filepath.Join(t.TempDir(), "downloads")
	args := []string{"get", torrent, "--dir", dir, "--no-dht", "--no-lsd", "--listen", "127.0.0.1:0"}
	r := start(t, args...)
	r.finish(ui.ExitNoSpace, "error")
	last := r.text()
	for _, word := range []string{"195.3 TiB are needed", "are free", "--skip", "--only", "--dir", "--ignore-free-space", `"code":"no-space"`} {
		if !strings.Contains(last, word) {
			t.Errorf("%q is not in:\n%s", word, last)
		}
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("the folder was made for nothing, and stays")
	}
	r = start(t, append(args, "--ignore-free-space")...)
	e := r.await("space", nil)
	if e["need"] != float64(400_000*512<<20) || e["free"].(float64) <= 0 || e["others"] != float64(0) || e["dir"] != dir {
		t.Errorf("told: %v", e)
	}
	r.await("progress", func(e map[string]any) bool { return e["short"] != nil })
	r.signals <- os.Interrupt
	r.finish(ui.ExitInterrupted, "error")
}
