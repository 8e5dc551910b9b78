package metainfo

import (
	"encoding/json"
	"os"
	"testing"

	"shoal/internal/value/bitfield"
	"shoal/internal/value/block"
)

// loadVectors reads the vectors of a file in testdata.
func loadVectors[T any](t testing.TB, name string) []T {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Count   int
		Vectors []T
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Vectors) != file.Count || file.Count == 0 {
		t.Fatalf("%d vectors, the file says %d", len(file.Vectors), file.Count)
	}
	return file.Vectors
}

func TestGeometryVectors(t *testing.T) {
	type vector struct {
		ID                   string
		Total                int64
		PieceLength          int64  `json:"piece_length"`
		NumPieces            uint32 `json:"num_pieces"`
		LastPiece            uint32 `json:"last_piece"`
		BlocksFullPiece      uint32 `json:"blocks_full_piece"`
		LastBlockOfFullPiece uint32 `json:"last_block_of_full_piece"`
		BlocksLastPiece      uint32 `json:"blocks_last_piece"`
		LastBlockOfLastPiece uint32 `json:"last_block_of_last_piece"`
		BitfieldBytes        int    `json:"bitfield_bytes"`
		Files                []struct {
			Length        int64
			Pieces        uint32
			LastPieceSize uint32 `json:"last_piece_size"`
		}
	}
	for _, v := range loadVectors[vector](t, "geometry.json") {
		t.Run(v.ID, func(t *testing.T) {
			if v.Files != nil {
				// In v2 each file is cut by itself.
				for _, f := range v.Files {
					g, ok := newGeometry(f.Length, v.PieceLength)
					if !ok || g.Pieces != f.Pieces || g.PieceSize(g.Pieces-1) != f.LastPieceSize {
						t.Errorf("file of %d bytes: %+v, %v", f.Length, g, ok)
					}
				}
				return
			}
			g, ok := newGeometry(v.Total, v.PieceLength)
			if !ok || g.Pieces != v.NumPieces {
				t.Fatalf("%+v, %v", g, ok)
			}
			last := g.Pieces - 1 // for no pieces: one that does not exist
			if n := g.PieceSize(last); n != v.LastPiece {
				t.Errorf("last piece has %d bytes", n)
			}
			if n := g.Blocks(last); n != v.BlocksLastPiece {
				t.Errorf("last piece has %d blocks", n)
			}
			if n := g.BlockSize(last, g.Blocks(last)-1); n != v.LastBlockOfLastPiece {
				t.Errorf("last block of the last piece has %d bytes", n)
			}
			if g.Pieces > 1 {
				if n := g.Blocks(0); n != v.BlocksFullPiece {
					t.Errorf("full piece has %d blocks", n)
				}
				if n := g.BlockSize(0, g.Blocks(0)-1); n != v.LastBlockOfFullPiece {
					t.Errorf("last block of a full piece has %d bytes", n)
				}
			}
			if n := bitfield.WireLen(g.Pieces); n != v.BitfieldBytes {
				t.Errorf("bitfield of %d bytes", n)
			}
		})
	}
}

// The blocks of all pieces tile the torrent without gap or overlap.
func TestGeometryTiles(t *testing.T) {
	for _, g := range []Geometry{
		{10, 4, 3}, {100_000, 30_000, 4}, {65_536, 32_768, 2}, {1, MaxPieceLength, 1}, {1 << 20, 16384, 64}, {0, 16384, 0},
	} {
		if made, ok := newGeometry(g.Total, int64(g.PieceLength)); !ok || made != g {
			t.Fatalf("made %+v, want %+v", made, g)
		}
		at := int64(0)
		for p := range g.Pieces {
			for i := range g.Blocks(p) {
				r := g.Block(p, i)
				if g.Offset(r.Piece, r.Begin) != at || !g.Valid(r.Piece, r.Begin, r.Length) || r.Length != g.BlockSize(p, i) || r.Index() != i {
					t.Fatalf("%+v: block %v at %d, want %d", g, r, g.Offset(r.Piece, r.Begin), at)
				}
				at += int64(r.Length)
			}
			if r := g.Block(p, g.Blocks(p)); r.Length != 0 || g.BlockSize(p, 1<<31) != 0 {
				t.Errorf("%+v: a block behind the last: %v", g, r)
			}
		}
		if at != g.Total {
			t.Errorf("%+v: blocks hold %d bytes", g, at)
		}
	}
}

// Ranges from a peer are judged without overflow.
func TestGeometryValid(t *testing.T) {
	g := Geometry{100_000, 32_768, 4} // the last piece has 1,696 bytes
	for _, c := range []struct {
		piece, begin, length uint32
		want                 bool
	}{
		{0, 0, block.Size, true},
		{0, block.Size, block.Size, true},
		{0, block.Size + 1, block.Size, false},
		{0, 0, 0, false},
		{0, 32_768, 0, false},
		{3, 0, 1696, true},
		{3, 0, 1697, false},
		{3, 1695, 1, true},
		{4, 0, 1, false},
		{1<<32 - 1, 0, 1, false},
		{0, 1<<32 - 1, 1<<32 - 1, false},
		{0, 1<<32 - 1, 2, false},
	} {
		if got := g.Valid(c.piece, c.begin, c.length); got != c.want {
			t.Errorf("piece %d, begin %d, length %d: %v", c.piece, c.begin, c.length, got)
		}
	}
}

func TestGeometryLimits(t *testing.T) {
	for _, c := range []struct {
		total, pieceLength int64
		want               bool
	}{
		{0, 1, true},
		{MaxPieces, 1, true},
		{MaxPieces + 1, 1, false},
		{MaxPieces * MaxPieceLength, MaxPieceLength, true},
		{MaxPieces*MaxPieceLength + 1, MaxPieceLength, false},
		{1<<63 - 1, MaxPieceLength, false},
		{1, 0, false},
		{1, -1, false},
		{-1, 1, false},
		{1, MaxPieceLength + 1, false},
	} {
		if g, ok := newGeometry(c.total, c.pieceLength); ok != c.want {
			t.Errorf("%d bytes in pieces of %d: %+v, %v", c.total, c.pieceLength, g, ok)
		}
	}
}
