package transfer

import (
	"context"
	"fmt"
	"path/filepath"

	"shoal"
	"shoal/internal/cli/progress"
	"shoal/internal/cli/session"
	"shoal/internal/cli/source"
	"shoal/internal/cli/ui"
	"shoal/metainfo"
)

// unlearned is how the wait for metadata ended.
func unlearned(ctx context.Context, what string, err error) error {
	if ui.StopSignal(ctx) == nil {
		return ui.Fail(what, err)
	}
	return &ui.Failure{
		Code: ui.ExitInterrupted, Err: fmt.Errorf("%s: %w", what, context.Cause(ctx)),
		Hint: "no peer has given the metadata yet; more trackers in the link, or --peer, may help",
	}
}

// saveMetadata writes the .torrent file of a source, for get --metadata-only.
func saveMetadata(ctx context.Context, out *ui.Output, src source.Source, n session.Flags, to string) error {
	start, raw := out.Now(), src.Raw
	if src.Link != nil {
		s, err := session.Open(out, n)
		if err != nil {
			return err
		}
		if raw, err = metadataOf(ctx, s, src, n); err != nil {
			s.Close()
			return err
		}
		if err := s.Close(); err != nil {
			return err
		}
		if src, err = source.Parse(src.Path, raw); err != nil {
			return err
		}
	}
	if to == "" {
		to = metainfo.SafeName(src.Meta.Info.Name) + ".torrent"
	}
	if err := source.WriteNew(to, raw); err != nil {
		return err
	}
	out.Say("%s  %s in %s", src.Name(), ui.Size(src.Meta.Info.Saved()), ui.Count(source.CountSaved(src.Meta.Info.Files), "file"))
	out.Say("saved as %s", ui.Printable(to))
	if abs, err := filepath.Abs(to); err == nil {
		to = abs
	}
	out.Event("complete", completeEvent{
		InfoHash: src.Meta.InfoHash.String(), Name: src.Meta.Info.Name, Seconds: ui.Seconds(out.Now().Sub(start)),
		Bytes: int64(len(raw)), Dir: filepath.Dir(to), Path: to,
	})
	return nil
}

// metadataOf fetches the metadata of a link and nothing else.
func metadataOf(ctx context.Context, s *session.Session, src source.Source, n session.Flags) ([]byte, error) {
	what := "get the metadata of " + src.Name()
	t, err := s.Engine.AddMagnet(src.Link.String(), shoal.AddOptions{Peers: n.Peers, MetadataOnly: true})
	if err != nil {
		return nil, ui.Fail(what, err)
	}
	if err := progress.Learn(ctx, s, t); err != nil {
		return nil, unlearned(ctx, what, err)
	}
	raw, err := t.Metainfo()
	return raw, ui.Fail(what, err)
}
