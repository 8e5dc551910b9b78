package progress

import (
	"fmt"
	"time"

	"shoal"
)

// uplinkEvery is the least time between two events while only the rates change.
const uplinkEvery = 5 * time.Second

// uplinkEvent is the JSON line of the uplink.
type uplinkEvent struct {
	State   string  `json:"state"`
	Why     string  `json:"why,omitempty"`
	Limit   int64   `json:"limit"`
	Rate    int64   `json:"rate"`
	DelayMS float64 `json:"delay_ms"`
}

// uplink tells programs when the state of the line changes, and now and then its rates.
func (w *Watcher) uplink(now time.Time) {
	u := w.engine.Uplink()
	same := u.State == w.sends.State
	if same && (u == w.sends || now.Sub(w.sentAt) < uplinkEvery) {
		return
	}
	w.sends, w.sentAt = u, now
	w.out.Event("uplink", uplinkEvent{string(u.State), u.Why, u.Limit, u.Rate, float64(u.Delay.Microseconds()) / 1000})
}

// uplinkText says what is done about the line's queue; empty where nothing is.
func uplinkText(u shoal.Uplink) string {
	switch u.State {
	case shoal.UplinkHeld, shoal.UplinkTrying:
		return fmt.Sprintf("uplink %s, delay %d ms", megabits(u.Limit), u.Delay.Milliseconds())
	case shoal.UplinkYielded:
		return fmt.Sprintf("uplink shared, delay %d ms", u.Delay.Milliseconds())
	}
	return ""
}

func megabits(bytes int64) string {
	mbit := float64(bytes) * 8 / 1e6
	if mbit < 99.5 {
		return fmt.Sprintf("%.1f Mbit/s", mbit)
	}
	return fmt.Sprintf("%.0f Mbit/s", mbit)
}
