package transfer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"shoal/httpserve"
	"shoal/internal/cli/cmdline"
	"shoal/internal/cli/progress"
	"shoal/internal/cli/session"
	"shoal/internal/cli/source"
	"shoal/internal/cli/ui"
)

type servingEvent struct {
	InfoHash string   `json:"info_hash"`
	URL      string   `json:"url"`
	URLs     []string `json:"urls"`
	Files    []string `json:"files"`
}

func ServeCommand(out *ui.Output) *cobra.Command {
	var n session.Flags
	var c source.ChooseFlags
	web := webFlags{at: cmdline.ListenFlag{AddrPort: netip.MustParseAddrPort("127.0.0.1:0")}}
	cmd := &cobra.Command{
		Use:   "serve SOURCE [--dir DIR]",
		Short: "Play the files of a torrent while they are fetched",
		Long: `Get a torrent, and serve its files at a local address meanwhile: a browser or a
player opens them at once, and may jump about in them. What is played is fetched
first. It runs until Ctrl-C.

Requests are answered that name the server by its address, or by a --http-name: a
page from elsewhere could otherwise read what is here once its name leads to us.`,
		Example: `  shoal serve film.torrent
  shoal serve series.torrent --only season-1 --http 127.0.0.1:8080
  sudo shoal serve series.torrent --http 0.0.0.0:80 --http-name films.lan`,
		RunE: func(cmd *cobra.Command, args []string) error {
			n.DirNamed = cmd.Flags().Changed("dir")
			return serve(cmd.Context(), out, args[0], n, c, web)
		},
	}
	n.Add(cmd)
	c.Add(cmd)
	cmd.Flags().Var(&web.at, "http", "address to serve the files at; others than your own machine's let others in")
	cmd.Flags().Var(&web.names, "http-name", "answer also under this name (repeat for more)")
	cmd.Flags().BoolVar(&web.again, "anew", false, source.AnewHelp)
	cmd.Flags().DurationVar(&web.wait, "http-wait", time.Minute, "how `LONG` a request waits for data before it fails")
	cmdline.Sources(cmd, 1)
	cmdline.AddJSON(cmd)
	return cmd
}

func serve(ctx context.Context, out *ui.Output, name string, n session.Flags, c source.ChooseFlags, web webFlags) error {
	if web.wait <= 0 {
		return ui.UsageError("write a time such as 30s", "--http-wait %v: not a time to wait", web.wait)
	}
	src, err := source.Any(ctx, name, n)
	if err != nil {
		return err
	}
	if src.Meta != nil {
		if _, err := c.Selection(src.Meta.Info); err != nil {
			return err
		}
	}
	source.KeepReceived(src, n)
	start := out.Now()
	if n.Dir, _, err = source.Placed(ctx, out, src, n); err != nil {
		return err
	}
	s, err := session.Open(out, n)
	if err != nil {
		return err
	}
	d := &download{Session: s, src: src, dir: n.Dir, again: web.again, start: start, choose: c, patience: patience{"serve " + src.Name(), out.Now, 10 * time.Minute, 0, false}}
	if err = d.begin(ctx, n); err == nil {
		err = d.serve(ctx, web)
	}
	if cerr := s.Close(); err == nil {
		err = cerr
	}
	return err
}

// serve answers requests until ctx ends.
func (d *download) serve(ctx context.Context, web webFlags) error {
	w := progress.Watch(d.Out, d.Engine, d.torrent)
	defer w.Stop()
	l, err := httpserve.Listen(web.at.AddrPort)
	if err != nil {
		return ui.Fail("serve at "+web.at.String(), err)
	}
	site := newSite(ctx, d.torrent, l.Addr(), web)
	site.gaveUp = func(path string) {
		d.Out.Warn("%s: nobody has sent what a player asks for in %v; its request has failed", ui.Printable(path), web.wait)
	}
	server := &http.Server{
		Handler: site, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog:    slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug), // of clients that go away
	}
	ended := make(chan error, 1)
	go func() { ended <- l.Serve(server, maxViewers) }()
	// What files are called is known when they have been looked at.
	if _, err := d.torrent.WaitChecked(ctx); err == nil {
		d.checkedAt = d.Out.Now()
		roots := site.roots()
		d.Out.Say("serving at %s", strings.Join(roots, " and "))
		d.Out.Event("serving", servingEvent{d.torrent.InfoHash(), roots[0], roots, site.links(roots[0])})
	}

	err = d.torrent.Wait(ctx)
	if err == nil {
		d.complete()
		d.Out.Say("serving until Ctrl-C")
		<-ctx.Done()
	}
	w.Stop()
	server.Close()
	if serr := <-ended; !errors.Is(serr, http.ErrServerClosed) && err == nil {
		err = serr
	}
	switch {
	case ui.Terminated(ctx):
		return context.Cause(ctx) // the end of a service
	case ui.StopSignal(ctx) != nil:
		s := d.torrent.Stats()
		return &ui.Failure{
			Code: ui.ExitInterrupted, Err: fmt.Errorf("serve %s: %w", d.src.Name(), context.Cause(ctx)),
			Hint: fmt.Sprintf("%s is verified and kept; the same command goes on from there", ui.Percent(s.WantedVerified(), s.Wanted())),
		}
	}
	return ui.Fail("serve "+d.src.Name(), err)
}

// maxViewers bounds the connections at once: a player opens a few. When all are taken, one
// that asks for nothing gives way.
const maxViewers = 32
