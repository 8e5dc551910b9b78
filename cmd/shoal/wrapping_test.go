package main

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shoal/internal/cli/ui"
	"shoal/metainfo"
)

// showOf runs shoal show, and gives the info-hash that it tells, or its error with its hint.
func showOf(t *testing.T, stdin string, args ...string) (hash, failed, hint string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), append([]string{"show", "--state", "none", "--json"}, args...), ui.Env{
		Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &errs, Getenv: func(string) string { return "" }, Now: time.Now,
	})
	for line := range strings.Lines(out.String()) {
		var e struct {
			Event    string
			InfoHash string `json:"info_hash"`
			Message  string
			Hint     string
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		switch e.Event {
		case "error":
			failed, hint = e.Message, e.Hint
		case "complete":
			hash = e.InfoHash
		}
	}
	return hash, failed, hint, code
}

// A torrent or a link is understood in any wrapping.
func TestWrappedSources(t *testing.T) {
	dir := t.TempDir()
	raw, err := os.ReadFile("testdata/torrents/v1-multi.torrent")
	if err != nil {
		t.Fatal(err)
	}
	m, err := metainfo.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	hash := m.InfoHash.String()
	link := "magnet:?xt=urn:btih:" + hash
	var zipped, archive bytes.Buffer
	z := gzip.NewWriter(&zipped)
	z.Write(raw)
	z.Close()
	a := zip.NewWriter(&archive)
	w, _ := a.Create("folder/one.torrent")
	w.Write(raw)
	a.Close()
	file := func(name, content string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
		return p
	}
	plain := file("a b#c%.torrent", string(raw))

	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/plain":
			rw.Header().Set("Content-Disposition", `attachment; filename="../../x.torrent"`)
			rw.Write(raw)
		case "/zipped":
			rw.Write(zipped.Bytes())
		case "/encoded":
			rw.Header().Set("Content-Encoding", "gzip")
			rw.Write(zipped.Bytes())
		case "/magnet":
			http.Redirect(rw, r, link, http.StatusFound)
		case "/text":
			rw.Write([]byte(link + "\n"))
		case "/long": // it says more than it has
			rw.Header().Set("Content-Length", "100000")
			rw.Write(raw)
		}
	}))
	defer server.Close()

	for name, c := range map[string]struct{ source, stdin string }{
		"a file":                   {source: plain},
		"gzip":                     {source: file("a.torrent.gz", zipped.String())},
		"gzip by another name":     {source: file("zipped.torrent", zipped.String())},
		"a zip archive":            {source: file("a.zip", archive.String())},
		"blanks before":            {source: file("blanks.torrent", "\r\n\r\n"+string(raw))},
		"a byte order mark":        {source: file("bom.torrent", "\xef\xbb\xbf"+string(raw))},
		"a line break behind":      {source: file("break.torrent", string(raw)+"\r\n")},
		"a link in a file":         {source: file("link.txt", "\ufeff"+link+"\r\n")},
		"a link in a .magnet file": {source: file("a.magnet", link)},
		"a hash in a file":         {source: file("hash.txt", hash+"\n")},
		"standard input":           {"-", string(raw)},
		"zipped standard input":    {"-", zipped.String()},
		"a link by standard input": {"-", link + "\n"},
		"a file URL":               {source: (&url.URL{Scheme: "file", Path: plain}).String()},
		"of this machine":          {source: (&url.URL{Scheme: "file", Host: "localhost", Path: plain}).String()},
		"with one slash":           {source: "FILE:" + (&url.URL{Path: plain}).EscapedPath()},
		"a data URL":               {source: "data:application/x-bittorrent;base64," + base64.StdEncoding.EncodeToString(raw)},
		"one for URLs":             {source: "data:;base64," + base64.RawURLEncoding.EncodeToString(raw)},
		"one that is escaped":      {source: "data:," + url.PathEscape(string(raw))},
		"a link":                   {source: link},
		"a link in brackets":       {source: " <" + link + ">\n"},
		"the hash":                 {source: strings.ToUpper(hash)},
		"the hash and a slash":     {source: hash + "/"},
		"the hash as a file":       {source: hash + ".torrent"},
		"a URL":                    {source: server.URL + "/plain"},
		"a URL in brackets":        {source: "<" + server.URL + "/plain>"},
		"a URL in upper case":      {source: strings.Replace(server.URL, "http", "HTTP", 1) + "/plain"},
		"a zipped answer":          {source: server.URL + "/zipped"},
		"an encoded answer":        {source: server.URL + "/encoded"},
		"a redirect to a link":     {source: server.URL + "/magnet"},
		"a link as an answer":      {source: server.URL + "/text"},
		"a wrong length":           {source: server.URL + "/long"},
		"a link in a page's URL":   {source: "https://site.example/go?to=" + url.QueryEscape(link) + "&x=1"},
	} {
		if got, failed, _, code := showOf(t, c.stdin, c.source); got != hash || code != 0 {
			t.Errorf("%s: %q: %s, exit code %d: %s", name, c.source, got, code, failed)
		}
	}
}

// What is neither a torrent nor a link is called what it is, with what to do.
func TestOtherSources(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
		return p
	}
	secure := httptest.NewUnstartedServer(http.RedirectHandler("http://127.0.0.1:1/", http.StatusFound))
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // it complains of who does not trust it
	secure.StartTLS()
	defer secure.Close()
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/page":
			rw.Write([]byte("<!DOCTYPE html><html><title>Sign in</title>"))
		case "/login":
			rw.WriteHeader(http.StatusForbidden)
		case "/json":
			rw.Write([]byte(`{"error":"no"}`))
		}
	}))
	defer server.Close()
	for name, c := range map[string]struct{ source, stdin, failed, hint string }{
		"a page in a file":     {source: file("a.torrent", "<html><head>"), failed: "a web page, not a torrent", hint: "log in"},
		"a page of a server":   {source: server.URL + "/page", failed: "a web page, not a torrent", hint: "log in there?"},
		"a login":              {source: server.URL + "/login", failed: "wants a login", hint: "log in there"},
		"JSON":                 {source: server.URL + "/json", failed: "JSON, not a torrent"},
		"nothing from a URL":   {source: server.URL + "/none", failed: "an empty file, not a torrent"},
		"an empty file":        {source: file("empty.torrent", ""), failed: "an empty file, not a torrent"},
		"a RAR":                {source: file("b.torrent", "Rar!\x1a\x07"), failed: "a RAR archive, not a torrent", hint: "unpack it"},
		"an NZB":               {source: file("c.nzb", "<?xml?><!DOCTYPE nzb"), failed: "an NZB file, which is for Usenet"},
		"words":                {source: file("d.torrent", "hello"), failed: "a text, not a torrent"},
		"two links":            {source: file("two.txt", "magnet:?xt=urn:btih:"+strings.Repeat("ab", 20)+"\nmagnet:?xt=urn:btih:"+strings.Repeat("cd", 20)), failed: "holds 2 magnet links", hint: "one at a time"},
		"nothing piped":        {source: "-", failed: "nothing came", hint: "pipe"},
		"a page piped":         {source: "-", stdin: "<html>", failed: "a web page, not a torrent"},
		"no hash":              {source: "magnet:?dn=x", failed: "not a magnet link"},
		"magnet and nonsense":  {source: "magnet:nonsense", failed: "not a magnet link"},
		"half a hash":          {source: "magnet:?xt=urn:btih:abcdef", failed: "not a magnet link"},
		"half a bare hash":     {source: strings.Repeat("ab", 19) + "a", failed: "has 40 hexadecimal digits, and this has 39"},
		"an urn of others":     {source: "urn:sha1:abc", failed: "not a magnet link"},
		"ftp":                  {source: "ftp://a.example/a.torrent", failed: "not over ftp"},
		"another host's file":  {source: "file://host/a.torrent", failed: "not the URL of a file on this machine"},
		"a file that is not":   {source: "file:///none/a.torrent", failed: "no such file"},
		"a folder":             {source: dir, failed: "is a folder", hint: "name a .torrent file in it"},
		"data without a comma": {source: "data:text/plain", failed: "no comma"},
		"data of a page":       {source: "data:text/html,<html>", failed: "a web page"},
		"no such file":         {source: filepath.Join(dir, "none.torrent"), failed: "no such file"},
		"a certificate":        {source: secure.URL, failed: "certificate", hint: "--ca-file FILE"},
	} {
		hash, failed, hint, code := showOf(t, c.stdin, c.source)
		if code == 0 || hash != "" || !strings.Contains(failed, c.failed) || !strings.Contains(hint, c.hint) {
			t.Errorf("%s: exit code %d, %q, hint %q", name, code, failed, hint)
		}
	}
	if _, failed, _, _ := showOf(t, "", "--ca-file", file("no.pem", "x"), "a"); !strings.Contains(failed, "no certificate") {
		t.Errorf("a file without a certificate: %q", failed)
	}
	own := file("own.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw})))
	if _, failed, hint, _ := showOf(t, "", "--ca-file", own, secure.URL); !strings.Contains(failed, "from https to http") || !strings.Contains(hint, "--allow-downgrade") {
		t.Errorf("a downgrade: %q, hint %q", failed, hint)
	}
	if _, failed, _, _ := showOf(t, "", "--ca-file", own, "--allow-downgrade", secure.URL); !strings.Contains(failed, "connection refused") {
		t.Errorf("a downgrade that is followed: %q", failed)
	}
}
