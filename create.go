package shoal

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"shoal/internal/files/disk"
	"shoal/internal/files/storage"
	"shoal/internal/value/printable"
	"shoal/metainfo"
)

// CreateOptions says what torrent is made.
type CreateOptions struct {
	// Path is the file, or the folder with the files, that is shared.
	Path string
	// PieceLength is a power of two from 16 KiB to 512 MiB, in bytes. Default: by the size.
	PieceLength int64
	// Trackers are announce URLs, each a tier of its own.
	Trackers []string
	// WebSeeds are URLs of servers that have the files (BEP 19): see AddOptions.WebSeeds.
	WebSeeds []string
	// Nodes are DHT nodes, "host:port", for a torrent without trackers.
	Nodes []string
	// Private keeps the torrent to the peers its trackers give (BEP 27).
	Private bool
	Comment string
	// Name is the name of the torrent; default: that of the file or folder at Path. Who gets
	// the torrent finds it under this name.
	Name string
	// Source is kept with the files (key source), as some trackers want it: the info-hash is
	// another one then.
	Source string
	// Entropy is kept with the files (key entropy) and means nothing, so that the same files
	// have another info-hash. See NewEntropy.
	Entropy string
	// Date is the time at which the torrent was made; zero: the torrent does not say.
	Date time.Time
	// FollowLinks takes what symbolic links in the folder lead to. Without it they are left
	// out, with a warning. Path itself may always be a link.
	FollowLinks bool
	// IncludeJunk keeps files that systems make for themselves, such as .DS_Store, Thumbs.db
	// and desktop.ini. Without it they are left out, with a warning.
	IncludeJunk bool
	// RawNames keeps names that are not UTF-8 as they are. Without it they are a problem.
	RawNames bool
	// Output is where the caller will write the torrent: a file there is left out of it.
	Output string
	// Exclude leaves out files and folders whose name, or path below Path, fits one of
	// these patterns, as path.Match has them.
	Exclude []string
	// CreatedBy is the name of the program; default: shoal and its version.
	CreatedBy string
	// Progress, when set, receives how many bytes are hashed. Several goroutines call
	// it, one at a time.
	Progress func(done, total int64)
}

// Created is a new torrent.
type Created struct {
	Metainfo    []byte // the content of the .torrent file
	Name        string
	InfoHash    string // 40 hex digits
	Files       int
	Size        int64
	PieceLength int64
	Pieces      int
	Warnings    []string // what was left out, and why; printable
}

// NewEntropy returns a value for CreateOptions.Entropy that nobody else has.
func NewEntropy() string {
	var b [16]byte
	rand.Read(b[:]) // it never fails
	return hex.EncodeToString(b[:])
}

// Create makes a torrent of a file or folder. It hashes on all cores. The same files and
// options make the same torrent. If files can't be part of it, the error is a
// *ProblemsError that lists them all; what is left out, or has another name on other
// systems, is a warning.
func Create(ctx context.Context, opt CreateOptions) (Created, error) {
	made, err := create(ctx, &opt)
	if err != nil {
		return Created{}, fmt.Errorf("create a torrent of %s: %w", opt.Path, err)
	}
	return made, nil
}

func create(ctx context.Context, opt *CreateOptions) (Created, error) {
	path, err := filepath.Abs(opt.Path)
	if err != nil {
		return Created{}, err
	}
	name := opt.Name
	if name == "" {
		if name = filepath.Base(path); filepath.Dir(path) == path {
			return Created{}, errors.New("it is the root of a file system, which has no name: name the torrent with --name")
		}
	}
	found, err := find(ctx, path, opt)
	if err != nil {
		return Created{}, err
	}
	newDraft := metainfo.NewDraft
	if opt.RawNames {
		newDraft = metainfo.NewRawDraft
	}
	draft, err := newDraft(name, found.files, opt.PieceLength)
	if err != nil {
		return Created{}, err
	}
	draft.Private, draft.Source, draft.Entropy = opt.Private, opt.Source, opt.Entropy
	warnings := append(found.warnings(), portability(name, draft.Files())...)
	if base := filepath.Base(path); name != base {
		warnings = append(warnings, fmt.Sprintf("the torrent is called %s and what it was made of %s: to seed that, rename it",
			printable.Of(name), printable.Of(base)))
	}
	hashes, err := hashFiles(ctx, found.sources(name), draft, opt.Progress)
	if err != nil {
		return Created{}, err
	}
	info, err := draft.Info(hashes)
	if err != nil {
		return Created{}, err
	}
	t := &metainfo.Torrent{Info: info, Nodes: opt.Nodes, URLList: opt.WebSeeds, Comment: opt.Comment, CreatedBy: opt.CreatedBy, CreationDate: opt.Date}
	for _, url := range opt.Trackers {
		t.AnnounceList = append(t.AnnounceList, []string{url})
	}
	if t.CreatedBy == "" {
		t.CreatedBy = "shoal " + Version
	}
	b, err := t.Encode()
	if err != nil {
		return Created{}, err
	}
	return Created{
		Metainfo: b, Name: name, InfoHash: info.Hash.String(), Files: len(found.files),
		Size: info.Saved(), PieceLength: info.PieceLength, Pieces: int(info.NumPieces()), Warnings: warnings,
	}, nil
}

// sources returns the paths of the files in the operating system, by their paths in the torrent.
func (f *finder) sources(name string) map[string]string {
	at := make(map[string]string, len(f.files))
	for i, file := range f.files {
		at[strings.Join(append([]string{name}, file.Path...), "/")] = f.at[i]
	}
	return at
}

// hashFiles returns the piece hashes of the files of a draft. at has their paths in the
// operating system.
func hashFiles(ctx context.Context, at map[string]string, draft *metainfo.Draft, progress func(done, total int64)) ([]byte, error) {
	pool := storage.NewPool(0)
	var entries []storage.Entry
	listed := make(storage.Listed, len(at))
	var off int64
	for _, f := range draft.Files() {
		path := strings.Join(append([]string{draft.Name()}, f.Path...), "/")
		// The storage takes no names that are not UTF-8; these are for messages alone.
		name := strings.ToValidUTF8(path, "\uFFFD")
		for listed[name] != "" {
			name += "?"
		}
		listed[name] = at[path]
		entries = append(entries, storage.Entry{Path: name, Length: f.Length, Offset: off})
		off += f.Length
	}
	st, err := storage.New(entries, storage.Config{FS: listed, Pool: pool})
	if err != nil {
		return nil, err
	}
	defer st.Close()
	geom := draft.Geometry()
	before, err := st.State()
	if err != nil {
		return nil, err
	}
	var done atomic.Int64
	hashes, err := disk.HashSpan(ctx, st, geom, func(piece uint32) {
		n := done.Add(int64(geom.PieceSize(piece)))
		if progress != nil {
			progress(n, geom.Total)
		}
	})
	if err != nil {
		return nil, err
	}
	after, err := st.State()
	if err != nil {
		return nil, err
	}
	for i := range after {
		if !after[i].ModTime.Equal(before[i].ModTime) || after[i].Size != entries[i].Length {
			return nil, fmt.Errorf("%s was changed while it was read: try again when nobody writes to it", printable.Of(entries[i].Path))
		}
	}
	return hashes, nil
}
