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

// CreateOptions says which torrent to create.
type CreateOptions struct {
	// Path is the file, or the folder of the files, to share.
	Path string
	// PieceLength is a power of two from 16 KiB to 512 MiB, in bytes. The default depends on the
	// size.
	PieceLength int64
	// Trackers are announce URLs, each in a tier of its own (BEP 12).
	Trackers []string
	// WebSeeds are URLs of servers that have the files (BEP 19): see AddOptions.WebSeeds.
	WebSeeds []string
	// Nodes are DHT nodes, "host:port", for a torrent without trackers (BEP 5).
	Nodes []string
	// Private limits the torrent to peers that its trackers name (BEP 27).
	Private bool
	// Comment is a text for people.
	Comment string
	// Name is the name of the torrent, which downloaders see as its file or folder. Default: the
	// name of the file or folder at Path.
	Name string
	// Source is the key "source" of the info dictionary, which some trackers require. It changes
	// the info-hash.
	Source string
	// Entropy is the key "entropy" of the info dictionary. It has no meaning, and changes the
	// info-hash. See NewEntropy.
	Entropy string
	// Date is the creation date in the torrent; zero means none.
	Date time.Time
	// FollowLinks includes the targets of symbolic links in the folder. Without it links are
	// left out, with a warning. Path itself can be a link in any case.
	FollowLinks bool
	// IncludeJunk includes files that systems create for themselves, such as .DS_Store,
	// Thumbs.db and desktop.ini. Without it they are left out, with a warning.
	IncludeJunk bool
	// RawNames keeps names that are not UTF-8 as they are. Without it they are a problem.
	RawNames bool
	// Output is where the caller will write the torrent: a file there is left out.
	Output string
	// Exclude leaves out files and folders whose name, or path below Path, matches one of these
	// patterns of path.Match.
	Exclude []string
	// CreatedBy is the name of the program. Default: shoal and its version.
	CreatedBy string
	// Progress, when set, gets the number of bytes hashed and of all bytes. Several goroutines
	// call it; the calls do not overlap.
	Progress func(done, total int64)
}

// Created is a new torrent.
type Created struct {
	Metainfo    []byte // content of the .torrent file
	Name        string
	InfoHash    string   // 40 hex digits
	Files       int      // number of files
	Size        int64    // bytes of all files
	PieceLength int64    // bytes
	Pieces      int      // number of pieces
	Warnings    []string // what was left out, and why; printable
}

// NewEntropy returns a random value for CreateOptions.Entropy.
func NewEntropy() string {
	var b [16]byte
	rand.Read(b[:]) // it never fails
	return hex.EncodeToString(b[:])
}

// Create creates a torrent of a file or folder. It hashes on all cores. The same files and options
// create the same torrent. When files can't be in a torrent, the error is a *ProblemsError that
// lists them. Files that are left out, or that other systems must rename, are warnings.
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
			return Created{}, errors.New("the root of a file system has no name: name the torrent with --name")
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
	hashes, err := hashFiles(ctx, found, draft, opt.Progress)
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

// hashFiles returns the piece hashes of the files of a draft, which are those that were found, in
// the same order.
func hashFiles(ctx context.Context, found *finder, draft *metainfo.Draft, progress func(done, total int64)) ([]byte, error) {
	pool := storage.NewPool(0)
	files := draft.Files()
	entries := make([]storage.Entry, 0, len(files))
	listed := make(storage.Listed, len(files))
	var off int64
	for i, f := range files {
		name := draft.Name()
		if len(f.Path) > 0 {
			name += "/" + strings.Join(f.Path, "/")
		}
		// The storage takes no names that are not UTF-8; these are for messages alone.
		name = strings.ToValidUTF8(name, "\uFFFD")
		for listed[name] != "" {
			name += "?"
		}
		listed[name] = found.at[i]
		entries = append(entries, storage.Entry{Path: name, Length: f.Length, Offset: off})
		off += f.Length
	}
	st, err := storage.New(entries, storage.Config{FS: listed, Pool: pool})
	if err != nil {
		return nil, err
	}
	defer st.Close()
	geom := draft.Geometry()
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
	changed := ""
	storage.LookAll(listed, len(entries), func(i int) string { return entries[i].Path }, func(i int, at storage.Look, err error) {
		if changed == "" && (err != nil || at.ModTime != found.times[i] || at.Size != entries[i].Length) {
			changed = entries[i].Path
		}
	})
	if changed != "" {
		return nil, fmt.Errorf("%s changed while it was read: try again when no program writes to it", printable.Of(changed))
	}
	return hashes, nil
}
