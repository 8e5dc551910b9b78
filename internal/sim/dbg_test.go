package sim

import (
	"flag"
	"os"
	"shoal/internal/trace"
	"strconv"
	"testing"
)

var many = flag.Int("many", 1, "")

func TestDebug(t *testing.T) {
	name := os.Getenv("SCN")
	if name == "" {
		t.Skip()
	}
	seed, _ := strconv.ParseUint(os.Getenv("SEED"), 10, 64)
	for _, s := range All() {
		if s.Name == name {
			_, err := s.Run(seed, func(w *World) {
				w.Trace = func(n *Node, r trace.Record) { t.Logf("%s %s", n.spec.Name, r.AppendJSON(nil)) }
			})
			t.Log(err)
		}
	}
}
