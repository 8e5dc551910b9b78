package shoal

import (
	"context"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"path"
	"path/filepath"
	"strings"

	"shoal/internal/engine"
	"shoal/internal/files/storage"
	"shoal/metainfo"
)

// Rename moves a file, or a folder with all its content, to another path while the torrent
// runs: from is a path as Files returns it, or the folder that some of these lie in, the
// torrent's own included; to is a path below Dir, too. Nothing is written over, and
// nothing is hashed or fetched for it; peers are dropped, and come back. A stop at any
// moment leaves each file under the one name or the other, and it is known which. The
// error is ErrPath when to is not the name of a file, or that of another file of the torrent.
func (t *Torrent) Rename(ctx context.Context, from, to string) error {
	paths := map[int]string{}
	for i, f := range t.meta.Info.Files {
		if !f.Pad {
			paths[i] = t.t.Path(i)
		}
	}
	names := engine.Names{}
	if err := addRenames(names, paths, from, to); err != nil {
		return err
	}
	return publicError(t.t.Rename(ctx, names))
}

// addRenames adds what has to be renamed for one path to become another.
func addRenames(names engine.Names, paths map[int]string, from, to string) error {
	found := false
	for i, p := range paths {
		switch below, in := strings.CutPrefix(p, from+"/"); {
		case p == from:
			names[i], found = to, true
		case in:
			names[i], found = to+"/"+below, true
		}
	}
	if !found {
		return notThere("rename", from, maps.Values(paths))
	}
	return nil
}

// pathsOf turns what AddOptions says of paths into what the engine takes.
func (opt *AddOptions) pathsOf(info *metainfo.Info) (*engine.Paths, error) {
	if len(opt.Rename) == 0 && opt.IncompleteSuffix == "" && opt.IncompleteDir == "" {
		return nil, nil
	}
	if opt.IncompleteSuffix != "" {
		if err := storage.CheckSuffix(opt.IncompleteSuffix); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrConfig, err)
		}
	}
	p := &engine.Paths{Suffix: opt.IncompleteSuffix, IncompleteDir: opt.IncompleteDir}
	paths := map[int]string{}
	for i, f := range info.Files {
		if !f.Pad {
			paths[i] = strings.Join(f.Path, "/")
		}
	}
	for from, to := range opt.Rename {
		names := engine.Names{}
		if err := addRenames(names, paths, from, to); err != nil {
			return nil, err
		}
		for i, name := range names {
			if other, ok := p.Rename[i]; ok && other != name {
				return nil, fmt.Errorf("%w: %s is to be called both %s and %s", ErrConfig, paths[i], name, other)
			}
			if p.Rename == nil {
				p.Rename = engine.Names{}
			}
			p.Rename[i] = name
		}
	}
	return p, nil
}

// Path is where the torrent lies: its file, or the folder that has all of its files.
func (t *Torrent) Path() string {
	top := ""
	for i, f := range t.meta.Info.Files {
		if f.Pad {
			continue
		}
		first, _, _ := strings.Cut(t.t.Path(i), "/")
		if top == "" {
			top = first
		}
		if first != top {
			return t.Dir()
		}
	}
	return filepath.Join(t.Dir(), path.Clean(top))
}

// notThere is the error for a path that no file of the torrent has. It spells how one differs
// that looks the same.
func notThere(op, name string, paths iter.Seq[string]) error {
	err := fs.ErrNotExist
	for p := range paths {
		for at := p; at != "."; at = path.Dir(at) {
			if metainfo.LookAlike(name, at) {
				typed, has := metainfo.Distinct(name, at)
				return &fs.PathError{Op: op, Path: name, Err: fmt.Errorf("%w: %s is not %s, which looks the same", err, typed, has)}
			}
		}
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}
