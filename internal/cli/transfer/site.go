package transfer

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"shoal"
	"shoal/httpserve"
	"shoal/internal/cli/cmdline"
	"shoal/internal/cli/ui"
)

// webFlags are where and how files are served.
type webFlags struct {
	again bool
	at    cmdline.ListenFlag
	names namesFlag
	wait  time.Duration
}

// namesFlag collects host names.
type namesFlag []string

func (n *namesFlag) Type() string   { return "NAME" }
func (n *namesFlag) String() string { return cmdline.Joined(*n) }

// Repeats says that the flag may be given several times.
func (n *namesFlag) Repeats() {}

func (n *namesFlag) Set(text string) error {
	text = strings.ToLower(strings.TrimSuffix(text, "."))
	if !cmdline.IsHostName(text) {
		return errors.New("write a host name alone, like films.lan, without http:// and without a port")
	}
	*n = append(*n, text)
	return nil
}

// site shows a torrent's files to browsers and players.
type site struct {
	t       *shoal.Torrent
	addr    netip.AddrPort
	names   []string // under which requests are answered besides our addresses
	wait    time.Duration
	gaveUp  func(path string) // says that a request got no data
	files   fs.FS
	folders http.Handler
}

func newSite(ctx context.Context, t *shoal.Torrent, addr netip.AddrPort, web webFlags) *site {
	files := t.FS(ctx)
	return &site{
		t: t, addr: addr, names: web.names, wait: web.wait, gaveUp: func(string) {},
		files: files, folders: http.FileServerFS(listed{files}),
	}
}

// roots returns the addresses of the site that people can type, those with a name first.
func (s *site) roots() (all []string) {
	hosts := slices.Clone(s.names)
	for _, a := range httpserve.Reachable(s.addr) {
		host := a.Addr().String()
		if a.Addr().Is6() {
			host = "[" + host + "]"
		}
		hosts = append(hosts, host)
	}
	port := fmt.Sprintf(":%d", s.addr.Port())
	if s.addr.Port() == httpPort {
		port = ""
	}
	for _, h := range hosts {
		all = append(all, "http://"+h+port+"/")
	}
	return all
}

// httpPort is the one that browsers leave away.
const httpPort = 80

// links returns the address of each file.
func (s *site) links(root string) (out []string) {
	for _, f := range s.t.Files() {
		out = append(out, root+(&url.URL{Path: f.Path}).EscapedPath())
	}
	return out
}

// ServeHTTP refuses what no player asks: other methods than GET and HEAD, and other
// names than ours, by which a page from elsewhere could read what is here once its name
// leads to us (DNS rebinding).
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
	case !s.ours(r):
		http.Error(w, "this is not the name of this server; shoal serve --http-name NAME allows one", http.StatusMisdirectedRequest)
	case r.URL.Path == "/":
		h.Set("Content-Type", "text/html; charset=utf-8")
		page.Execute(w, struct {
			Name  string
			Files []shoal.File
		}{s.t.Name(), s.t.Files()})
	default:
		s.file(w, r)
	}
}

// ours reports whether a request names this server, by its address or a name that the user
// allows. One of HTTP/1.0 without a name comes from no browser: those always send it, so no
// page can have made it.
func (s *site) ours(r *http.Request) bool {
	if r.Host == "" {
		return r.ProtoMajor == 1 && r.ProtoMinor == 0 && len(r.Header["Host"]) == 0
	}
	name, port, err := net.SplitHostPort(r.Host)
	if err != nil {
		name, port = strings.TrimSuffix(strings.TrimPrefix(r.Host, "["), "]"), fmt.Sprint(httpPort)
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if slices.Contains(s.names, name) {
		return true // at any port: something may stand before us
	}
	if port != fmt.Sprint(s.addr.Port()) {
		return false
	}
	if name == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(name)
	return err == nil && (s.addr.Addr().IsUnspecified() || ip.Unmap() == s.addr.Addr().Unmap())
}

// errNobody ends a read for which nothing comes.
var errNobody = errors.New("nobody sends it")

// file answers with a file, or a part of it.
func (s *site) file(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/")
	info, err := fs.Stat(s.files, name)
	if err != nil {
		info, err = fs.Stat(s.files, strings.TrimSuffix(name, "/"))
		if err != nil || !info.IsDir() {
			http.NotFound(w, r)
			return
		}
	}
	if info.IsDir() {
		s.folders.ServeHTTP(w, r)
		return
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	f, err := s.t.Open(ctx, name)
	if err != nil {
		http.NotFound(w, r) // it was renamed a moment ago
		return
	}
	defer f.Close()
	w.Header().Set("Content-Type", mediaType(name))
	late := &lateWriter{ResponseWriter: w}
	p := &patient{Reader: f, t: s.t, wait: s.wait, cancel: cancel}
	http.ServeContent(late, r, "", info.ModTime(), p)
	switch {
	case !p.failed:
		late.flush()
		return
	case errors.Is(context.Cause(ctx), errNobody):
		s.gaveUp(name)
	}
	if late.sent {
		panic(http.ErrAbortHandler) // the player sees that it is not all
	}
	h := w.Header()
	for _, name := range []string{"Content-Length", "Content-Range", "Accept-Ranges", "Last-Modified"} {
		h.Del(name)
	}
	h.Set("Retry-After", "30")
	http.Error(w, "nobody has sent this part of the file yet", http.StatusServiceUnavailable)
}

// listed is a torrent's files without each folder's index.html, which http.FileServerFS would
// show in place of the folder's list. The file has its own address, as all files have.
type listed struct{ fs.FS }

func (l listed) Open(name string) (fs.File, error) {
	if f, err := l.FS.Open(name); err != nil || path.Base(name) != "index.html" {
		return f, err
	} else if info, err := f.Stat(); err == nil && info.IsDir() {
		return f, nil
	} else {
		f.Close()
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// A patient reader gives up where nothing comes: after the wait when the torrent got no
// data at all in it, and after five of them in any case while there are pieces that nobody
// has.
type patient struct {
	*shoal.Reader
	t      *shoal.Torrent
	wait   time.Duration
	cancel context.CancelCauseFunc
	failed bool
}

// mostWaits is how often a read waits while data comes that is not for it.
const mostWaits = 5

func (p *patient) Read(b []byte) (int, error) {
	done := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(p.wait)
		defer tick.Stop()
		got := p.t.Stats().Downloaded
		for n := 1; ; n++ {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			st := p.t.Stats()
			if st.Downloaded == got || n >= mostWaits && st.Unavailable > 0 {
				p.cancel(errNobody)
				return
			}
			got = st.Downloaded
		}
	}()
	n, err := p.Reader.Read(b)
	close(done)
	<-ended
	if err != nil && !errors.Is(err, io.EOF) {
		p.failed = true
	}
	return n, err
}

// A lateWriter sends the head along with the first data: until then the answer can still
// become another one.
type lateWriter struct {
	http.ResponseWriter
	code int // 0 when it was not told
	sent bool
}

func (w *lateWriter) WriteHeader(code int) { w.code = code }

func (w *lateWriter) Write(b []byte) (int, error) {
	w.flush()
	return w.ResponseWriter.Write(b)
}

func (w *lateWriter) flush() {
	if !w.sent && w.code != 0 {
		w.ResponseWriter.WriteHeader(w.code)
	}
	w.sent = true
}

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"size": ui.Size, "link": func(p string) string { return "/" + (&url.URL{Path: p}).EscapedPath() },
	"have": func(f shoal.File) string { return ui.Percent(f.Verified, f.Length) },
}).Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{.Name}}</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
td{padding:.2rem 1rem .2rem 0}td+td{white-space:nowrap;text-align:right}</style>
<h1>{{.Name}}</h1>
<table>{{range .Files}}<tr><td><a href="{{link .Path}}">{{.Path}}</a><td>{{size .Length}}<td>{{have .}}{{end}}</table>
`))
