package magnet

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"shoal/internal/testkit"
)

func TestVectors(t *testing.T) {
	var file struct {
		Vectors []struct {
			ID, URI  string
			Valid    bool
			Expected struct {
				V1, V2   string
				Trackers []string
				Seeds    []string `json:"web_seeds"`
				Peers    []string
				Select   any `json:"select_only"`
			}
		}
	}
	testkit.Vectors(t, "magnet.json", &file)
	for _, v := range file.Vectors {
		l, err := Parse(v.URI)
		if !v.Valid {
			if err == nil {
				t.Errorf("%s: read as %+v", v.ID, l)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", v.ID, err)
			continue
		}
		e := v.Expected
		if got := l.V1.String(); e.V1 != "" && got != e.V1 || e.V1 == "" && !l.V1.IsZero() {
			t.Errorf("%s: v1 %s", v.ID, got)
		}
		if got := l.V2.String(); e.V2 != "" && got != e.V2 || e.V2 == "" && !l.V2.IsZero() {
			t.Errorf("%s: v2 %s", v.ID, got)
		}
		if e.Trackers != nil && !slices.Equal(l.Trackers, e.Trackers) || e.Peers != nil && !slices.Equal(l.Peers, e.Peers) ||
			e.Seeds != nil && !slices.Equal(l.WebSeeds, e.Seeds) {
			t.Errorf("%s: %+v", v.ID, l)
		}
		var files []any
		for i := range 20 {
			if len(l.Select) > 0 && l.Selects(i) {
				files = append(files, float64(i))
			}
		}
		if list, ok := e.Select.([]any); ok && !slices.Equal(files, list) {
			t.Errorf("%s: files %v", v.ID, files)
		}
		if v.ID == "full" && l.Name != "Some Name x" || v.ID == "amp-entity" && (l.Name != "a" || len(l.Trackers) != 1) {
			t.Errorf("%s: %+v", v.ID, l)
		}
	}
}

const hash = "b257af45fbc9f52d0e728490f2c2da9e4f66647e"

// What is wrong with a hint costs the hint.
func TestOddLinks(t *testing.T) {
	for _, c := range []struct {
		params string
		want   Link
	}{
		{"xl=12345", Link{Length: 12345}},
		{"xl=-1&xl=x", Link{}},
		{"tr.1=http://a/x&tr.2=http://a/x&tr=", Link{Trackers: []string{"http://a/x"}}},
		{"tr=a%0ab&ws=http://w/%20", Link{WebSeeds: []string{"http://w/"}}},
		{"tr=http://a/p+q", Link{Trackers: []string{"http://a/p+q"}}},
		{"dn=100%&DN=a%2Bb+c", Link{Name: "a+b c"}},
		{"so=0,2,4,6-8", Link{Select: []Range{{0, 0}, {2, 2}, {4, 4}, {6, 8}}}},
		{"so=0,x,5-2,99999999999,1-999999999,-3,", Link{Select: []Range{{0, 0}}}},
		{"x.pe=192.0.2.1:6881&x.pe=[2001:db8::1]:6881&x.pe=a_b.example:1", Link{Peers: []string{"192.0.2.1:6881", "[2001:db8::1]:6881", "a_b.example:1"}}},
		{"x.pe=:1&x.pe=a&x.pe=a:0&x.pe=a:99999&x.pe=a/b:1&x.pe=[]:1&x.pe=[a:1", Link{}},
		{"xt=urn:sha1:abc&xt=&unknown=7", Link{}},
		{"xt=urn:btih:" + strings.ToUpper(hash), Link{}},
	} {
		got, err := Parse(scheme + c.params + "&xt=urn:btih:" + hash)
		if err != nil {
			t.Errorf("%s: %v", c.params, err)
			continue
		}
		c.want.V1, _ = ParseHash(hash)
		if !reflect.DeepEqual(*got, c.want) {
			t.Errorf("%s: %+v", c.params, got)
		}
	}
	for _, c := range []struct {
		link string
		want error
	}{
		{"", ErrNotMagnet},
		{"magnet:tx=urn:bt:" + hash, ErrNotMagnet},
		{scheme + "xt=urn:btih:" + hash + "&xt=urn:btih:" + strings.Repeat("ab", 20), ErrHash},
		{scheme + "xt=urn:btih:" + strings.Repeat("0", 40), ErrHash},
		{scheme + "xt=urn:btih:", ErrHash},
		{scheme + "xt=urn:btmh:1320" + strings.Repeat("ab", 32), ErrHash},
		{scheme + "xt=urn:btih:" + hash + "&dn=" + strings.Repeat("x", MaxLength), ErrTooLong},
	} {
		if l, err := Parse(c.link); !errors.Is(err, c.want) {
			t.Errorf("%.60s: %+v, %v", c.link, l, err)
		}
	}
}

func TestBounds(t *testing.T) {
	var b strings.Builder
	b.WriteString(scheme + "xt=urn:btih:" + hash)
	for i := range 1200 {
		fmt.Fprintf(&b, "&tr=http://%d/&ws=x%d&x.pe=1.1.1.1:%d&so=%d", i, i, i+1, i)
	}
	l, err := Parse(b.String())
	if err != nil {
		t.Fatal(err)
	}
	if len(l.Trackers) != MaxTrackers || len(l.WebSeeds) != MaxWebSeeds || len(l.Peers) != MaxPeers || len(l.Select) != MaxRanges {
		t.Errorf("%d trackers, %d web seeds, %d peers, %d ranges", len(l.Trackers), len(l.WebSeeds), len(l.Peers), len(l.Select))
	}
	for _, before := range []string{"&dn=", "|", "%7C"} {
		if l, _ = Parse(scheme + "xt=urn:btih:" + hash + before + strings.Repeat("x", 2*MaxName)); len(l.Name) != MaxName {
			t.Errorf("a name of %d bytes behind %s", len(l.Name), before)
		}
	}
}

// Whatever a link says, it is printed so that it is read the same again.
func FuzzParse(f *testing.F) {
	f.Add(scheme + "xt=urn:btih:" + hash + "&dn=Some+Name%20x&tr=http%3A%2F%2Ft.example%2Fannounce&x.pe=192.0.2.1:6881&ws=http%3A%2F%2Fw.example%2F&so=0,2-4&xl=7")
	f.Add(scheme + "xt=urn:btmh:1220ed05dd4d068fc00dd22381f9261bf6a8598937b134adb1b29befe90b49a82e03&xt.1=urn:btih:wjl26rp3zh2s2dtsqsipfqw2tzhwmzd6")
	f.Fuzz(func(t *testing.T, s string) {
		l, err := Parse(s)
		if err != nil {
			if !errors.Is(err, ErrNotMagnet) && !errors.Is(err, ErrHash) && !errors.Is(err, ErrTooLong) {
				t.Fatalf("another error: %v", err)
			}
			return
		}
		text := l.String()
		if len(text) > MaxLength {
			return // escaping makes longer
		}
		again, err := Parse(text)
		if err != nil || !reflect.DeepEqual(l, again) {
			t.Fatalf("%+v is printed as %s and read as %+v, %v", l, text, again, err)
		}
	})
}
