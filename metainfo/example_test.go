package metainfo_test

import (
	"crypto/sha1"
	"errors"
	"fmt"
	"strings"

	"shoal/metainfo"
)

// A torrent that names no tracker, only a DHT node.
func ExampleParse() {
	b := []byte("d4:infod5:filesl" +
		"d6:lengthi20000e4:pathl9:intro.txtee" +
		"d6:lengthi12768e4:pathl5:notes7:a/b.txteee" +
		"4:name4:book12:piece lengthi16384e6:pieces40:" + strings.Repeat("h", 40) +
		"e5:nodesll9:127.0.0.1i6881eeee")
	t, err := metainfo.Parse(b)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(t.InfoHash)
	fmt.Println(t.Nodes)
	for _, f := range t.Info.Files {
		fmt.Printf("%5d at %5d  %s\n", f.Length, f.Offset, strings.Join(f.Path, "/"))
	}
	for _, w := range t.Warnings {
		fmt.Println(w)
	}
	// Output:
	// 9daa6fd0597481aa2cf58318ba2fe7d56176dcc0
	// [127.0.0.1:6881]
	// 20000 at     0  book/intro.txt
	// 12768 at 20000  book/notes/a_b.txt
	// 1 of 2 paths are saved under other names, because theirs are impossible or not distinct; the first: "notes/a/b.txt" as "notes/a_b.txt"
}

// A torrent that is refused tells the reason and the place.
func ExampleError() {
	_, err := metainfo.Parse([]byte("d4:infod5:filesld6:lengthi-1e4:pathl1:aeee4:name1:nee"))
	fmt.Println(err)
	var e *metainfo.Error
	if errors.As(err, &e) {
		fmt.Println(e.Field, e.Offset)
	}
	// Output:
	// torrent refused: info.files[0].length: negative length (at byte 25)
	// info.files[0].length 25
}

// Making a torrent of one file.
func ExampleDraft() {
	content := make([]byte, 40_000)
	d, err := metainfo.NewDraft("zeros.bin", []metainfo.NewFile{{Length: int64(len(content))}}, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	g := d.Geometry()
	var hashes []byte
	for p := range g.Pieces {
		at := g.Offset(p, 0)
		h := sha1.Sum(content[at : at+int64(g.PieceSize(p))])
		hashes = append(hashes, h[:]...)
	}
	info, err := d.Info(hashes)
	if err != nil {
		fmt.Println(err)
		return
	}
	t := &metainfo.Torrent{Info: info, Nodes: []string{"192.0.2.1:6881"}}
	b, err := t.Encode()
	fmt.Println(info.Hash, len(b), err)
	// Output: 5746236c5371d87d2942b8063b042bb534a42340 163 <nil>
}

// Blocks are what peers request of each other.
func ExampleGeometry() {
	g := metainfo.Geometry{Total: 100_000, PieceLength: 65_536, Pieces: 2}
	for i := range g.Blocks(1) {
		fmt.Println(g.Block(1, i), g.BlockSize(1, i), g.Offset(1, g.Block(1, i).Begin))
	}
	// Output:
	// 1:0 16384 65536
	// 1:1 16384 81920
	// 1:2 1696 98304
}
