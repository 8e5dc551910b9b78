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

// Journals of torrents that nobody has any more go by one rule. A journal is used when it
// is written, and when its torrent is opened. One that was not used for half a year goes
// when its download folder is not there any more, one that was not used for two years in
// any case. Never one of a torrent that runs here, is remembered here, or is being written
// by anybody; and only in our own folder of state. What that may cost is a check, should
// the torrent come back.
const (
	unusedFor    = 180 * 24 * time.Hour
	unusedForAny = 2 * 365 * 24 * time.Hour
	// markEvery is how exactly the last use is known: a mark is one call.
	markEvery = 7 * 24 * time.Hour
	// sweepEvery is between two looks for such journals.
	sweepEvery = 7 * 24 * time.Hour
)

// MarkUsed notes that a journal is used, unless that was noted not long ago (decision 0064).
func (s *Store) MarkUsed(dir string, h infohash.Hash) {
	if !s.Kept() || s.twin != nil {
		return
	}
	lay := resume.Layout{InfoHash: h}
	name := filepath.Join(s.root, Name(dir), lay.FileName())
	now := time.Now()
	if info, err := os.Stat(name); err == nil && now.Sub(info.ModTime()) > markEvery {
		_ = os.Chtimes(name, now, now) // else it is marked another time
	}
}

// SweepSoon is Sweep where the last one was a week ago or longer.
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
		return // there are none
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

// Sweep removes journals that nobody has used for long, but for those of torrents that are in
// use, or that another process writes.
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
			s.log.Info("removed a journal that nobody has used for long", "torrent", infohash.Hash(old.InfoHash), "dir", old.Dir, "used", old.Used)
		case !errors.Is(rerr, resume.ErrInUse):
			err = errors.Join(err, rerr)
		}
	}
	return err
}

// gone reports whether a download folder is known not to be there.
func gone(dir string) bool {
	if dir == "" {
		return false
	}
	_, err := os.Stat(dir)
	return errors.Is(err, os.ErrNotExist)
}
