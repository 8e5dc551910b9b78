package metainfo

import (
	"crypto/sha1"
	"math"
	"strings"

	"shoal/bencode"
	"shoal/internal/value/infohash"
)

// Info is an info dictionary, to which the info-hash refers.
type Info struct {
	Name        string // name of the file or folder to save; see KeepName. Show it with Printable
	SafeName    string // Name for file systems that refuse Name; see SafeName
	RawName     string // the name as it was sent
	PieceLength int64  // bytes in every piece except the last
	Length      int64  // bytes in all files together, pad files included
	Files       []File // in the order of their bytes; never empty
	MultiFile   bool   // the files lie in a folder called Name, even if there is only one
	Private     bool   // peers may come from the trackers only (BEP 27)

	Raw      []byte // the dictionary as it was sent
	Hash     Hash   // SHA-1 of Raw
	Warnings []string

	pieces  []byte // SHA-1 of each piece, end to end
	padding int64  // bytes of all pad files
	charset string // label of the character set of names that are not UTF-8
}

// A File is a part of a torrent's content.
type File struct {
	// Path is the path under which to save the file, below the folder that the user chose,
	// if the file system takes it: see KeepName. The first element is the name of the
	// torrent. No two files have the same path, and none is a folder of another; names that
	// differ only in case need a file system that distinguishes them. A pad file has no path.
	Path []string

	// SafePath is Path made of names that every file system takes, see SafeName, and that
	// every file system distinguishes.
	SafePath []string

	// RawPath is the path as it was sent, for display (with Printable) and for finding files
	// that another program saved. It must never become part of a path to write to.
	RawPath []string

	Length     int64 // in bytes
	Offset     int64 // of its first byte in the torrent
	Pad        bool  // zeros between files, part of pieces but never saved (BEP 47)
	Executable bool  // the x attribute (BEP 47)
}

// Geometry returns how the content is divided into pieces and blocks.
func (i *Info) Geometry() Geometry {
	return Geometry{i.Length, uint32(i.PieceLength), i.NumPieces()}
}

// Saved returns the bytes in all saved files: Length without padding.
func (i *Info) Saved() int64 { return i.Length - i.padding }

// NumPieces returns the number of pieces; 0 when all files are empty.
func (i *Info) NumPieces() uint32 { return uint32(len(i.pieces) / sha1.Size) }

// PieceHash returns the SHA-1 that a piece must have. The piece must exist.
func (i *Info) PieceHash(piece uint32) [sha1.Size]byte {
	at := int(piece) * sha1.Size
	return [sha1.Size]byte(i.pieces[at : at+sha1.Size])
}

// ParseInfo reads an info dictionary as peers send it (BEP 9). It does not check an
// info-hash: the caller compares Hash. The error is an [*Error], with offsets from the start
// of raw.
func ParseInfo(raw []byte) (*Info, error) {
	if len(raw) > MaxSize {
		return nil, &Error{Msg: "info dictionary larger than 64 MiB", Err: ErrTooLarge}
	}
	v, err := rules.Parse(raw)
	if err != nil {
		return nil, notBencode(err)
	}
	if v.Kind() != bencode.Dict {
		return nil, wrongKind(v, v, "info", bencode.Dict)
	}
	info, ierr := parseInfo(v, "")
	if ierr != nil {
		return nil, ierr
	}
	return info, nil
}

// deciding are the keys of an info dictionary that decide what the torrent contains.
var deciding = []string{
	"name", "name.utf-8", "length", "files", "piece length", "pieces", "meta version", "file tree", "private", "attr",
}

// checkSame refuses a dictionary in which one of the keys occurs twice, with two values: two
// clients would read two torrents.
func checkSame(v bencode.Value, field string, keys ...string) *Error {
	if v.Ordered() {
		return nil
	}
	for _, key := range keys {
		if !v.Same(key) {
			e := refuse(v, strings.TrimPrefix(field+"."+key, "."), "it occurs twice, with two values")
			e.Err = bencode.ErrDuplicate
			return e
		}
	}
	return nil
}

// parseInfo reads an info dictionary. charset is the label in the torrent file for its names.
func parseInfo(v bencode.Value, charset string) (*Info, *Error) {
	if err := checkSame(v, "info", deciding...); err != nil {
		return nil, err
	}
	hybrid, err := checkVersion(v)
	if err != nil {
		return nil, err
	}
	raw := v.Raw()
	p := &infoParser{Info: &Info{Raw: raw, Hash: infohash.Of(raw), charset: charset}, dict: v}
	if err := p.name(); err != nil {
		return nil, err
	}
	if err := p.files(); err != nil {
		return nil, err
	}
	if err := p.cut(); err != nil {
		return nil, err
	}
	if hybrid {
		if err := p.compareTree(v.Get("file tree")); err != nil {
			return nil, err
		}
	}
	private, ok := v.Get("private").Int()
	p.Private = ok && private == 1
	p.Warnings = p.notes
	return p.Info, nil
}

// infoParser reads an info dictionary whose version is known.
type infoParser struct {
	*Info
	dict  bencode.Value
	notes notes
}

// name reads the suggested name. The info-hash replaces a name of which nothing is left.
func (p *infoParser) name() *Error {
	name, ok := textUTF8(p.dict, "name")
	if !ok {
		return wrongKind(p.dict, p.dict.Get("name"), "info.name", bencode.String)
	}
	p.RawName = name
	text := p.text(name)
	if p.SafeName = SafeName(text); p.SafeName == "" {
		p.SafeName = p.Hash.String()
	}
	if p.Name = KeepName(text); p.Name == "" {
		p.Name = p.Hash.String()
	}
	if p.Name != text {
		p.notes.add("the name %s is saved as %s", quote(name), quote(p.Name))
	}
	return nil
}

// files reads the length of a single file, or the list of several.
func (p *infoParser) files() *Error {
	length, list := p.dict.Get("length"), p.dict.Get("files")
	switch {
	case length.Exists() && list.Exists():
		// BEP 3: not both. Clients that use one and clients that use the other would save
		// different files for one info-hash.
		return refuse(list, "info.files", "there is info.length as well")
	case list.Exists():
		p.MultiFile = true
		return p.fileList(list)
	case !length.Exists() && p.dict.Get("pieces").Len() > 0:
		return refuse(p.dict, "info", "neither length nor files")
	}
	n, ok := length.Int()
	if !length.Exists() {
		ok = true // an empty file, as its hashes say
		p.notes.add("info.length is missing; the file is empty")
	}
	if !ok {
		return wrongKind(p.dict, length, "info.length", bencode.Int)
	}
	if n < 0 {
		return refuse(length, "info.length", "negative length")
	}
	f := File{Path: []string{p.Name}, SafePath: []string{p.SafeName}, RawPath: []string{p.RawName}, Length: n}
	f.Executable = hasAttr(p.dict, "x")
	p.Files, p.Length = []File{f}, n
	return nil
}

// cut reads the piece length and the hashes, which must be one for each piece.
func (p *infoParser) cut() *Error {
	v := p.dict.Get("piece length")
	n, ok := v.Int()
	if !ok {
		return wrongKind(p.dict, v, "info.piece length", bencode.Int)
	}
	if n < MinPieceLength || n > MaxPieceLength {
		return refuse(v, "info.piece length", "%d is not from 1 byte to 512 MiB", n)
	}
	g, ok := newGeometry(p.Length, n)
	if !ok {
		e := refuse(v, "info.piece length", "%d bytes in pieces of %d make more than %d pieces", p.Length, n, MaxPieces)
		e.Err = ErrTooLarge
		return e
	}
	hashes := p.dict.Get("pieces")
	if p.pieces, ok = hashes.Bytes(); !ok {
		return wrongKind(p.dict, hashes, "info.pieces", bencode.String)
	}
	if len(p.pieces) != int(g.Pieces)*sha1.Size {
		return refuse(hashes, "info.pieces", "%d bytes of hashes instead of %d", len(p.pieces), int(g.Pieces)*sha1.Size)
	}
	p.PieceLength = n
	return nil
}

// checkVersion checks the version before anything else, as BEP 52 requires, and reports
// whether there is a v2 part beside the v1 part.
func checkVersion(v bencode.Value) (hybrid bool, err *Error) {
	version := v.Get("meta version")
	if !version.Exists() {
		return false, nil
	}
	switch n, ok := version.Int(); {
	case !ok, n == 1: // a value of another kind belongs to somebody else's key
		return false, nil
	case n != 2:
		e := refuse(version, "info.meta version", "unknown version %d", n)
		e.Err = ErrVersion
		return false, e
	}
	if !v.Get("pieces").Exists() {
		e := refuse(version, "info", "%v", ErrV2Only)
		e.Err = ErrV2Only
		return false, e
	}
	return true, nil
}

// hasAttr reports whether a file, or a single-file torrent, has an attribute (BEP 47).
func hasAttr(v bencode.Value, attr string) bool {
	s, _ := v.Get("attr").Text()
	return strings.Contains(s, attr)
}

// addLength adds lengths that are not negative. It returns false when the sum overflows.
func addLength(sum, n int64) (int64, bool) {
	if n > math.MaxInt64-sum {
		return 0, false
	}
	return sum + n, true
}
