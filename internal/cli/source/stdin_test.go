package source

import (
	"context"
	"os"
	"testing"
)

// Ctrl-C ends the wait for what is piped in.
func TestStdinInterrupted(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := readStdin(WithStdin(ctx, r)); err == nil {
		t.Error("it has read what nobody wrote")
	}
}
