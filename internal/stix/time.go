package stix

import (
	"strings"
	"time"
)

// maxFraction is how many digits of a second a timestamp may carry: all of them survive and sort, but a
// timestamp is an index key here and may not be used to fill one.
const maxFraction = 64

// TimeLayout is how this node writes timestamps: UTC, milliseconds (section 3.2).
const TimeLayout = "2006-01-02T15:04:05.000Z"

// FormatTime writes t as STIX wants it, to the millisecond.
func FormatTime(t time.Time) string { return t.UTC().Format(TimeLayout) }

// secondsLen is the length of a timestamp up to its seconds.
const secondsLen = len("2006-01-02T15:04:05")

// timestamp is a parsed STIX timestamp, every digit kept.
type timestamp struct {
	whole    string // up to the seconds
	fraction string // digits as written
}

// parseTimestamp accepts exactly YYYY-MM-DDTHH:MM:SS[.s+]Z with a real date and time; a leap second only where
// UTC can have one.
func parseTimestamp(s string) (timestamp, bool) {
	if len(s) < secondsLen+1 || s[len(s)-1] != 'Z' {
		return timestamp{}, false
	}
	ts := timestamp{whole: s[:secondsLen], fraction: s[secondsLen : len(s)-1]}
	if ts.fraction != "" {
		if ts.fraction[0] != '.' || len(ts.fraction) == 1 || len(ts.fraction) > 1+maxFraction {
			return timestamp{}, false
		}
		ts.fraction = ts.fraction[1:]
		if strings.Trim(ts.fraction, "0123456789") != "" {
			return timestamp{}, false
		}
	}
	return ts, realTime(ts.noLeap())
}

// realTime says whether YYYY-MM-DDTHH:MM:SS names a time that exists; time.Parse would, at ten times the cost.
func realTime(s string) bool {
	for i := range len(s) {
		c := s[i]
		switch i {
		case 4, 7:
			if c != '-' {
				return false
			}
		case 10:
			if c != 'T' {
				return false
			}
		case 13, 16:
			if c != ':' {
				return false
			}
		default:
			if c < '0' || c > '9' {
				return false
			}
		}
	}
	two := func(i int) int { return int(s[i]-'0')*10 + int(s[i+1]-'0') }
	year, month, day := two(0)*100+two(2), two(5), two(8)
	return 1 <= month && month <= 12 && 1 <= day && day <= daysIn(year, month) &&
		two(11) < 24 && two(14) < 60 && two(17) < 60
}

func daysIn(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// noLeap spells a leap second as the second before it, for package time has none.
func (ts timestamp) noLeap() string {
	if strings.HasSuffix(ts.whole, "T23:59:60") {
		return ts.whole[:secondsLen-2] + "59"
	}
	return ts.whole
}

// SortKey spells a timestamp so that texts sort as times do, whatever the number of digits of either; equal
// times have equal keys. It is empty for what is no timestamp.
func SortKey(s string) string {
	ts, ok := parseTimestamp(s)
	if !ok {
		return ""
	}
	if f := strings.TrimRight(ts.fraction, "0"); f != "" {
		return ts.whole + "." + f
	}
	return ts.whole
}

// KeyTime is SortKey the other way: a timestamp's spelling (at least three digits) of the same time.
func KeyTime(key string) string {
	whole, fraction, _ := strings.Cut(key, ".")
	for len(fraction) < 3 {
		fraction += "0"
	}
	return whole + "." + fraction + "Z"
}

// ParseTime reads a timestamp to the nanosecond; digits beyond are dropped.
func ParseTime(s string) (time.Time, error) {
	ts, ok := parseTimestamp(s)
	if !ok {
		return time.Time{}, Problem{Msg: shown(s) + " is not a timestamp YYYY-MM-DDTHH:MM:SS[.s+]Z", Section: "2.16.1"}
	}
	f := ts.fraction
	if len(f) > 9 {
		f = f[:9]
	}
	text := ts.noLeap()
	if f != "" {
		text += "." + f
	}
	t, err := time.Parse("2006-01-02T15:04:05.999999999", text)
	if err != nil {
		return time.Time{}, err
	}
	if text[:secondsLen] != ts.whole {
		t = t.Add(time.Second)
	}
	return t, nil
}
