// Package testkit has what the tests of many packages need.
package testkit

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Must ends the test when err is not nil.
func Must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Unhex returns the bytes that s writes in hexadecimal digits; spaces in s are for the reader.
func Unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	Must(t, err)
	return b
}

// Vectors reads a JSON file of vectors from the package's testdata into what into points at,
// a struct with a field Vectors. A file without vectors ends the test: it would pass for
// nothing.
func Vectors(t testing.TB, name string, into any) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	Must(t, err)
	var file struct{ Vectors []json.RawMessage }
	Must(t, json.Unmarshal(b, &file))
	if len(file.Vectors) == 0 {
		t.Fatalf("%s has no vectors", name)
	}
	Must(t, json.Unmarshal(b, into))
}

// Pattern returns n bytes, the same for the same n, that repeat only after a long row.
func Pattern[N int | int64](n N) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	return b
}
