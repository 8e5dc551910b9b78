package ui

import (
	"strings"
	"testing"
	"time"

	"shoal"
	"shoal/internal/testkit"
)

func vtScreen(v *testkit.VT) *screen {
	return &screen{w: v, size: func() (int, int) { return v.Width, 24 }, glyphs: Blocks, Colour: ansi}
}

// Lines scroll away above the area, which is always drawn anew below them, also
// when the terminal is made narrower or wider in between.
func TestScreen(t *testing.T) {
	v := testkit.NewVT(t, 40)
	o := &Output{Now: time.Now, Out: v, Errs: v, Screen: vtScreen(v)}
	area := func(text string) {
		o.Draw(func(width, _ int, g Glyphs, c Colours) []string {
			return []string{Bar(1, 2, width, g, c), c.good + text + c.Off}
		})
	}
	expect := func(want string) {
		t.Helper()
		if got := v.String(); got != want {
			t.Errorf("the terminal shows\n%swant\n%s", got, want)
		}
	}
	full := func(n int) string { return strings.Repeat("█", n) }

	o.Say("before")
	if v.Hidden {
		t.Error("the cursor is hidden without an area")
	}
	area("one")
	expect("before\n" + full(19) + "▌\none\n")
	if !v.Hidden {
		t.Error("the cursor jumps about")
	}
	area("two")
	expect("before\n" + full(19) + "▌\ntwo\n")
	o.Say("between")
	if v.Hidden {
		t.Error("the cursor is gone while a line stands last")
	}
	area("three")
	expect("before\nbetween\n" + full(19) + "▌\nthree\n")
	v.Width = 25 // the bar now wraps
	area("four")
	expect("before\nbetween\n" + full(12) + "\nfour\n")
	v.Width = 60
	area("a text far too long for the width of this terminal, so that it must be cut")
	expect("before\nbetween\n" + full(29) + "▌\na text far too long for the width of this terminal, so that\n")
	o.Failed(&Failure{ExitFailed, shoal.ErrStopped, "do this"})
	expect("before\nbetween\nshoal: stopped\n       do this\n")
	area("five")
	o.End()
	expect("before\nbetween\nshoal: stopped\n       do this\n")
	if v.Hidden {
		t.Error("the cursor is gone after the end")
	}
	o.Say("too late")
	area("too late")
	expect("before\nbetween\nshoal: stopped\n       do this\n")
}

// A terminal is treated as its environment says.
func TestShowsUnicode(t *testing.T) {
	for _, c := range []struct {
		env  map[string]string
		want bool
	}{
		{nil, true}, // nothing is said: a container, most often, seen through a terminal of today
		{map[string]string{"LANG": "de_DE.UTF-8"}, true},
		{map[string]string{"LANG": "de_DE.UTF-8", "LC_ALL": "C"}, false},
		{map[string]string{"LANG": "C", "LC_CTYPE": "en_US.utf8"}, true},
		{map[string]string{"LANG": "POSIX"}, false},
	} {
		if got := showsUnicode(func(k string) string { return c.env[k] }); got != c.want {
			t.Errorf("%v: %v", c.env, got)
		}
	}
}
