package metainfo

import (
	"fmt"
	"strings"
	"testing"
)

// manyFolders is an info dictionary with a file in each of n folders, three deep.
func manyFolders(n int) []byte {
	var b strings.Builder
	b.WriteString("d5:filesl")
	for i := range n {
		fmt.Fprintf(&b, "d6:lengthi1e4:pathl3:Dir7:%07d8:file.binee", i)
	}
	fmt.Fprintf(&b, "e4:name1:n12:piece lengthi16777216e6:pieces20:%se", hash1)
	return []byte(b.String())
}

// manyFiles is an info dictionary with n files, a hundred in each folder.
func manyFiles(n int) []byte {
	var b strings.Builder
	b.WriteString("d5:filesl")
	for i := range n {
		fmt.Fprintf(&b, "d6:lengthi1e4:pathl7:%07d11:f%06d.bine e", i/100, i)
	}
	fmt.Fprintf(&b, "e4:name1:n12:piece lengthi16777216e6:pieces20:%se", hash1)
	return []byte(strings.ReplaceAll(b.String(), "e e", "ee"))
}

// A file costs no allocation of its own.
func TestParseAllocatesLittle(t *testing.T) {
	const n = 10_000
	in := manyFiles(n)
	allocs := testing.AllocsPerRun(1, func() {
		if _, err := ParseInfo(in); err != nil {
			t.Fatal(err)
		}
	})
	if allocs > n/10 {
		t.Errorf("%v allocations for %d files, want fewer than a tenth of that", allocs, n)
	}
}

// Twice the folders cost twice the work: allocations stand for it.
func TestParseIsLinear(t *testing.T) {
	work := func(n int) float64 {
		in := manyFolders(n)
		return testing.AllocsPerRun(1, func() {
			info, err := ParseInfo(in)
			if err != nil || len(info.Files) != n {
				t.Fatal(err)
			}
		})
	}
	one, two := work(10_000), work(20_000)
	if two > 2.2*one || one > 5*10_000 {
		t.Errorf("%v allocations for 10,000 folders, %v for 20,000", one, two)
	}
}

func BenchmarkParseFolders(b *testing.B) {
	in := manyFolders(100_000)
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseInfo(in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseFiles(b *testing.B) {
	in := manyFiles(100_000)
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseInfo(in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSafeName(b *testing.B) {
	for _, name := range []string{"The.Name.Of.A.File.2024.1080p.mkv", "Ein längerer Name für eine Datei.txt"} {
		b.Run(name[:3], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if SafeName(name) != name {
					b.Fatal(name)
				}
			}
		})
	}
}
