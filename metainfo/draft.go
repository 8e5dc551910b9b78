package metainfo

import (
	"cmp"
	"crypto/sha1"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"shoal/bencode"
)

// A Draft is a new torrent whose files are known and whose hashes are not yet.
//
//	d, err := metainfo.NewDraft("photos", files, 0)
//	// read d.Files() end to end in pieces of d.Geometry() and hash each
//	info, err := d.Info(hashes)
//	t := &metainfo.Torrent{Info: info, Nodes: nodes}
//	b, err := t.Encode()
//
// The same files and options make the same bytes, and so the same info-hash, wherever and in
// whatever order the files were found.
type Draft struct {
	// Private restricts the torrent to the peers that its trackers name (BEP 27).
	Private bool
	// Source is a key of the info dictionary that some trackers require: a torrent made for
	// one of them then has another info-hash than the same files elsewhere.
	Source string
	// Entropy is a key of the info dictionary that changes the info-hash of the same files.
	Entropy string

	name     string
	files    []NewFile
	single   bool
	raw      bool // names need not be UTF-8
	geometry Geometry
}

// NewFile is a file of a new torrent.
type NewFile struct {
	Path   []string // elements below the torrent's folder; none for the file of a single-file torrent
	Length int64    // in bytes
}

// NewDraft begins a torrent. name is the name of the folder with the files; or of the file,
// when there is one file and its path is empty. Names must be UTF-8; see [NewRawDraft].
// pieceLength is a power of two from 16 KiB to 512 MiB, or 0 for [RecommendedPieceLength].
//
// NewDraft sorts the files by their paths, element by element, as bytes: the order of BEP 52.
func NewDraft(name string, files []NewFile, pieceLength int64) (*Draft, error) {
	return newDraft(name, files, pieceLength, false)
}

// NewRawDraft is NewDraft for names that need not be UTF-8. The torrent then contains their
// bytes unchanged, which BEP 3 does not allow and most clients decode in an encoding of their
// own.
func NewRawDraft(name string, files []NewFile, pieceLength int64) (*Draft, error) {
	return newDraft(name, files, pieceLength, true)
}

func newDraft(name string, files []NewFile, pieceLength int64, raw bool) (*Draft, error) {
	if len(files) == 0 {
		return nil, errors.New("create torrent: no files")
	}
	if len(files) > MaxFiles {
		return nil, fmt.Errorf("create torrent: %d files, more than %d: %w", len(files), MaxFiles, ErrTooLarge)
	}
	d := &Draft{name: name, files: slices.Clone(files), raw: raw}
	d.single = len(files) == 1 && len(files[0].Path) == 0
	slices.SortStableFunc(d.files, func(a, b NewFile) int { return slices.Compare(a.Path, b.Path) })
	if err := d.checkElement(name); err != nil {
		return nil, fmt.Errorf("create torrent: name %s: %w", quote(name), err)
	}
	total, err := d.check()
	if err != nil {
		return nil, fmt.Errorf("create torrent: %w", err)
	}

	pieceLength = cmp.Or(pieceLength, RecommendedPieceLength(total))
	if pieceLength < MinNewPieceLength || pieceLength > MaxPieceLength || pieceLength&(pieceLength-1) != 0 {
		return nil, fmt.Errorf("create torrent: piece length %d: want a power of two from 16 KiB to 512 MiB", pieceLength)
	}
	g, ok := newGeometry(total, pieceLength)
	if !ok {
		return nil, fmt.Errorf("create torrent: piece length %d: %d bytes would make more than %d pieces: %w", pieceLength, total, MaxPieces, ErrTooLarge)
	}
	d.geometry = g
	return d, nil
}

// check checks the sorted files and returns the sum of their lengths.
func (d *Draft) check() (total int64, err error) {
	for i, f := range d.files {
		if err := d.checkFile(f); err != nil {
			return 0, fmt.Errorf("%s: %w", quote(strings.Join(f.Path, "/")), err)
		}
		// In this order the contents of a folder directly follow its name.
		if i > 0 && isPrefix(d.files[i-1].Path, f.Path) {
			return 0, fmt.Errorf("%s: it occurs twice, or it is a folder and a file", quote(strings.Join(d.files[i-1].Path, "/")))
		}
		var ok bool
		if total, ok = addLength(total, f.Length); !ok {
			return 0, errors.New("the sum of the lengths does not fit into 64 bits")
		}
	}
	return total, nil
}

func (d *Draft) checkFile(f NewFile) error {
	switch {
	case len(f.Path) == 0 && !d.single:
		return errors.New("a file without a path, beside other files")
	case len(f.Path) > MaxPathDepth:
		return fmt.Errorf("%d folders deep, more than %d: %w", len(f.Path), MaxPathDepth, ErrTooLarge)
	case f.Length < 0:
		return errors.New("negative length")
	}
	for _, elem := range f.Path {
		if err := d.checkElement(elem); err != nil {
			return err
		}
	}
	return nil
}

func isPrefix(prefix, path []string) bool {
	return len(prefix) <= len(path) && slices.Equal(prefix, path[:len(prefix)])
}

// checkElement refuses names that cannot occur in a torrent. It allows names that are merely
// awkward somewhere: other clients save them under a safe name, and so does this package.
func (d *Draft) checkElement(name string) error {
	switch {
	case name == "" || name == "." || name == "..":
		return errors.New("not the name of a file or folder")
	case strings.ContainsAny(name, "/\x00"):
		return errors.New("the name contains a slash or NUL")
	case !d.raw && !utf8.ValidString(name):
		return errors.New("the name is not UTF-8, as names in torrents must be")
	}
	return nil
}

// Files returns the files in the order in which their bytes make up the content.
func (d *Draft) Files() []NewFile { return slices.Clone(d.files) }

// Name returns the name of the torrent.
func (d *Draft) Name() string { return d.name }

// Geometry returns how the content is divided into pieces.
func (d *Draft) Geometry() Geometry { return d.geometry }

// Info completes the info dictionary. hashes is the SHA-1 of each piece, end to end.
func (d *Draft) Info(hashes []byte) (*Info, error) {
	if want := int(d.geometry.Pieces) * sha1.Size; len(hashes) != want {
		return nil, fmt.Errorf("create torrent: %d bytes of hashes instead of %d", len(hashes), want)
	}
	// We must not make a torrent that others refuse to load. This size omits the frame of
	// each entry; ParseInfo checks the whole.
	size := len(hashes) + len(d.name) + len(d.Source) + len(d.Entropy)
	for _, f := range d.files {
		for _, elem := range f.Path {
			size += len(elem)
		}
	}
	if size > MaxSize {
		return nil, fmt.Errorf("create torrent: %d bytes of names and hashes, more than 64 MiB: %w", size, ErrTooLarge)
	}
	w := bencode.NewWriter(make([]byte, 0, size+size/8+256))
	w.BeginDict()
	if d.Entropy != "" {
		w.Key("entropy")
		w.String(d.Entropy)
	}
	if d.single {
		w.Key("length")
		w.Int(d.geometry.Total)
	} else {
		w.Key("files")
		w.BeginList()
		for _, f := range d.files {
			writeFile(&w, f)
		}
		w.End()
	}
	w.Key("name")
	w.String(d.name)
	w.Key("piece length")
	w.Int(int64(d.geometry.PieceLength))
	w.Key("pieces")
	w.Bytes(hashes)
	if d.Private {
		w.Key("private")
		w.Int(1)
	}
	if d.Source != "" {
		w.Key("source")
		w.String(d.Source)
	}
	w.End()
	info, err := ParseInfo(w.Finish())
	if err != nil {
		return nil, fmt.Errorf("create torrent: %w", err)
	}
	return info, nil
}

func writeFile(w *bencode.Writer, f NewFile) {
	w.BeginDict()
	w.Key("length")
	w.Int(f.Length)
	w.Key("path")
	w.BeginList()
	for _, elem := range f.Path {
		w.String(elem)
	}
	w.End()
	w.End()
}

// RecommendedPieceLength returns a piece length for total bytes: the least power of two from
// 16 KiB to 16 MiB with at most 2048 pieces. A client can pass on only whole pieces, so
// beyond 16 MiB pieces grow only to stay at 65,536 of them, the limit of some clients.
func RecommendedPieceLength(total int64) int64 {
	const (
		comfortable = 2048
		most        = 65_536
		large       = 16 << 20
	)
	n := int64(MinNewPieceLength)
	for n < large && total > n*comfortable || n < MaxPieceLength && total > n*most {
		n *= 2
	}
	return n
}
