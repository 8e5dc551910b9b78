package infohash

import (
	"encoding/json"
	"strings"
	"testing"
)

// The SHA-1 and SHA-256 of "abc", from FIPS 180.
const (
	abc1 = "a9993e364706816aba3e25717850c26c9cd0d89d"
	abc2 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
)

func TestHash(t *testing.T) {
	h, h2 := Of([]byte("abc")), OfV2([]byte("abc"))
	if h.String() != abc1 || h2.String() != abc2 {
		t.Errorf("hashes %v and %v", h, h2)
	}
	if p, err := ParseHex(strings.ToUpper(abc1)); p != h || err != nil {
		t.Errorf("parsed %v, %v", p, err)
	}
	if p, err := ParseHexV2(abc2); p != h2 || err != nil {
		t.Errorf("parsed %v, %v", p, err)
	}
	if h.IsZero() || h2.IsZero() || !(Hash{}).IsZero() || !(HashV2{}).IsZero() {
		t.Error("only the zero value is zero")
	}
}

func TestParseHexRefuses(t *testing.T) {
	for _, s := range []string{"", abc1[:39], abc1 + "0", abc1[:38] + "zz", abc2} {
		if h, err := ParseHex(s); err == nil || !h.IsZero() {
			t.Errorf("%q: %v, %v", s, h, err)
		}
	}
	for _, s := range []string{"", abc1, abc2[:63] + "g"} {
		if h, err := ParseHexV2(s); err == nil || !h.IsZero() {
			t.Errorf("%q: %v, %v", s, h, err)
		}
	}
}

func TestJSON(t *testing.T) {
	h := Of([]byte("abc"))
	out, err := json.Marshal(map[string]any{"hash": h})
	if err != nil || string(out) != `{"hash":"`+abc1+`"}` {
		t.Errorf("%s, %v", out, err)
	}
	var back struct{ Hash Hash }
	if err := json.Unmarshal(out, &back); err != nil || back.Hash != h {
		t.Errorf("back %v, %v", back.Hash, err)
	}
	if err := json.Unmarshal([]byte(`{"hash":"abc"}`), &back); err == nil || back.Hash != h {
		t.Errorf("a bad hash gives %v, %v", back.Hash, err)
	}
}
