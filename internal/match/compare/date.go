package compare

import (
	"time"

	"shieldwall/internal/sigma"
)

// dateLayouts are the spellings of dates in telemetry; fractions of a second are accepted behind
// every one with seconds. Only those with a clock have hours and minutes.
var dateLayouts = []struct {
	layout string
	clock  bool
}{
	{"2006-01-02T15:04:05Z07:00", true},
	{"2006-01-02T15:04:05", true},
	{"2006-01-02 15:04:05Z07:00", true},
	{"2006-01-02 15:04:05 -0700", true},
	{"2006-01-02 15:04:05", true},
	{"2006-01-02T15:04Z07:00", true},
	{"2006-01-02 15:04", true},
	{"2006/01/02 15:04:05", true},
	{"2006-01-02", false},
	{"2006/01/02", false},
}

// TimePart takes a part out of a date as it is written: time zones are not converted (Sigma appendix
// modifiers, "Time Modifiers").
func TimePart(text string, unit sigma.TimeUnit) (int64, bool) {
	for _, form := range dateLayouts {
		t, err := time.Parse(form.layout, text)
		if err != nil {
			continue
		}
		switch unit {
		case sigma.Minute:
			return int64(t.Minute()), form.clock
		case sigma.Hour:
			return int64(t.Hour()), form.clock
		case sigma.Day:
			return int64(t.Day()), true
		case sigma.Week:
			_, week := t.ISOWeek()
			return int64(week), true
		case sigma.Month:
			return int64(t.Month()), true
		default:
			return int64(t.Year()), true
		}
	}
	return 0, false
}
