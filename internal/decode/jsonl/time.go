package jsonl

import (
	"strconv"
	"strings"
	"time"
)

// parseTime reads the date-times that logs write: YYYY-MM-DD, T or a blank, hh:mm:ss, a fraction of any
// length (digits beyond nanoseconds are cut), and Z, +hh:mm, +hhmm or nothing, which is taken as UTC.
// zoned tells whether a zone was given.
func parseTime(s string) (t time.Time, zoned, ok bool) {
	if len(s) < 19 || s[4] != '-' || s[7] != '-' || s[10] != 'T' && s[10] != ' ' || s[13] != ':' || s[16] != ':' {
		return t, false, false
	}
	year, ok1 := digits(s[0:4])
	month, ok2 := digits(s[5:7])
	day, ok3 := digits(s[8:10])
	hour, ok4 := digits(s[11:13])
	minute, ok5 := digits(s[14:16])
	sec, ok6 := digits(s[17:19])
	if !(ok1 && ok2 && ok3 && ok4 && ok5 && ok6) || month < 1 || month > 12 || day < 1 || day > 31 ||
		hour > 23 || minute > 59 || sec > 60 {
		return t, false, false
	}
	nanos, rest, ok := fraction(s[19:])
	if !ok {
		return t, false, false
	}
	offset, zoned, ok := zone(rest)
	if !ok {
		return t, false, false
	}
	t = time.Date(year, time.Month(month), day, hour, minute, sec, nanos, time.UTC)
	return t.Add(-offset), zoned, true
}

// epoch reads what is no date but a time since 1970: seconds, with a fraction or without, and milliseconds,
// microseconds and nanoseconds by their size; and how .NET writes milliseconds, /Date(1609556645123)/. What would be
// before 1973 is taken for something else.
func epoch(s string) (time.Time, bool) {
	if inside, ok := strings.CutPrefix(s, "/Date("); ok {
		if s, ok = strings.CutSuffix(inside, ")/"); !ok {
			return time.Time{}, false
		}
		if i := strings.IndexAny(s, "+-"); i > 0 { // the zone of who wrote it; the time is UTC all the same
			s = s[:i]
		}
	}
	whole, frac, _ := strings.Cut(s, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || n < 1e8 || strings.HasPrefix(whole, "+") {
		return time.Time{}, false
	}
	unit := int64(time.Second)
	for limit := int64(1e11); n >= limit && unit > 1; limit *= 1000 {
		unit /= 1000
	}
	t := time.Unix(n/(int64(time.Second)/unit), n%(int64(time.Second)/unit)*unit).UTC()
	if frac == "" {
		return t, true
	}
	nanos, rest, ok := fraction("." + frac)
	return t.Add(time.Duration(int64(nanos) / (int64(time.Second) / unit))), ok && rest == ""
}

// digits reads a number that has nothing but digits.
func digits(s string) (int, bool) {
	n := 0
	for i := range len(s) {
		c := s[i] - '0'
		if c > 9 {
			return 0, false
		}
		n = n*10 + int(c)
	}
	return n, true
}

// fraction reads an optional fraction of a second.
func fraction(s string) (nanos int, rest string, ok bool) {
	if s == "" || s[0] != '.' && s[0] != ',' {
		return 0, s, true
	}
	i := 1
	for scale := int(time.Second) / 10; i < len(s) && s[i]-'0' <= 9; i++ {
		nanos += int(s[i]-'0') * scale
		scale /= 10
	}
	return nanos, s[i:], i > 1
}

// zone reads an optional offset from UTC.
func zone(s string) (offset time.Duration, given, ok bool) {
	switch {
	case s == "":
		return 0, false, true
	case s == "Z" || s == "z":
		return 0, true, true
	case s[0] != '+' && s[0] != '-' || len(s) != 5 && (len(s) != 6 || s[3] != ':'):
		return 0, false, false
	}
	hours, ok1 := digits(s[1:3])
	minutes, ok2 := digits(s[len(s)-2:])
	if !ok1 || !ok2 || hours > 23 || minutes > 59 {
		return 0, false, false
	}
	offset = time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
	if s[0] == '-' {
		offset = -offset
	}
	return offset, true, true
}
