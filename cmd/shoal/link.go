package main

import (
	"context"
	"fmt"
	"path/filepath"

	"shoal"
	"shoal/magnet"
	"shoal/metainfo"
)

func fromLink(name, text string) (source, error) {
	l, err := magnet.Parse(text)
	if err != nil {
		return source{}, usageErr("copy the whole link, in quotation marks: it looks like 'magnet:?xt=urn:btih:...'", "%s: %w", brief(name), err)
	}
	if l.V1.IsZero() {
		return source{}, sourceErr("ask for a v1 or a hybrid torrent of the same files", "%s: %w", l.V2, shoal.ErrV2)
	}
	return source{path: name, link: l}, nil
}

// brief shows the beginning of a source: links are long.
func brief(name string) string {
	text := []rune(printable(shoal.Redact(name)))
	if len(text) > 64 {
		return string(text[:63]) + "…"
	}
	return string(text)
}

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
		if raw, err = s.metadataOf(ctx, src, n); err != nil {
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
func (s *session) metadataOf(ctx context.Context, src source, n netFlags) ([]byte, error) {
	what := "get the metadata of " + src.name()
	m, err := s.engine.AddMagnet(src.link.String(), shoal.AddOptions{Peers: n.peers, MetadataOnly: true})
	if err != nil {
		return nil, fail(what, err)
	}
	if err := s.learn(ctx, m); err != nil {
		return nil, unlearned(ctx, what, err)
	}
	raw, err := m.Metainfo(ctx)
	return raw, fail(what, err)
}
