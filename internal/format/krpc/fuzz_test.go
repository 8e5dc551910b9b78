package krpc

import (
	"errors"
	"slices"
	"testing"
)

// Whatever arrives, Parse keeps its bounds; and what it took in, written and read again,
// is the same message.
func FuzzParse(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		var m, again Message
		if err := Parse(b, &m); err != nil {
			var q *QueryError
			if errors.As(err, &q) && (m.Kind != Query || len(m.Transaction) > MaxTransaction) {
				t.Fatalf("%v is owed to nobody: %+v", err, m)
			}
			return
		}
		if len(m.Transaction) > MaxTransaction || len(m.Token) > MaxToken || len(m.Nodes) > 2*MaxNodes || len(m.Values) > MaxValues {
			t.Fatalf("out of bounds: %+v", m)
		}
		if m.Method == AnnouncePeer && m.Port == 0 && !m.ImpliedPort {
			t.Fatal("announce_peer for port 0")
		}
		out := Append(nil, &m)
		if err := Parse(out, &again); err != nil {
			t.Fatalf("%v: %q", err, out)
		}
		if again.Kind != m.Kind || again.ID != m.ID || again.Method != m.Method || again.Target != m.Target ||
			again.ReadOnly != m.ReadOnly || again.Port != m.Port || again.Code != m.Code ||
			string(again.Transaction) != string(m.Transaction) || string(again.Token) != string(m.Token) {
			t.Fatalf("read again\n%+v\nwas\n%+v", again, m)
		}
		if m.Kind == Reply && !slices.Equal(again.Values, m.Values) {
			t.Fatalf("values %v, were %v", again.Values, m.Values)
		}
	})
}
