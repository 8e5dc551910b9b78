//go:build interop

package interop

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"path/filepath"
	"testing"
	"time"
)

// aria2 is aria2c. It ends by itself when a download is complete, unless it is
// to seed.
type aria2 struct{}

func (aria2) String() string { return "aria2" }
func (aria2) dials() bool    { return false }

func (c aria2) seed(t *testing.T, j job) peer {
	t.Helper()
	rpc := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), j.listen.Port()+20000)
	p := c.run(t, j, "--seed-ratio=0.0", "--check-integrity=true", "--bt-hash-check-seed=true",
		"--enable-rpc=true", fmt.Sprintf("--rpc-listen-port=%d", rpc.Port()))
	p.until(t, "seeding", func() bool { return aria2Seeds(rpc) })
	return p
}

func (c aria2) get(t *testing.T, j job) peer {
	t.Helper()
	return c.run(t, j, "--seed-time=0", "--allow-overwrite=true")
}

func (aria2) run(t *testing.T, j job, more ...string) aria2Peer {
	t.Helper()
	args := []string{
		"--no-conf=true", "--dir=" + j.dir, fmt.Sprintf("--listen-port=%d", j.listen.Port()),
		"--interface=" + j.listen.Addr().String(), "--disable-ipv6=true",
		"--bt-enable-lpd=false", "--enable-dht6=false", "--bt-max-peers=0", "--bt-save-metadata=false",
		"--file-allocation=none", "--summary-interval=0", "--show-console-readout=false", "--console-log-level=notice",
		fmt.Sprintf("--enable-dht=%t", j.dht), fmt.Sprintf("--dht-listen-port=%d", j.listen.Port()),
		"--dht-file-path=" + filepath.Join(t.TempDir(), "dht.dat"),
	}
	for _, n := range j.dhtNodes {
		args = append(args, "--dht-entry-point="+n.String())
	}
	p := aria2Peer{start(t, "aria2", "aria2c", append(append(args, more...), j.torrent)...)}
	p.until(t, "listening", func() bool { return listening("tcp", j.listen) })
	return p
}

type aria2Peer struct{ *process }

func (p aria2Peer) complete(t *testing.T) {
	t.Helper()
	if code := p.exit(t); code != 0 {
		t.Fatalf("aria2: exit code %d", code)
	}
}

// aria2Seeds asks by JSON-RPC whether the one download is complete and shared.
func aria2Seeds(rpc netip.AddrPort) bool {
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": "1", "method": "aria2.tellActive"})
	if err != nil {
		return false
	}
	client := http.Client{Timeout: 30 * time.Second}
	resp, err := client.Post(fmt.Sprintf("http://%s/jsonrpc", rpc), "application/json", bytes.NewReader(body))
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	var answer struct {
		Result []struct {
			Seeder string `json:"seeder"`
		} `json:"result"`
	}
	err = json.NewDecoder(resp.Body).Decode(&answer)
	return err == nil && len(answer.Result) == 1 && answer.Result[0].Seeder == "true"
}
