//go:build interop

package interop

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// transmission is transmission-daemon, driven by its RPC. It refuses loopback
// addresses that it learns from trackers, peers and the DHT, so here it is
// always the one that is connected to.
type transmission struct{}

func (transmission) String() string { return "transmission" }
func (transmission) dials() bool    { return false }

func (c transmission) seed(t *testing.T, j job) peer {
	t.Helper()
	p := c.get(t, j)
	p.complete(t)
	return p
}

func (transmission) get(t *testing.T, j job) peer {
	t.Helper()
	conf := t.TempDir()
	rpc := netip.AddrPortFrom(j.listen.Addr(), j.listen.Port()+20000)
	settings := map[string]any{
		"rpc-enabled": true, "rpc-bind-address": rpc.Addr().String(), "rpc-port": rpc.Port(),
		"rpc-whitelist-enabled": false, "rpc-host-whitelist-enabled": false, "rpc-authentication-required": false,
		"bind-address-ipv4": j.listen.Addr().String(), "peer-port": j.listen.Port(),
		"peer-port-random-on-start": false, "port-forwarding-enabled": false,
		"dht-enabled": false, "lpd-enabled": false, "utp-enabled": false, "pex-enabled": true,
		"encryption": 0, "blocklist-enabled": false, "download-dir": j.dir, "incomplete-dir-enabled": false,
		"rename-partial-files": false, "download-queue-enabled": false, "queue-stalled-enabled": false,
		"ratio-limit-enabled": false, "message-level": 2,
	}
	text, err := json.Marshal(settings)
	if err == nil {
		err = os.WriteFile(filepath.Join(conf, "settings.json"), text, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	p := &transmissionPeer{
		process: start(t, "transmission", "transmission-daemon", "--foreground", "--config-dir", conf),
		url:     fmt.Sprintf("http://%s/transmission/rpc", rpc),
	}
	p.until(t, "its RPC answers", func() bool { return p.call("session-get", nil, nil) == nil })
	if err := p.call("torrent-add", map[string]any{"filename": j.torrent}, nil); err != nil {
		t.Fatal(err)
	}
	p.until(t, "listening", func() bool { return listening("tcp", j.listen) })
	return p
}

type transmissionPeer struct {
	*process
	url   string
	token string
}

// complete waits until all that is wanted is there and verified.
func (p *transmissionPeer) complete(t *testing.T) {
	t.Helper()
	p.until(t, "complete", func() bool {
		var got struct {
			Torrents []struct {
				HaveValid int64 `json:"haveValid"`
				Size      int64 `json:"sizeWhenDone"`
				Status    int   `json:"status"`
			} `json:"torrents"`
		}
		err := p.call("torrent-get", map[string]any{"fields": []string{"haveValid", "sizeWhenDone", "status"}}, &got)
		if err != nil || len(got.Torrents) != 1 {
			return false
		}
		const seeding = 6
		x := got.Torrents[0]
		return x.Size > 0 && x.HaveValid == x.Size && x.Status == seeding
	})
}

// call makes one RPC call; the session id that guards it comes with the first
// refusal.
func (p *transmissionPeer) call(method string, args any, result any) error {
	body, err := json.Marshal(map[string]any{"method": method, "arguments": args})
	if err != nil {
		return err
	}
	client := http.Client{Timeout: 30 * time.Second}
	for range 2 {
		req, err := http.NewRequest(http.MethodPost, p.url, bytes.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("X-Transmission-Session-Id", p.token)
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode == http.StatusConflict {
			p.token = resp.Header.Get("X-Transmission-Session-Id")
			continue
		}
		answer := struct {
			Result    string          `json:"result"`
			Arguments json.RawMessage `json:"arguments"`
		}{}
		if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
			return err
		}
		if answer.Result != "success" {
			return fmt.Errorf("transmission: %s: %s", method, answer.Result)
		}
		if result == nil {
			return nil
		}
		return json.Unmarshal(answer.Arguments, result)
	}
	return fmt.Errorf("transmission: %s: refused twice", method)
}

// create has Transmission make a torrent of the payload.
func (transmission) create(t *testing.T, p *payload, out string, pieceKiB int) {
	t.Helper()
	output(t, "transmission-create", "--outfile", out, "--piecesize", fmt.Sprint(pieceKiB), p.path())
}
