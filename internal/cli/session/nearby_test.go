package session

import (
	"bytes"
	"net"
	"strings"
	"testing"
	"time"

	"shoal"
	"shoal/internal/cli/ui"
)

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
		n := Flags{noLSD: c.noLSD, LSD: c.lsd}
		for a := range strings.FieldsSeq(c.listen) {
			if err := n.Listen.Set(a); err != nil {
				t.Fatal(err)
			}
		}
		if got := n.Config().LSD; n.Nearby() != c.want || got != c.config {
			t.Errorf("%+v: nearby %v, LSD %v", c, n.Nearby(), got)
		}
	}
}

// Several addresses are listened on when --listen is repeated, and each is told.
func TestListenTwice(t *testing.T) {
	free, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	second := free.Addr().String()
	free.Close()
	var out, errs bytes.Buffer
	var n Flags
	n.NoDHT, n.State = true, "none"
	for _, a := range []string{"127.0.0.1:0", second} {
		if err := n.Listen.Set(a); err != nil {
			t.Fatal(err)
		}
	}
	session, err := Open(&ui.Output{JSON: true, Now: time.Now, Out: &out, Errs: &errs}, n)
	if err != nil {
		t.Fatal(err)
	}
	if err := session.Close(); err != nil {
		t.Error(err)
	}
	if got := strings.Count(out.String(), `"event":"listening"`); got != 2 || !strings.Contains(out.String(), second) {
		t.Errorf("it says %s%s", out.String(), errs.String())
	}
}
