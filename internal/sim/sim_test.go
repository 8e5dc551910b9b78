package sim

import (
	"fmt"
	"testing"
	"time"

	"shoal/internal/trace"
)

func TestBasic(t *testing.T) {
	w := New(1, 16, 4)
	seed := w.Add(Spec{Name: "S", Have: w.Full(), Up: 200_000})
	var all []*Node
	for i := range 9 {
		all = append(all, w.Add(Spec{Name: fmt.Sprint("L", i), Up: 100_000}))
	}
	for i, a := range all {
		a.Connect(seed)
		for _, b := range all[:i] {
			a.Connect(b)
		}
	}
	ideal := w.Ideal()
	err := w.Complete(10 * time.Minute)
	t.Logf("ideal %v, took %v, %d events, %d lines, hash %x", ideal, w.Now(), w.steps, w.Lines(), w.Hash())
	if err != nil {
		t.Fatal(err)
	}
}

func logTrace(t *testing.T, w *World) {
	w.Trace = func(n *Node, r trace.Record) { t.Logf("%s %s", n.spec.Name, r.AppendJSON(nil)) }
}
