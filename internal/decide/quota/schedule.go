package quota

// This file decides when the alternative limits apply: at the times of the week in a
// plan, and whenever the user switches them by hand. A manual switch holds until the next
// scheduled change, as in other clients.
//
// Times are local to the user: the caller passes them in the user's time zone, from a clock
// that may be set forward and back. No BEP covers this (decision 0097).

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Span is a part of the day on some days of the week.
type Span struct {
	Days Days
	From int // minutes after midnight, 0 to 1439
	// To is the end, also in minutes; on the next day when it is not after From. A span from
	// midnight to midnight is the whole day.
	To int
}

// Days is a set of days of the week: bit time.Sunday and so on.
type Days uint8

// EveryDay is all days.
const EveryDay Days = 1<<7 - 1

// Has reports whether a day is in the set.
func (d Days) Has(day time.Weekday) bool { return d&(1<<day) != 0 }

// maxSpans bounds a plan: a week needs no more.
const maxSpans = 64

// CheckPlan returns what is wrong with a plan; nil: nothing.
func CheckPlan(plan []Span) error {
	if len(plan) > maxSpans {
		return fmt.Errorf("plan of %d times: at most %d are allowed", len(plan), maxSpans)
	}
	for _, s := range plan {
		if s.Days&EveryDay == 0 || s.Days&^EveryDay != 0 || s.From < 0 || s.From >= 24*60 || s.To < 0 || s.To > 24*60 {
			return fmt.Errorf("invalid time in the plan: days %07b, minutes %d to %d", s.Days, s.From, s.To)
		}
	}
	return nil
}

// Schedule decides whether the alternative limits apply. It is not safe for concurrent use.
type Schedule struct {
	plan    []Span
	on      bool
	planned bool      // the plan's current choice
	next    time.Time // next scheduled change
}

// On reports whether the alternative limits apply.
func (m *Schedule) On() bool { return m.on }

// Switch turns them on or off until the next scheduled change.
func (m *Schedule) Switch(on bool) { m.on = on }

// SetPlan sets the plan, which must pass Check. What it says for this moment applies at once; an
// empty plan changes nothing.
func (m *Schedule) SetPlan(now time.Time, plan []Span) {
	m.plan = slices.Clone(plan)
	if len(plan) > 0 {
		m.planned = inPlan(plan, now)
		m.on = m.planned
	}
	m.next = nextChange(plan, now)
}

// Tick does what is due. The caller calls it at Next or later, and also when the clock may
// have been set back.
func (m *Schedule) Tick(now time.Time) {
	if len(m.plan) == 0 {
		return
	}
	if planned := inPlan(m.plan, now); planned != m.planned || !m.next.IsZero() && !now.Before(m.next) {
		m.planned, m.on = planned, planned
		m.next = nextChange(m.plan, now)
	}
}

// Next returns the next scheduled change; the zero time when there is none.
func (m *Schedule) Next() time.Time { return m.next }

// inPlan reports whether a time is in the plan.
func inPlan(plan []Span, now time.Time) bool {
	minute, today := 60*now.Hour()+now.Minute(), now.Weekday()
	yesterday := (today + 6) % 7
	for _, s := range plan {
		switch {
		case s.From < s.To:
			if s.Days.Has(today) && s.From <= minute && minute < s.To {
				return true
			}
		case s.Days.Has(today) && minute >= s.From, s.Days.Has(yesterday) && minute < s.To:
			return true
		}
	}
	return false
}

// nextChange returns the first full minute after now at which the plan changes its choice; the zero
// time when there is none. It looks at the wall clock minute by minute, so days of 23 and 25
// hours need no special rules. That happens twice a day and takes less than a millisecond.
func nextChange(plan []Span, now time.Time) time.Time {
	if len(plan) == 0 {
		return time.Time{}
	}
	was, at := inPlan(plan, now), now.Truncate(time.Minute)
	for range 8 * 24 * 60 { // a plan repeats after a week
		if at = at.Add(time.Minute); inPlan(plan, at) != was {
			return at
		}
	}
	return time.Time{}
}

var dayNames = [...]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// ParsePlan reads a plan as people write it: spans separated by commas, such as "mon-fri
// 08:00-18:30, sat 10-12, 23:00-06:00". A span without days applies every day.
func ParsePlan(text string) ([]Span, error) {
	var plan []Span
	var open Days // days before a comma whose times follow later
	for part := range strings.SplitSeq(text, ",") {
		words := strings.Fields(strings.ToLower(part))
		s := Span{Days: open}
		if len(words) > 0 && (words[0][0] < '0' || words[0][0] > '9') {
			days, err := parseDays(words[0])
			if err != nil {
				return nil, err
			}
			s.Days |= days
			if words = words[1:]; len(words) == 0 {
				open = s.Days
				continue
			}
		}
		if len(words) != 1 {
			return nil, fmt.Errorf("%q is not a time of the week: write it like mon-fri 08:00-18:00", strings.TrimSpace(part))
		}
		if s.Days == 0 {
			s.Days = EveryDay
		}
		from, to, ok := strings.Cut(words[0], "-")
		var ok1, ok2 bool
		s.From, ok1 = minutes(from)
		s.To, ok2 = minutes(to)
		if !ok || !ok1 || !ok2 || s.From == 24*60 {
			return nil, fmt.Errorf("%q is not a time of the day: write it like 08:00-18:00", words[0])
		}
		plan, open = append(plan, s), 0
	}
	if open != 0 {
		return nil, fmt.Errorf("%q names days without a time: write it like sat,sun 10:00-12:00", text)
	}
	return plan, CheckPlan(plan)
}

// parseDays reads a day, such as mon, or a range of days, such as mon-fri or sat-mon.
func parseDays(text string) (Days, error) {
	from, to, row := strings.Cut(text, "-")
	if !row {
		to = from
	}
	a, b := slices.Index(dayNames[:], from), slices.Index(dayNames[:], to)
	if a < 0 || b < 0 {
		return 0, fmt.Errorf("%q is not a day: the days are mon, tue, wed, thu, fri, sat and sun", text)
	}
	var d Days
	for i := a; ; i = (i + 1) % 7 {
		d |= 1 << i
		if i == b {
			return d, nil
		}
	}
}

// minutes reads a time of the day, such as 8, 08:30 or 24:00.
func minutes(text string) (int, bool) {
	hour, minute, _ := strings.Cut(text, ":")
	if minute == "" {
		minute = "0"
	}
	h, err1 := strconv.ParseUint(hour, 10, 8)
	m, err2 := strconv.ParseUint(minute, 10, 8)
	n := int(60*h + m)
	return n, err1 == nil && err2 == nil && m < 60 && n <= 24*60
}
