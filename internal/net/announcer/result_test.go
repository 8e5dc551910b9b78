package announcer

import (
	"context"
	"fmt"
	"testing"

	"shoal/internal/decide/announcequeue"
	"shoal/internal/format/tracker"
	"shoal/internal/net/trackerclient"
)

// What the queue learns of a tracker follows from how an announce ended. One that we ended
// ourselves teaches nothing: it must not count as an answer of a tracker that is away.
func TestAnswer(t *testing.T) {
	for _, tc := range []struct {
		err    error
		scrape bool
		want   announcequeue.How
	}{
		{nil, false, announcequeue.Good},
		{fmt.Errorf("announce: %w", context.Canceled), false, announcequeue.GivenUp},
		{fmt.Errorf("scrape: %w", context.Canceled), true, announcequeue.GivenUp},
		{context.DeadlineExceeded, false, announcequeue.Silent},
		{trackerclient.ErrSilent, false, announcequeue.Silent},
		{&tracker.FailureError{Reason: "no"}, false, announcequeue.Refused},
		{&trackerclient.StatusError{Code: 429}, false, announcequeue.Busy},
		{&trackerclient.StatusError{Code: 404}, false, announcequeue.Failed},
		{&trackerclient.StatusError{Code: 404}, true, announcequeue.Good},
	} {
		if got := answer(tc.scrape, tracker.Response{}, tc.err).How; got != tc.want {
			t.Errorf("%v (scrape: %v) is %d, want %d", tc.err, tc.scrape, got, tc.want)
		}
	}
}
