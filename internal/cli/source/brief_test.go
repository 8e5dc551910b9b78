package source

import (
	"strings"
	"testing"
)

// A source that is cut shows no part of a passkey: it is hidden first.
func TestBriefHidesKeys(t *testing.T) {
	const key = "5ec2e7a0b1c2d3e4f5a6b7c8d9e0f1a2"
	leaks := func(what, text string) {
		t.Helper()
		for i := 0; i+6 <= len(key); i++ {
			if strings.Contains(text, key[i:i+6]) {
				t.Errorf("%s shows a part of the key: %q", what, text)
				return
			}
		}
	}
	for _, u := range []string{
		"http://t.example/announce?passkey=" + key, "http://t.example/" + key + "/announce", "http://me:" + key + "@t.example/announce",
		"//t.example/" + key, "http%253A%252F%252Ft.example%252F" + key + "%252Fannounce",
	} {
		leaks("brief", Brief(strings.Repeat("x", 40)+" "+u))
		leaks("brief", Brief(u))
	}
}
