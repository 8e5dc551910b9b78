package main

import (
	"context"
	"fmt"
	"path/filepath"

	"shoal"
	"shoal/metainfo"
)

// unlearned is how the wait for metadata ended.
func unlearned(ctx context.Context, what string, err error) error {
	if stopSignal(ctx) == nil {
		return fail(what, err)
	}
	return &failure{
		exitInterrupted, fmt.Errorf("%s: %w", what, context.Cause(ctx)),
		"no peer has given the metadata yet; more trackers in the link, or --peer, may help",
	}
}

// saveMetadata writes the .torrent file of a source, for get --metadata-only.
func saveMetadata(ctx context.Context, out *output, src source, n netFlags, to string) error {
	start, raw := out.now(), src.raw
	if src.link != nil {
		s, err := openSession(out, n)
		if err != nil {
			return err
		}
		if raw, err = metadataOf(ctx, s, src, n); err != nil {
			s.close()
			return err
		}
		if err := s.close(); err != nil {
			return err
		}
		if src, err = understood(src.path, raw); err != nil {
			return err
		}
	}
	if to == "" {
		to = metainfo.SafeName(src.meta.Info.Name) + ".torrent"
	}
	if err := writeNew(to, raw); err != nil {
		return err
	}
	out.say("%s  %s in %s", src.name(), size(src.meta.Info.Saved()), count(saved(src.meta.Info.Files), "file"))
	out.say("saved as %s", printable(to))
	if abs, err := filepath.Abs(to); err == nil {
		to = abs
	}
	out.event("complete", completeEvent{
		InfoHash: src.meta.InfoHash.String(), Name: src.meta.Info.Name, Seconds: seconds(out.now().Sub(start)),
		Bytes: int64(len(raw)), Dir: filepath.Dir(to), Path: to,
	})
	return nil
}

// metadataOf fetches the metadata of a link and nothing else.
func metadataOf(ctx context.Context, s *session, src source, n netFlags) ([]byte, error) {
	what := "get the metadata of " + src.name()
	m, err := s.engine.AddMagnet(src.link.String(), shoal.AddOptions{Peers: n.peers, MetadataOnly: true})
	if err != nil {
		return nil, fail(what, err)
	}
	if err := learn(ctx, s, m); err != nil {
		return nil, unlearned(ctx, what, err)
	}
	raw, err := m.Metainfo(ctx)
	return raw, fail(what, err)
}
