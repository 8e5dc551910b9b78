package transfer

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"shoal"
	"shoal/internal/cli/ui"
)

// --on-complete runs a program when a torrent is complete. No shell is in between, and what
// strangers named goes into the environment alone, so that no name can become a command.

const (
	// hooksAtOnce bounds the programs at a time: a list of torrents may become complete
	// in one moment.
	hooksAtOnce = 2
	// hookWithin bounds how long a program may take. Unpacking and converting are slow;
	// a program that hangs must not keep a command from its end forever.
	hookWithin = time.Hour
	// hookGrace is between the request to end and the end by force.
	hookGrace = 5 * time.Second
)

type hookEvent struct {
	InfoHash string `json:"info_hash"`
	Name     string `json:"name"`
	Program  string `json:"program"`
	Exit     int    `json:"exit"` // -1 when it could not be started, or was ended by force
}

// hookFlag is a program and its arguments (decision 0151).
type hookFlag []string

func (h *hookFlag) Type() string { return "COMMAND" }

func (h *hookFlag) String() string {
	var words []string
	for _, w := range *h {
		words = append(words, ui.Quoted(w))
	}
	return strings.Join(words, " ")
}

func (h *hookFlag) Set(text string) error {
	words, err := splitWords(text)
	if err != nil {
		return err
	}
	if len(words) == 0 || words[0] == "" {
		return errors.New("name a program and its arguments, like 'notify-send done'")
	}
	*h = words
	return nil
}

// check looks for the program, before anything is fetched for it.
func (h *hookFlag) check() error {
	if len(*h) == 0 {
		return nil
	}
	if _, err := exec.LookPath((*h)[0]); err != nil {
		return ui.UsageError("name it by its path, or put its folder into PATH", "--on-complete: find the program: %w", err)
	}
	return nil
}

func (h *hookFlag) add(cmd *cobra.Command) {
	cmd.Flags().Var(h, "on-complete", "run this program when a torrent is complete: its words, no shell")
}

// splitWords takes a command line apart as a shell does, with quotes and \, and expands
// nothing.
func splitWords(text string) (words []string, err error) {
	var b strings.Builder
	in, quote := false, rune(0)
	escaped := false
	for _, r := range text {
		switch {
		case escaped:
			if quote == '"' && r != '"' && r != '\\' {
				b.WriteRune('\\')
			}
			b.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			escaped, in = true, true
		case quote != 0:
			if r == quote {
				quote = 0
			} else {
				b.WriteRune(r)
			}
		case r == '\'' || r == '"':
			quote, in = r, true
		case r == ' ' || r == '\t' || r == '\n':
			if in {
				words = append(words, b.String())
				b.Reset()
				in = false
			}
		default:
			b.WriteRune(r)
			in = true
		}
	}
	switch {
	case quote != 0:
		return nil, errors.New("a quotation mark is not closed")
	case escaped:
		return nil, errors.New(`it ends with a \`)
	}
	if in {
		words = append(words, b.String())
	}
	return words, nil
}

// hooks runs the programs of one command.
type hooks struct {
	out   *ui.Output
	words []string
	ctx   context.Context
	slots chan struct{}
	wg    sync.WaitGroup
}

// newHooks returns nil, which does nothing, without a program. ctx ends programs that run.
func newHooks(ctx context.Context, out *ui.Output, words hookFlag) *hooks {
	if len(words) == 0 {
		return nil
	}
	return &hooks{out: out, words: words, ctx: ctx, slots: make(chan struct{}, hooksAtOnce)}
}

// complete runs the program for a torrent, when there is a place.
func (h *hooks) complete(t *shoal.Torrent) {
	if h == nil {
		return
	}
	h.wg.Go(func() {
		select {
		case h.slots <- struct{}{}:
		case <-h.ctx.Done():
			return
		}
		defer func() { <-h.slots }()
		h.run(t)
	})
}

// wait waits for the programs that run.
func (h *hooks) wait() {
	if h != nil {
		h.wg.Wait()
	}
}

func (h *hooks) run(t *shoal.Torrent) {
	ctx, cancel := context.WithTimeout(h.ctx, hookWithin)
	defer cancel()
	cmd := exec.CommandContext(ctx, h.words[0], h.words[1:]...)
	cmd.Cancel = func() error {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			return cmd.Process.Kill()
		}
		return nil
	}
	cmd.WaitDelay = hookGrace
	cmd.Env = append(os.Environ(), hookEnv(t)...)
	says, complains := &noteWriter{out: h.out}, &noteWriter{out: h.out}
	cmd.Stdout, cmd.Stderr = says, complains
	err := cmd.Run()
	says.end()
	complains.end()
	e := hookEvent{t.InfoHash(), t.Name(), h.words[0], cmd.ProcessState.ExitCode()}
	h.out.Event("on-complete", e)
	switch program := ui.Printable(h.words[0]); {
	case err == nil:
		h.out.Say("%s: %s is done", ui.Printable(t.Name()), program)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		h.out.Warn("%s: %s took longer than %s, and was ended", ui.Printable(t.Name()), program, ui.ShortTime(hookWithin))
	case e.Exit >= 0:
		h.out.Warn("%s: %s ended with exit code %d", ui.Printable(t.Name()), program, e.Exit)
	default:
		h.out.Warn("%s: run %s: %s", ui.Printable(t.Name()), program, ui.Printable(err.Error()))
	}
}

// hookEnv tells a program about a torrent.
func hookEnv(t *shoal.Torrent) []string {
	s, dir := t.Stats(), t.Dir()
	return []string{
		"SHOAL_NAME=" + t.Name(), "SHOAL_HASH=" + t.InfoHash(), "SHOAL_DIR=" + absolute(dir), "SHOAL_PATH=" + absolute(t.Path()),
		"SHOAL_SIZE=" + strconv.FormatInt(s.Wanted(), 10), "SHOAL_FILES=" + strconv.Itoa(len(t.Files())),
	}
}

// noteWriter prints what a program says on the error stream, line by line: standard output
// may be JSON, or a file that is streamed.
type noteWriter struct {
	out *ui.Output
	mu  sync.Mutex
	buf []byte
}

// longestNote bounds a line of a program; the rest of it is another line.
const longestNote = 4 << 10

func (w *noteWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.buf = append(w.buf, b...)
	for {
		line, rest, whole := bytes.Cut(w.buf, []byte{'\n'})
		switch {
		case len(line) > longestNote:
			at := longestNote // between words, where there are some: half of a passkey is not recognised
			if i := bytes.LastIndexByte(w.buf[:at], ' '); i > 0 {
				at = i
			}
			line, rest = w.buf[:at], w.buf[at:]
		case !whole:
			return len(b), nil
		}
		w.out.Note(ui.Printable(strings.TrimRight(string(line), "\r")))
		w.buf = rest
	}
}

// end prints a last line that no line break ends.
func (w *noteWriter) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.buf) > 0 {
		w.out.Note(ui.Printable(strings.TrimRight(string(w.buf), "\r")))
		w.buf = nil
	}
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}
