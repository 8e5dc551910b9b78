package shoal

import (
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"io/fs"
	"os"
	pathpkg "path"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"shoal/internal/disk"
	"shoal/internal/storage"
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
	// Exclude leaves out files and folders whose name, or path below Path, fits one of
	// these patterns, as path.Match has them.
	Exclude []string
	// CreatedBy is the name of the program; default: shoal and its version.
	CreatedBy string
	// Progress, when set, is told how many bytes are hashed. It is called from
	// several goroutines, one at a time.
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

// Create makes a torrent of a file or folder. It hashes on all cores. The same
// files and options give the same torrent. Symbolic links and other special
// files are left out with a warning.
func Create(ctx context.Context, opt CreateOptions) (Created, error) {
	path, err := filepath.Abs(opt.Path)
	if err != nil {
		return Created{}, fmt.Errorf("create a torrent of %s: %w", opt.Path, err)
	}
	name := filepath.Base(path)
	files, warnings, err := findFiles(path, opt.Exclude)
	if err != nil {
		return Created{}, fmt.Errorf("create a torrent of %s: %w", opt.Path, err)
	}
	draft, err := metainfo.NewDraft(name, files, opt.PieceLength)
	if err != nil {
		return Created{}, fmt.Errorf("create a torrent of %s: %w", opt.Path, err)
	}
	draft.Private = opt.Private
	if err := keepNames(name, draft); err != nil {
		return Created{}, fmt.Errorf("create a torrent of %s: %w", opt.Path, err)
	}
	hashes, err := hashFiles(ctx, filepath.Dir(path), name, draft, opt.Progress)
	if err != nil {
		return Created{}, fmt.Errorf("hash %s: %w", opt.Path, err)
	}
	info, err := draft.Info(hashes)
	if err != nil {
		return Created{}, fmt.Errorf("create a torrent of %s: %w", opt.Path, err)
	}
	t := &metainfo.Torrent{Info: info, Nodes: opt.Nodes, URLList: opt.WebSeeds, Comment: opt.Comment, CreatedBy: opt.CreatedBy}
	for _, url := range opt.Trackers {
		t.AnnounceList = append(t.AnnounceList, []string{url})
	}
	if t.CreatedBy == "" {
		t.CreatedBy = "shoal " + Version
	}
	b, err := t.Encode()
	if err != nil {
		return Created{}, fmt.Errorf("create a torrent of %s: %w", opt.Path, err)
	}
	return Created{
		Metainfo: b, Name: info.Name, InfoHash: info.Hash.String(), Files: len(files),
		Size: info.Length, PieceLength: info.PieceLength, Pieces: int(info.NumPieces()), Warnings: warnings,
	}, nil
}

// findFiles lists the plain files at path. For a single file the list has one
// entry without a path.
func findFiles(path string, exclude []string) (files []metainfo.NewFile, warnings []string, err error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, nil, err
	}
	if !st.IsDir() {
		if !st.Mode().IsRegular() {
			return nil, nil, errors.New("not a plain file or a folder")
		}
		return []metainfo.NewFile{{Length: st.Size()}}, nil, nil
	}
	left := 0
	err = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(path, p)
		if err != nil {
			return err
		}
		if p != path && excluded(exclude, filepath.ToSlash(rel)) {
			left++
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.IsDir() {
			return nil
		}
		if !d.Type().IsRegular() {
			warnings = append(warnings, metainfo.Printable(rel)+" is left out: it is not a plain file")
			return nil
		}
		fi, err := d.Info()
		if err != nil {
			return err
		}
		files = append(files, metainfo.NewFile{Path: strings.Split(filepath.ToSlash(rel), "/"), Length: fi.Size()})
		return nil
	})
	if err == nil && len(files) == 0 {
		err = errors.New("there is no file in it")
		if left > 0 {
			err = errors.New("no file is left in it")
		}
	}
	if left > 0 {
		warnings = append(warnings, fmt.Sprintf("left out as asked: %d", left))
	}
	return files, warnings, err
}

// excluded reports whether one of the patterns fits a path, or its last element.
func excluded(patterns []string, rel string) bool {
	for _, p := range patterns {
		for _, s := range [2]string{rel, pathpkg.Base(rel)} {
			if ok, _ := pathpkg.Match(strings.TrimSuffix(p, "/"), s); ok {
				return true
			}
		}
	}
	return false
}

// keepNames refuses names that are not saved as they are (metainfo.SafeName, and names
// that differ in case or form alone): whoever gets the torrent would have other files
// than are here, and it could not be seeded from here.
func keepNames(name string, draft *metainfo.Draft) error {
	probe, err := draft.Info(make([]byte, int(draft.Geometry().Pieces)*sha1.Size))
	if err != nil {
		return err
	}
	b, err := (&metainfo.Torrent{Info: probe}).Encode()
	if err != nil {
		return err
	}
	m, err := metainfo.Parse(b)
	if err != nil {
		return err
	}
	for i, f := range draft.Files() {
		want := append([]string{name}, f.Path...)
		if got := m.Info.Files[i].Path; !slices.Equal(got, want) {
			return fmt.Errorf("the name %s is not the same on every system, it would be saved as %s: rename it, or leave it out",
				metainfo.Printable(strings.Join(want, "/")), metainfo.Printable(strings.Join(got, "/")))
		}
	}
	return nil
}

// hashFiles gives the piece hashes of the files of a draft, which lie in dir.
func hashFiles(ctx context.Context, dir, name string, draft *metainfo.Draft, progress func(done, total int64)) ([]byte, error) {
	folder, err := storage.OpenFolder(dir)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	pool := storage.NewPool(0)
	var entries []storage.Entry
	var off int64
	for _, f := range draft.Files() {
		entries = append(entries, storage.Entry{
			Path: strings.Join(append([]string{name}, f.Path...), "/"), Length: f.Length, Offset: off,
		})
		off += f.Length
	}
	st, err := storage.New(entries, storage.Config{FS: folder, Pool: pool})
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
			return nil, fmt.Errorf("%s was changed while it was read: try again when nobody writes to it", metainfo.Printable(entries[i].Path))
		}
	}
	return hashes, nil
}
