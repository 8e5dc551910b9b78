package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// Whatever is written as a size, what is taken is a number of bytes, and read again the same.
func FuzzSize(f *testing.F) {
	for _, s := range []string{"0", "262144", "256KiB", "1.5M", " 2 G ", "9P", "1.0000001K", "µ", "1µ", "-1", "1e9", "9223372036854775807"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		n, err := parseSize(in)
		if err != nil {
			return
		}
		if again, err := parseSize(fmt.Sprint(n)); n < 0 || err != nil || again != n {
			t.Fatalf("%q is %d, then %d, %v", in, n, again, err)
		}
	})
}

// Whatever is written as a length of time, what is taken is not negative.
func FuzzTime(f *testing.F) {
	for _, s := range []string{"0", "90m", "1d12h", "1.5h", "1w", "300y", "1d 2h", "-1s", "1µs", "."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		d, err := parseTime(in)
		if err != nil {
			return
		}
		if again, err := parseTime(fmt.Sprintf("%dns", d)); d < 0 || err != nil || again != d {
			t.Fatalf("%q is %v, then %v, %v", in, d, again, err)
		}
	})
}

// Whatever is written as an address to listen on, what is taken is printed so that it is read
// again the same.
func FuzzListen(f *testing.F) {
	for _, s := range []string{":6881", "127.0.0.1:0", "[::]:6881", "[::ffff:127.0.0.1]:1", "[fe80::1%eth0]:2", "host:1", "1.2.3.4:65536"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		a, err := parseListen(in)
		if err != nil {
			return
		}
		if again, err := parseListen(a.String()); err != nil || again != a {
			t.Fatalf("%q is %v, then %v, %v", in, a, again, err)
		}
	})
}

// Whatever a settings file holds, it is read, or refused with a word.
func FuzzSettings(f *testing.F) {
	for _, s := range []string{
		"listen = \"127.0.0.1:0\"\n[get]\nratio = 2\n", "[run]\nlimit-up = \"1.5M\"\n", "x = [1, {a = 2}]", "listen = []", "= 1", "[a\n", "dir = 1979-05-27T07:32:00Z",
	} {
		f.Add(s)
	}
	path := filepath.Join(f.TempDir(), "config.toml")
	root := rootCommand(&output{}, env{})
	f.Fuzz(func(t *testing.T, in string) {
		path := fmt.Sprint(path, os.Getpid())
		if err := os.WriteFile(path, []byte(in), 0o666); err != nil {
			t.Fatal(err)
		}
		s, err := readSettings(root, path, true)
		if err != nil {
			if err.Error() == "" {
				t.Fatal("an error without a word")
			}
			return
		}
		for _, c := range configurable(root) {
			_, _ = s.apply(c, func(string) string { return "" })
		}
	})
}
