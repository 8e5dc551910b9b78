package engine

import (
	"context"
	"errors"
	"fmt"
	"path"

	"shoal/internal/files/catalogue"
	"shoal/internal/files/erase"
	"shoal/internal/files/journals"
	"shoal/internal/files/resume"
	"shoal/internal/value/infohash"
)

// Erase removes the torrent's own files and then the torrent, like Remove. If their folder is
// missing, or ctx ends, the torrent is remembered as stopped and a later Erase can remove the
// rest. The error is ErrUnknown, or the cause.
func (e *Engine) Erase(ctx context.Context, h infohash.Hash) (erase.Result, error) {
	t := e.lookup(h)
	var spec erase.Spec
	switch {
	case t != nil:
		t.Stop(ctx)
		spec = t.eraseSpec()
	case e.library.librarian.knows(h):
		en, err := e.library.librarian.cat.Get(h)
		if err != nil {
			return erase.Result{}, fmt.Errorf("remove %s: %w", h, err)
		}
		spec = eraseSpecOf(&en)
	default:
		return erase.Result{}, fmt.Errorf("%w: %s", ErrUnknown, h)
	}
	var res erase.Result
	if spec.Dir != "" { // empty with a storage of the caller
		spec.StateDir, spec.Others = e.cfg.StateDir, e.othersThan(h)
		var err error
		if res, err = erase.Remove(ctx, spec); err != nil {
			return res, err
		}
	}
	err := e.Remove(ctx, h)
	if t != nil && errors.Is(err, ErrUnknown) {
		err = nil // the torrent was not remembered
	}
	if t != nil && spec.Dir != "" && e.cfg.StateDir != "" {
		if jerr := e.disks.Journals().Remove(spec.Dir, h); jerr != nil {
			e.log.Warn("cannot remove the journal of an erased torrent; it is removed later when it is old enough", "torrent", h, "err", jerr)
		}
	}
	return res, err
}

// eraseSpec returns where the files of a stopped torrent are; Dir is empty when the torrent has
// a storage of the caller, or no metadata and so no files.
func (t *Torrent) eraseSpec() erase.Spec {
	if !t.content.InFolder() || !t.metadata.Passed() {
		return erase.Spec{}
	}
	w := t.content.Where()
	return erase.Spec{Meta: t.Meta(), Dir: w.Dir, IncompleteDir: w.IncompleteDir, Suffix: w.Suffix, Names: w.Named}
}

func eraseSpecOf(en *catalogue.Entry) erase.Spec {
	if en.Torrent == nil || en.Pending != nil {
		return erase.Spec{}
	}
	return erase.Spec{
		Meta: en.Torrent, Dir: en.Dir, IncompleteDir: en.IncompleteDir, Suffix: en.Suffix, Names: namesOf(&en.Choices),
	}
}

func namesOf(c *catalogue.Choices) resume.Names {
	names := resume.Names{}
	for _, r := range c.Renamed {
		names[r.File] = r.Path
	}
	return names
}

// othersThan returns the files of all other torrents, running or remembered.
func (e *Engine) othersThan(h infohash.Hash) (others []erase.Other) {
	seen := map[infohash.Hash]bool{h: true}
	for _, t := range e.Torrents() {
		if seen[t.infoHash] {
			continue
		}
		seen[t.infoHash] = true
		if s := t.eraseSpec(); s.Dir != "" {
			others = append(others, otherOf(&s)...)
		}
	}
	if e.library.librarian == nil {
		return others
	}
	for _, k := range e.library.librarian.cat.Order() {
		if seen[k] {
			continue
		}
		if en, err := e.library.librarian.cat.Get(k); err == nil {
			if s := eraseSpecOf(&en); s.Dir != "" {
				others = append(others, otherOf(&s)...)
			}
		}
	}
	return others
}

// otherOf returns the files that a torrent has or will have in each of its folders.
func otherOf(s *erase.Spec) (others []erase.Other) {
	o := erase.Other{Name: s.Meta.Info.Name, Dir: s.Dir}
	for i := range s.Meta.Info.Files {
		f := &s.Meta.Info.Files[i]
		if f.Pad {
			continue
		}
		name, ok := s.Names[i]
		if !ok {
			name = path.Join(f.Path...)
		}
		o.Paths = append(o.Paths, name)
		if s.Suffix != "" {
			o.Paths = append(o.Paths, name+s.Suffix)
		}
	}
	others = append(others, o)
	if s.IncompleteDir != "" {
		o.Dir = s.IncompleteDir
		others = append(others, o)
	}
	return others
}

// Forget is Remove, or with files Erase, for a state folder that no engine has open.
func Forget(ctx context.Context, stateDir string, h infohash.Hash, files bool) (res erase.Result, err error) {
	c, lo, done, err := OpenCatalogue(stateDir)
	if err != nil {
		return res, err
	}
	defer func() { err = errors.Join(err, done(ctx)) }()
	var spec erase.Spec
	var others []erase.Other
	for i := range lo.Entries {
		s := eraseSpecOf(&lo.Entries[i])
		switch {
		case lo.Entries[i].InfoHash == h:
			spec = s
		case s.Dir != "" && files:
			others = append(others, otherOf(&s)...)
		}
	}
	if spec.Dir != "" && files {
		spec.Others, spec.StateDir = others, stateDir
		if res, err = erase.Remove(ctx, spec); err != nil {
			return res, err
		}
	}
	if err := c.Remove(h); errors.Is(err, catalogue.ErrUnknown) {
		return res, fmt.Errorf("%w: %s", ErrUnknown, h)
	} else if err != nil {
		return res, err
	}
	if spec.Dir != "" {
		// A journal that can't be removed costs a few bytes, and a later sweep removes it.
		_ = journals.Remove(stateDir, spec.Dir, h)
	}
	return res, nil
}
