//go:build interop

package interop

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// subjects are the programs that the cases of the field are given to, in the order of the
// page's columns.
var subjects = []string{"shoal", "libtorrent", "Transmission", "aria2"}

// An order is what one client is told to do with one torrent.
type order struct {
	source string   // torrent file, link or URL
	dir    string   // folder of the files
	wrap   []string // program that starts the client, and its arguments
	more   []string // more arguments of shoal
	state  string   // shoal's folder of state; empty: one of its own
	give   func(at netip.AddrPort)
	udp    bool          // a UDP tracker is asked: aria2 does so by the socket of its DHT
	limit  time.Duration // time for all; 0 means what most cases need
	linger bool          // do not end the client when it is complete
	until  func(p *process) bool
	tr     func(s trState) bool // in its place, of Transmission
}

// A result is what came of an order.
type result struct {
	done    bool // the client says that the torrent is complete
	stopped bool // what the order waited for has happened
	ended   bool // it ended by itself, or shows an error
	crashed bool
	code    int
	text    string // all that it printed
	p       *process
}

// take gives an order to a client and waits until it is done with it, or time is over.
func take(t *testing.T, who string, o order) result {
	t.Helper()
	at := newAddr()
	if o.state == "" {
		o.state = t.TempDir()
	}
	if o.limit == 0 {
		o.limit = 8 * time.Second
	}
	if who == "Transmission" {
		o.limit += 15 * time.Second // it looks every ten seconds at which peers have something
	}
	var p *process
	var done, failed func() bool
	switch who {
	case "shoal":
		p = o.start(t, who, slices.Concat([]string{shoal, "get", o.source, "--dir", o.dir, "--listen", at.String(), "--json", "--no-dht", "--no-lsd", "--state", o.state}, o.more))
		done = func() bool { e, _ := p.find(0, func(e event) bool { return e.is("complete") }); return e != nil }
		failed = func() bool {
			e, _ := p.find(0, func(e event) bool { return e.is("error") || e.is("stalled") })
			return e != nil
		}
	case "libtorrent":
		conf, err := json.Marshal(map[string]any{"sessions": []ltSession{ltSessionOf(job{torrent: o.source, dir: o.dir, listen: at}, 0)}})
		if err != nil {
			t.Fatal(err)
		}
		p = o.start(t, who, []string{python, "ltclient.py", "run", string(conf)})
		done = func() bool { e, _ := p.find(0, func(e event) bool { return e.is("complete") }); return e != nil }
		failed = func() bool { e, _ := p.find(0, func(e event) bool { return e.is("error") }); return e != nil }
	case "Transmission":
		c := o.transmission(t, at)
		p, done, failed = c.process, func() bool { return c.state().complete() }, func() bool { return c.refused || c.state().Error != 0 }
		if o.tr != nil {
			o.until = func(*process) bool { return o.tr(c.state()) }
		}
	case "aria2":
		more := []string{"--seed-time=0", "--check-integrity=true"}
		if o.udp {
			more = append(more, "--enable-dht=true", fmt.Sprintf("--dht-listen-port=%d", at.Port()))
		}
		p = o.start(t, who, slices.Concat(aria2Command(t, o.dir, at), more, []string{o.source}))
		done = func() bool { return p.over() && p.cmd.ProcessState.ExitCode() == 0 }
		failed = p.over
	}
	if o.give != nil {
		o.give(at)
	}
	r := result{p: p}
	within(o.limit, func() bool {
		r.done, r.stopped = done(), o.until != nil && o.until(p)
		return r.done && (!o.linger || o.until == nil) || r.stopped || p.over() || failed() && o.until == nil
	})
	r.done = done()
	r.ended = p.over() || failed()
	r.text = p.text()
	switch {
	case o.linger:
	case r.done && who == "shoal": // it ends by itself
		within(5*time.Second, p.over)
		p.stop()
	case who != "shoal" && who != "aria2": // nothing that is asked afterwards is in how they end
		p.cmd.Process.Kill()
		<-p.done
	default:
		p.stop()
	}
	if p.over() {
		r.code = p.cmd.ProcessState.ExitCode()
		w, _ := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
		r.crashed = w.Signaled() && w.Signal() != syscall.SIGKILL && w.Signal() != syscall.SIGTERM
		r.text = p.text()
		for _, bad := range []string{"panic:", "fatal error:", "DATA RACE"} {
			r.crashed = r.crashed || strings.Contains(r.text, bad)
		}
	}
	if *fieldShow {
		t.Logf("%s\n%s", strings.Join(p.cmd.Args, " "), p.tail())
	}
	return r
}

func (o order) start(t *testing.T, name string, command []string) *process {
	t.Helper()
	command = slices.Concat(o.wrap, command)
	return start(t, name, command[0], command[1:]...)
}

// within waits for a condition for no more than so long, and reports whether it holds.
func within(limit time.Duration, holds func() bool) bool {
	for end := time.Now().Add(limit); ; time.Sleep(25 * time.Millisecond) {
		if holds() {
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}

func aria2Command(t *testing.T, dir string, at netip.AddrPort) []string {
	return []string{
		"aria2c", "--no-conf=true", "--dir=" + dir, fmt.Sprintf("--listen-port=%d", at.Port()),
		"--interface=" + at.Addr().String(), "--disable-ipv6=true", "--bt-enable-lpd=false",
		"--enable-dht=false", "--enable-dht6=false", "--bt-max-peers=0", "--summary-interval=0",
		"--show-console-readout=false", "--console-log-level=notice", "--file-allocation=none",
		"--dht-file-path=" + filepath.Join(t.TempDir(), "dht.dat"),
	}
}

// trSettings are the settings of transmission-daemon as it comes, but for what would leave
// the machine or make it wait.
func trSettings(at, rpc netip.AddrPort, dir string) map[string]any {
	return map[string]any{
		"rpc-enabled": true, "rpc-bind-address": rpc.Addr().String(), "rpc-port": rpc.Port(),
		"rpc-whitelist-enabled": false, "rpc-host-whitelist-enabled": false, "rpc-authentication-required": false,
		"bind-address-ipv4": at.Addr().String(), "peer-port": at.Port(),
		"peer-port-random-on-start": false, "port-forwarding-enabled": false,
		"dht-enabled": false, "lpd-enabled": false, "utp-enabled": false,
		"encryption": 0, "download-dir": dir, "download-queue-enabled": false, "queue-stalled-enabled": false,
		"message-level": 2,
	}
}

// A trField is transmission-daemon with one torrent.
type trField struct {
	*transmissionPeer
	refused bool // it did not take the torrent
	hash    string
}

func (o order) transmission(t *testing.T, at netip.AddrPort) *trField {
	t.Helper()
	conf := t.TempDir()
	rpc := netip.AddrPortFrom(at.Addr(), at.Port()+20000)
	text, err := json.Marshal(trSettings(at, rpc, o.dir))
	if err == nil {
		err = os.WriteFile(filepath.Join(conf, "settings.json"), text, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	c := &trField{transmissionPeer: &transmissionPeer{url: fmt.Sprintf("http://%s/transmission/rpc", rpc)}}
	c.process = o.start(t, "Transmission", []string{"transmission-daemon", "--foreground", "--config-dir", conf})
	within(10*time.Second, func() bool { return c.over() || c.call("session-get", nil, nil) == nil })
	var added struct {
		Torrent struct {
			Hash string `json:"hashString"`
		} `json:"torrent-added"`
	}
	err = c.call("torrent-add", map[string]any{"filename": o.source}, &added)
	c.refused, c.hash = err != nil || added.Torrent.Hash == "", added.Torrent.Hash
	return c
}

// A trState is what Transmission says of its torrent.
type trState struct {
	HaveValid int64  `json:"haveValid"`
	Size      int64  `json:"sizeWhenDone"`
	Status    int    `json:"status"`
	Error     int    `json:"error"`
	ErrorText string `json:"errorString"`
	Rate      int64  `json:"rateDownload"`
	ETA       int64  `json:"eta"`
	Trackers  []struct {
		Announced bool   `json:"hasAnnounced"`
		Succeeded bool   `json:"lastAnnounceSucceeded"`
		Result    string `json:"lastAnnounceResult"`
		Peers     int    `json:"lastAnnouncePeerCount"`
		Next      int64  `json:"nextAnnounceTime"`
	} `json:"trackerStats"`
}

func (s trState) complete() bool { return s.Size > 0 && s.HaveValid == s.Size && s.Status == 6 }

func (c *trField) state() trState {
	var got struct {
		Torrents []trState `json:"torrents"`
	}
	fields := []string{"haveValid", "sizeWhenDone", "status", "error", "errorString", "trackerStats", "rateDownload", "eta"}
	if c.over() || c.call("torrent-get", map[string]any{"fields": fields}, &got) != nil || len(got.Torrents) != 1 {
		return trState{}
	}
	return got.Torrents[0]
}
