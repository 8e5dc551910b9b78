package quota

import (
	"fmt"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // a machine need not have time zones

	"shoal/internal/golden"
)

const form = "Mon 2006-01-02 15:04"

// A command is "at" and an instant, then what happens then: a plan, on or off by hand, or
// nothing. The machine is called whenever it wants to be.
func TestSchedule(t *testing.T) {
	golden.Run(t, "testdata/schedule/*.txt", func(t *testing.T) func(string) string {
		var m Schedule
		var now time.Time
		return func(command string) string {
			var out strings.Builder
			say := func(at time.Time) {
				fmt.Fprintf(&out, "%s: %s", at.Format(form), map[bool]string{true: "on", false: "off"}[m.On()])
				if n := m.Next(); !n.IsZero() {
					fmt.Fprintf(&out, ", next %s", n.Format(form))
				}
				out.WriteByte('\n')
			}
			at, err := time.ParseInLocation("2006-01-02 15:04", command[:16], time.UTC)
			if err != nil {
				t.Fatal(err)
			}
			what, text, _ := strings.Cut(strings.TrimSpace(command[16:]), " ")
			for n := m.Next(); what != "wake" && !n.IsZero() && !n.After(at); n = m.Next() {
				m.Tick(n)
				say(n)
			}
			now = at
			switch what {
			case "plan":
				plan, err := ParsePlan(text)
				if text == "" {
					plan, err = nil, nil
				}
				if err != nil {
					return err.Error()
				}
				m.SetPlan(now, plan)
			case "on", "off":
				m.Switch(what == "on")
			default: // the machine slept, or the clock was put back
				m.Tick(now)
			}
			say(now)
			return out.String()
		}
	})
}

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"mon-fri 08:00-18:30":                    "[{62 480 1110}]",
		"sat,sun 10-12":                          "[{65 600 720}]",
		"23:00-06:00":                            "[{127 1380 360}]",
		"fri-mon 0-24, tue 1-2":                  "[{99 0 1440} {4 60 120}]",
		"mon 8-9,10-11":                          "[{2 480 540} {127 600 660}]",
		"":                                       `"" is not a time of the week: write it like mon-fri 08:00-18:00`,
		"mon":                                    `"mon" names days without a time: write it like sat,sun 10:00-12:00`,
		"moon 8-9":                               `"moon" is not a day: the days are mon, tue, wed, thu, fri, sat and sun`,
		"mon 8":                                  `"8" is not a time of the day: write it like 08:00-18:00`,
		"mon 8-25":                               `"8-25" is not a time of the day: write it like 08:00-18:00`,
		"mon 24-25":                              `"24-25" is not a time of the day: write it like 08:00-18:00`,
		"mon 8:60-9":                             `"8:60-9" is not a time of the day: write it like 08:00-18:00`,
		"mon 8-9 extra":                          `"mon 8-9 extra" is not a time of the week: write it like mon-fri 08:00-18:00`,
		"mon 8-9,":                               `"" is not a time of the week: write it like mon-fri 08:00-18:00`,
		strings.Repeat("1-2,", maxSpans) + "1-2": "plan of 65 times: at most 64 are allowed",
	} {
		plan, err := ParsePlan(text)
		got := fmt.Sprint(plan)
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func TestCheck(t *testing.T) {
	for _, s := range []Span{{}, {Days: 1 << 7, To: 1}, {Days: 1, From: -1}, {Days: 1, From: 1440}, {Days: 1, To: 1441}, {Days: 1, To: -1}} {
		if CheckPlan([]Span{s}) == nil {
			t.Errorf("%+v was found good", s)
		}
	}
}

// Days of 23 and of 25 hours: what counts is the clock on the wall.
func TestSummerTime(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	plan, err := ParsePlan("02:30-04:00")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		day  time.Time
		want string // when it begins and ends, by the clock on the wall
	}{
		{time.Date(2026, 6, 1, 12, 0, 0, 0, zone), "02:30 CEST, 04:00 CEST, 02:30 CEST"},
		{time.Date(2026, 3, 28, 12, 0, 0, 0, zone), "03:00 CEST, 04:00 CEST, 02:30 CEST"},
		{time.Date(2026, 10, 24, 12, 0, 0, 0, zone), "02:30 CEST, 02:00 CET, 02:30 CET"},
	} {
		var m Schedule
		m.SetPlan(test.day, plan)
		var got []string
		for i := range 3 {
			got = append(got, m.Next().Format("15:04 MST"))
			if m.Tick(m.Next()); m.On() != (i%2 == 0) {
				t.Errorf("at %s the plan is on: %v", got[i], m.On())
			}
		}
		if all := strings.Join(got, ", "); all != test.want {
			t.Errorf("after %v: %s, want %s", test.day, all, test.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("mon-fri 08:00-18:30, sat,sun 10-12")
	f.Fuzz(func(t *testing.T, text string) {
		plan, err := ParsePlan(text)
		if err == nil && (len(plan) == 0 || CheckPlan(plan) != nil) {
			t.Errorf("%q was read as %v", text, plan)
		}
	})
}
