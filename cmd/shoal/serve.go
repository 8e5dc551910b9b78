package main

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"shoal"
	"shoal/internal/netio"
)

type servingEvent struct {
	InfoHash string   `json:"info_hash"`
	URL      string   `json:"url"`
	Files    []string `json:"files"`
}

func serveCommand(out *output) *cobra.Command {
	var n netFlags
	var c chooseFlags
	web := listenFlag{netip.MustParseAddrPort("127.0.0.1:0")}
	cmd := &cobra.Command{
		Use:   "serve SOURCE [--dir DIR]",
		Short: "Play the files of a torrent while they are fetched",
		Long: `Get a torrent, and serve its files at a local address meanwhile: a browser or a
player opens them at once, and may jump about in them. What is played is fetched
first. It runs until Ctrl-C.`,
		Example: `  shoal serve film.torrent
  shoal serve series.torrent --only season-1 --http 127.0.0.1:8080`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return serve(cmd.Context(), out, args[0], n, c, web.AddrPort)
		},
	}
	n.add(cmd)
	c.add(cmd)
	cmd.Flags().Var(&web, "http", "address to serve the files at; others than your own machine's let others in")
	sources(cmd, 1)
	addJSON(cmd)
	return cmd
}

func serve(ctx context.Context, out *output, name string, n netFlags, c chooseFlags, web netip.AddrPort) error {
	src, err := anySource(ctx, name, n)
	if err != nil {
		return err
	}
	if src.meta != nil {
		if _, err := c.selection(src.meta.Info); err != nil {
			return err
		}
	}
	keepReceived(src, n)
	start := out.now()
	s, err := openSession(out, n)
	if err != nil {
		return err
	}
	d := &download{session: s, src: src, dir: n.dir, start: start, choose: c, patience: patience{"serve " + src.name(), out.now, 10 * time.Minute, 0}}
	if err = d.begin(ctx, n); err == nil {
		err = d.serve(ctx, web)
	}
	if cerr := s.close(); err == nil {
		err = cerr
	}
	return err
}

// serve answers requests until ctx ends.
func (d *download) serve(ctx context.Context, web netip.AddrPort) error {
	w := watch(d.out, d.engine, d.torrent)
	defer w.stop()
	l, err := netio.New(netio.Policy{}).Listen(web)
	if err != nil {
		return fail("serve at "+web.String(), err)
	}
	site := newSite(ctx, d.torrent, netio.AddrPort(l.Addr()))
	server := &http.Server{
		Handler: site, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(netio.Limit(l, maxViewers)) }()
	// What files are called is known when they have been looked at.
	if _, err := d.torrent.Checked(ctx); err == nil {
		d.checkedAt = d.out.now()
		links := site.links()
		d.out.say("serving at %s", links[0])
		d.out.event("serving", servingEvent{d.torrent.InfoHash(), links[0], links[1:]})
	}

	err = d.torrent.Wait(ctx)
	if err == nil {
		d.complete()
		d.out.say("serving until Ctrl-C")
		<-ctx.Done()
	}
	w.stop()
	server.Close()
	if serr := <-ended; !errors.Is(serr, http.ErrServerClosed) && err == nil {
		err = serr
	}
	switch {
	case toldToEnd(ctx):
		d.complete()
		return nil
	case stopSignal(ctx) != nil:
		s := d.torrent.Stats()
		return &failure{
			exitInterrupted, fmt.Errorf("serve %s: %w", d.src.name(), context.Cause(ctx)),
			fmt.Sprintf("%s is verified and kept; the same command goes on from there", percent(s.WantedVerified(), s.Wanted())),
		}
	}
	return fail("serve "+d.src.name(), err)
}

// maxViewers bounds the connections at once: a player opens a few.
const maxViewers = 32

// site shows a torrent's files to browsers and players.
type site struct {
	t     *shoal.Torrent
	addr  netip.AddrPort
	files http.Handler
}

func newSite(ctx context.Context, t *shoal.Torrent, addr netip.AddrPort) *site {
	return &site{t, addr, http.FileServerFS(t.FS(ctx))}
}

// links gives the address of the site, and of each file.
func (s *site) links() []string {
	root := "http://" + s.addr.String() + "/"
	out := []string{root}
	for _, f := range s.t.Files() {
		out = append(out, root+(&url.URL{Path: f.Path}).EscapedPath())
	}
	return out
}

// ServeHTTP refuses what no player asks: other methods than GET and HEAD, and other
// names than this address, by which a page from elsewhere could read what is here once
// its name leads to us (DNS rebinding).
func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; media-src 'self'; img-src 'self'; style-src 'unsafe-inline'; sandbox")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
	case !s.ours(r.Host):
		http.Error(w, "this is not the name of this server", http.StatusMisdirectedRequest)
	case r.URL.Path == "/":
		h.Set("Content-Type", "text/html; charset=utf-8")
		page.Execute(w, struct {
			Name  string
			Files []shoal.File
		}{s.t.Name(), s.t.Files()})
	default:
		s.files.ServeHTTP(w, r)
	}
}

// ours reports whether a request names this server by its address.
func (s *site) ours(host string) bool {
	name, port, err := net.SplitHostPort(host)
	if err != nil || port != fmt.Sprint(s.addr.Port()) {
		return false
	}
	if strings.EqualFold(name, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(name)
	return err == nil && (s.addr.Addr().IsUnspecified() || ip.Unmap() == s.addr.Addr().Unmap())
}

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"size": size, "link": func(p string) string { return "/" + (&url.URL{Path: p}).EscapedPath() },
	"have": func(f shoal.File) string { return percent(f.Verified, f.Length) },
}).Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{.Name}}</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
td{padding:.2rem 1rem .2rem 0}td+td{white-space:nowrap;text-align:right}</style>
<h1>{{.Name}}</h1>
<table>{{range .Files}}<tr><td><a href="{{link .Path}}">{{.Path}}</a><td>{{size .Length}}<td>{{have .}}{{end}}</table>
`))
