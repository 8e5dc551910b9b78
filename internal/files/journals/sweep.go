package journals

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"shoal/internal/files/resume"
	"shoal/internal/value/infohash"
)

// One rule removes the journals of torrents that nobody has any longer. A journal counts as used
// when it is written, and when its torrent is opened. One unused for half a year is removed when
// its download folder no longer exists; one unused for two years is removed in any case. We never
// remove the journal of a torrent that runs here, is remembered here, or is being written by any
// process, and we only touch our own folder of state. If the torrent comes back, it costs a check
// (decision 0064).
const (
	unusedFor    = 180 * 24 * time.Hour
	unusedForAny = 2 * 365 * 24 * time.Hour
	// markEvery is the accuracy of the last use: a mark costs one call.
	markEvery = 7 * 24 * time.Hour
	// sweepEvery is the time between two sweeps.
	sweepEvery = 7 * 24 * time.Hour
)

// MarkUsed marks a journal as used, unless it was marked recently (decision 0064).
func (s *Store) MarkUsed(dir string, h infohash.Hash) {
	if !s.Kept() || s.twin != nil {
		return
	}
	lay := resume.Layout{InfoHash: h}
	name := filepath.Join(s.root, Name(dir), lay.FileName())
	now := time.Now()
	if info, err := os.Stat(name); err == nil && now.Sub(info.ModTime()) > markEvery {
		_ = os.Chtimes(name, now, now) // on failure, a later call marks it
	}
}

// SweepSoon runs Sweep if the last one was a week ago or longer.
func (s *Store) SweepSoon(ctx context.Context, inUse func(infohash.Hash) bool) {
	if !s.Kept() || s.twin != nil {
		return
	}
	stamp := filepath.Join(s.root, "swept")
	now := time.Now()
	if info, err := os.Stat(stamp); err == nil && now.Sub(info.ModTime()) < sweepEvery {
		return
	}
	if _, err := os.Stat(filepath.Dir(stamp)); err != nil {
		return // no journals exist
	}
	err := s.Sweep(ctx, now, inUse)
	if err == nil {
		err = os.WriteFile(stamp, nil, 0o600)
	}
	if err == nil {
		err = os.Chtimes(stamp, now, now)
	}
	if err != nil && ctx.Err() == nil {
		s.log.Warn("remove old journals", "err", err)
	}
}

// Sweep removes journals that have not been used for long, except those of torrents in use or
// written by another process.
func (s *Store) Sweep(ctx context.Context, now time.Time, inUse func(infohash.Hash) bool) error {
	entries, err := os.ReadDir(s.root)
	if err != nil {
		return fmt.Errorf("list the journals: %w", err)
	}
	for _, entry := range entries {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if entry.IsDir() {
			err = errors.Join(err, s.sweepFolder(ctx, filepath.Join(s.root, entry.Name()), now, inUse))
		}
	}
	return err
}

func (s *Store) sweepFolder(ctx context.Context, path string, now time.Time, inUse func(infohash.Hash) bool) error {
	state, err := resume.OpenFolder(path)
	if err != nil {
		return err
	}
	defer state.Close()
	olds, err := resume.Olds(state, now.Add(-unusedFor))
	if err != nil {
		return err
	}
	for _, old := range olds {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if inUse(old.InfoHash) {
			continue
		}
		if now.Sub(old.Used) < unusedForAny && !gone(old.Dir) {
			continue
		}
		switch rerr := remove(state, old.InfoHash); {
		case rerr == nil:
			s.log.Info("removed a journal that has not been used for long", "torrent", infohash.Hash(old.InfoHash), "dir", old.Dir, "used", old.Used)
		case !errors.Is(rerr, resume.ErrInUse):
			err = errors.Join(err, rerr)
		}
	}
	return err
}

// gone reports whether a download folder is known to be missing.
func gone(dir string) bool {
	if dir == "" {
		return false
	}
	_, err := os.Stat(dir)
	return errors.Is(err, os.ErrNotExist)
}
