package source

import (
	"os"
	"path/filepath"
	"testing"
)

// Sources have the name that their .torrent file had where it came from.
func TestSourceFileName(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "movies (1).torrent")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for from, want := range map[string]string{
		file:                               "movies (1).torrent",
		"file://" + dir + "/a%20b.torrent": "a b.torrent",
		"https://example.org/x/a%20b.torrent?id=1": "a b.torrent",
		"https://example.org/":                     "/", // no name of a folder: it finds nothing
		"-":                                        "",
		"magnet:?xt=urn:btih:b257af45fbc9f52d0e728490f2c2da9e4f66647e": "",
		"b257af45fbc9f52d0e728490f2c2da9e4f66647e":                     "",
	} {
		if got := (Source{Path: from}).FileName(); got != want {
			t.Errorf("%s: %q, want %q", from, got, want)
		}
	}
}
