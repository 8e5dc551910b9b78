package session

import (
	"errors"
	"strconv"

	"github.com/spf13/cobra"

	"shoal"
)

// queueFlags say how many torrents run at the same time.
type queueFlags struct{ downloads, seeds, total atOnceFlag }

// atOnceFlag is how many of something there may be at the same time.
type atOnceFlag int

func (a *atOnceFlag) Type() string { return "N" }

func (a *atOnceFlag) String() string {
	if *a == 0 {
		return ""
	}
	return strconv.Itoa(int(*a))
}

func (a *atOnceFlag) Set(text string) error {
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return errors.New("write a number; 0 means all")
	}
	*a = atOnceFlag(n)
	return nil
}

func (q *queueFlags) Add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.Var(&q.downloads, "downloads", "fetch `N` torrents at a time; slow ones do not count")
	f.Var(&q.seeds, "seeds", "share `N` complete torrents at a time; idle ones do not count")
	f.Var(&q.total, "at-once", "run `N` torrents at a time, slow ones or not")
}

func (q *queueFlags) queue() shoal.Queue {
	return shoal.Queue{Downloads: int(q.downloads), Seeds: int(q.seeds), Total: int(q.total)}
}
