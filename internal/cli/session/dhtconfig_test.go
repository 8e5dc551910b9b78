package session

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/spf13/cobra"

	"shoal"
)

// What the flags mean for the DHT: where its table is kept, and whether public
// nodes may be asked.
func TestDHTConfig(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", cache)
	t.Setenv("HOME", cache)         // macOS
	t.Setenv("LocalAppData", cache) // Windows
	t.Setenv("XDG_STATE_HOME", cache)
	state, err := defaultStateDir()
	if err != nil {
		t.Fatal(err)
	}
	own := fmt.Sprintf("dht-%d.dat", shoal.OwnPort(state))
	for _, c := range []struct {
		flags  []string
		file   string
		public bool
	}{
		{nil, own, true},
		{[]string{"--state", "none"}, "", true}, // its port is another one each time
		{[]string{"--listen", "0.0.0.0:6881"}, "dht-6881.dat", true},
		{[]string{"--listen", ":7000"}, "dht-7000.dat", true},
		{[]string{"--listen", "[::]:0"}, "", true},
		{[]string{"--dht-node", "192.0.2.1:6881"}, own, false},
		{[]string{"--no-dht"}, "", false},
		{[]string{"--listen", "127.0.0.1:6881"}, "", false},
		{[]string{"--listen", "[::1]:0"}, "", false},
		{[]string{"--listen", "[::ffff:127.0.0.1]:6881"}, "", false},
	} {
		var n Flags
		cmd := &cobra.Command{}
		n.Add(cmd)
		if err := cmd.ParseFlags(c.flags); err != nil {
			t.Fatal(err)
		}
		file, public := n.stateFile(), n.Config().DHT.PublicNodes
		if file != "" {
			file = filepath.Base(file)
		}
		if file != c.file || public != c.public {
			t.Errorf("%v: table %q, public nodes %v; want %q, %v", c.flags, file, public, c.file, c.public)
		}
	}
}
