package webseed

import (
	"crypto/x509"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"shoal/internal/decide/swarm/webplan"
	"shoal/internal/files/disk"
	"shoal/internal/net/netio"
	"shoal/internal/value/block"
	"shoal/metainfo"
)

// A certificate is looked at: one that nobody vouches for ends it, one that is trusted does
// not. From https nothing leads to http.
func TestOverTLS(t *testing.T) {
	draft, err := metainfo.NewDraft("name", []metainfo.NewFile{{Length: 40_000}}, pieceLength)
	if err != nil {
		t.Fatal(err)
	}
	info, err := draft.Info(make([]byte, 20))
	if err != nil {
		t.Fatal(err)
	}
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 40_000)) }))
	defer plain.Close()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/down" {
			http.Redirect(w, r, plain.URL, http.StatusFound)
			return
		}
		w.Write(make([]byte, 40_000))
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // it complains of who does not trust it
	server.StartTLS()
	defer server.Close()
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	for _, c := range []struct {
		pool *x509.CertPool
		path string
		want webplan.Outcome
		text string
	}{
		{nil, "/f", webplan.Broken, "certificate"},
		{pool, "/f", webplan.Done, ""},
		{pool, "/down", webplan.Done, ""}, // the hash of each piece vouches for it
	} {
		budget := disk.NewBudget(8 * block.Size)
		got := make(chan *Batch, 16)
		var group sync.WaitGroup
		client := &Client{Network: netio.New(netio.Policy{LoopbackOnly: true}), RootCAs: c.pool}
		conn := client.New(t.Context(), &Torrent{
			Info: info, Buffers: budget, Group: &group, Deliver: func(b *Batch) bool { got <- b; return true },
		}, Source{URL: server.URL + c.path})
		conn.Fetch(&webplan.Act{ID: 1, Run: webplan.Run{Blocks: 3}, Segments: []webplan.Segment{{Length: 40_000}}})
		end := (*webplan.Result)(nil)
		for end == nil {
			b := <-got
			for _, it := range b.Items {
				budget.Put(it.Block)
			}
			end = b.End
		}
		if end.Outcome != c.want || !strings.Contains(end.Text, c.text) {
			t.Errorf("%s: %v %q, want %v %q", c.path, end.Outcome, end.Text, c.want, c.text)
		}
		conn.Close()
		group.Wait()
	}
}
