package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"shoal"
)

// Several addresses are listened on when --listen is repeated, and each is told.
func TestListenTwice(t *testing.T) {
	free, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	second := free.Addr().String()
	free.Close()
	var out, errs bytes.Buffer
	e := env{stdout: &out, stderr: &errs, getenv: os.Getenv, now: time.Now}
	runWith(context.Background(), []string{"--json"}, e, func(_ context.Context, _ []string, out *output, _ env) error {
		n := netFlags{noDHT: true, state: "none"}
		for _, a := range []string{"127.0.0.1:0", second} {
			if err := n.listen.Set(a); err != nil {
				return err
			}
		}
		s, err := openSession(out, n)
		if err != nil {
			return err
		}
		return s.close()
	})
	if got := strings.Count(out.String(), `"event":"listening"`); got != 2 || !strings.Contains(out.String(), second) {
		t.Errorf("it says %s%s", out.String(), errs.String())
	}
}

// What the flags say of the local network.
func TestNearby(t *testing.T) {
	for _, c := range []struct {
		listen     string
		noLSD, lsd bool
		want       bool
		config     shoal.LSD
	}{
		{"", false, false, true, shoal.LSDAuto},
		{"", true, false, false, shoal.LSDNever},
		{"127.0.0.1:0", false, false, false, shoal.LSDAuto},
		{"127.0.0.1:0 [::1]:0", false, false, false, shoal.LSDAuto},
		{"127.0.0.1:0 0.0.0.0:0", false, false, true, shoal.LSDAuto},
		{"127.0.0.1:0", false, true, true, shoal.LSDAlways},
	} {
		n := netFlags{noLSD: c.noLSD, lsd: c.lsd}
		for a := range strings.FieldsSeq(c.listen) {
			if err := n.listen.Set(a); err != nil {
				t.Fatal(err)
			}
		}
		if got := n.config().LSD; n.nearby() != c.want || got != c.config {
			t.Errorf("%+v: nearby %v, LSD %v", c, n.nearby(), got)
		}
	}
}

// Our own address is told once it is known, as the documents say.
func TestExternalIsTold(t *testing.T) {
	for _, known := range [][]netip.Addr{nil, {netip.MustParseAddr("203.0.113.7"), netip.MustParseAddr("2001:db8::7")}} {
		b, err := json.Marshal(progressOf(shoal.Stats{External: known}))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(string(b), `"external":["203.0.113.7","2001:db8::7"]`); got != (known != nil) {
			t.Errorf("%v: %s", known, b)
		}
	}
}
