package trackerclient

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"shoal/internal/format/tracker"
	"shoal/internal/testkit"
)

// A complete dictionary counts, whatever is wrong with the HTTP around it. The same table is
// given to other clients.
func TestSloppyTrackers(t *testing.T) {
	var file struct {
		Vectors []struct {
			Name, Wire, Failure, Error string
			Open                       bool
			Peers                      int
		}
	}
	testkit.Vectors(t, "sloppy.json", &file)
	for _, v := range file.Vectors {
		wire := make([]byte, 0, len(v.Wire))
		for _, r := range v.Wire {
			wire = append(wire, byte(r))
		}
		t.Run(v.Name, func(t *testing.T) {
			play(t, func(t *testing.T, w *world) {
				w.serve(public, 80, func(c net.Conn, _ *http.Request) {
					c.Write(wire)
					if v.Open {
						io.Copy(io.Discard, c)
					}
				})
				begun := time.Now()
				r, err := w.announce("http://tracker.example/announce")
				var failure *tracker.FailureError
				switch {
				case v.Failure != "":
					if !errors.As(err, &failure) || failure.Reason != v.Failure {
						t.Errorf("%v, want failure %q", err, v.Failure)
					}
				case v.Error != "":
					if err == nil || !strings.Contains(err.Error(), v.Error) {
						t.Errorf("%+v, %v, want %q", r, err, v.Error)
					}
				case err != nil || len(r.Peers) != v.Peers:
					t.Errorf("%d peers, %v, want %d", len(r.Peers), err, v.Peers)
				}
				if d := time.Since(begun); d > hurry+time.Second {
					t.Errorf("it took %v", d)
				}
			})
		})
	}
}

// slowly gives what it reads in pieces of a few bytes.
type slowly struct {
	io.Reader
	each int
}

func (s slowly) Read(b []byte) (int, error) { return s.Reader.Read(b[:min(len(b), s.each)]) }

// A reply costs time by its length, not by its square, however small the pieces are that it
// comes in: blanks of 256 KiB in single bytes took over a minute.
func TestBlanksInSmallPieces(t *testing.T) {
	for _, head := range []string{"HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", ""} {
		for _, each := range []int{1, 1448} {
			blanks := "x" + strings.Repeat(" ", 500_000*min(each, 6))
			if strings.Contains(head, "chunked") {
				blanks = strings.Repeat("1\r\n \r\n", len(blanks)/6)
			}
			r, err := read(slowly{strings.NewReader(head + blanks), each}, nil)
			if _, perr := tracker.ParseResponse(r.body); err == nil && perr == nil {
				t.Errorf("%q: taken for a reply", head)
			}
		}
	}
}
