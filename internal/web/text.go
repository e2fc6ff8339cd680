package web

import (
	"fmt"
	"hash/fnv"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Limits of what one piece of remote text may take on the page, in characters.
const (
	maxCell  = 200  // in a table or a line
	maxLabel = 40   // in a drawing
	maxField = 1200 // one field's value in an opened detection
	maxQuery = 200  // the filter, in bytes
	maxMarks = 4    // combining marks on one character
)

// clean makes remote text safe to look at: html/template keeps it from becoming markup, this keeps it from
// lying to the reader's eye. Characters that are invisible or that reorder the line (bidi controls, zero
// width, fillers) are spelled out, for a file name that hides one is evidence; controls become their
// pictures; piled combining marks are cut. The result is one line of at most limit characters.
func clean(s string, limit int) string { return cleaned(s, limit, false) }

// cleanBlock is clean for text whose lines and tabs carry meaning, such as a script block.
func cleanBlock(s string, limit int) string {
	return strings.TrimRight(cleaned(strings.ReplaceAll(s, "\r\n", "\n"), limit, true), "\n")
}

func cleaned(s string, limit int, block bool) string {
	var b strings.Builder
	marks, shown := 0, 0
	for _, r := range s {
		if !unicode.In(r, unicode.Mn, unicode.Me) {
			marks = 0
		} else if marks++; marks > maxMarks {
			continue
		}
		if shown++; shown > limit {
			b.WriteRune('…')
			break
		}
		switch {
		case r >= ' ' && r < 0x7f: // nearly all of it
			b.WriteByte(byte(r))
		case block && (r == '\n' || r == '\t'):
			b.WriteRune(r)
		case r < ' ':
			b.WriteRune(0x2400 + r) // control pictures
		case r == 0x7f:
			b.WriteRune(0x2421)
		case unicode.Is(unicode.Zs, r):
			b.WriteByte(' ')
		case unicode.IsPrint(r) && !invisible(r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, "‹U+%04X›", r)
		}
	}
	return b.String()
}

// invisible are the letters, marks and symbols that draw nothing although Unicode calls them printable.
func invisible(r rune) bool {
	switch {
	case r == 0x034f, r == 0x115f, r == 0x1160, r == 0x17b4, r == 0x17b5, r == 0x2800, r == 0x3164, r == 0xffa0,
		r >= 0x180b && r <= 0x180f, r >= 0xfe00 && r <= 0xfe0e, r >= 0xe0100 && r <= 0xe01ef:
		return true
	}
	return false
}

// key names an element of the page after remote text: stable, and nothing of the text gets into the name.
func key(prefix string, texts ...string) string {
	h := fnv.New64a()
	for _, t := range texts {
		fmt.Fprintf(h, "%q", t)
	}
	return fmt.Sprintf("%s%016x", prefix, h.Sum64())
}

// truncate cuts s to at most n bytes at a character's border.
func truncate(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// count spells a number with its thousands apart.
func count[N int | int64 | uint64](n N) string {
	s := strconv.FormatInt(int64(n), 10)
	if uint64(n) > math.MaxInt64 && n > 0 {
		s = strconv.FormatUint(uint64(n), 10)
	}
	sign := ""
	if s[0] == '-' {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// brief spells a number in at most five characters: 321k, 1.2M.
func brief(n int64) string {
	switch {
	case n >= 1e9:
		return trimZero(float64(n)/1e9) + "G"
	case n >= 1e6:
		return trimZero(float64(n)/1e6) + "M"
	case n >= 1e5:
		return strconv.FormatInt(n/1000, 10) + "k"
	}
	return count(n)
}

// size spells a number of bytes.
func size(n int64) string {
	switch {
	case n >= 1<<30:
		return trimZero(float64(n)/(1<<30)) + " GiB"
	case n >= 1<<20:
		return trimZero(float64(n)/(1<<20)) + " MiB"
	case n >= 1<<10:
		return trimZero(float64(n)/(1<<10)) + " KiB"
	}
	return count(n) + " B"
}

func trimZero(f float64) string {
	if f >= 100 {
		return strconv.FormatFloat(f, 'f', 0, 64)
	}
	return strings.TrimSuffix(strconv.FormatFloat(f, 'f', 1, 64), ".0")
}

// millis spells a duration given in milliseconds, with the unit that fits.
func millis(ms float64) string {
	switch {
	case math.IsNaN(ms) || math.IsInf(ms, 0) || ms < 0:
		return "–"
	case ms < 10:
		return strconv.FormatFloat(ms, 'f', 1, 64) + " ms"
	case ms < 1000:
		return strconv.FormatFloat(ms, 'f', 0, 64) + " ms"
	case ms < 60_000:
		return trimZero(ms/1000) + " s"
	case ms < 3_600_000:
		return trimZero(ms/60_000) + " min"
	}
	return trimZero(ms/3_600_000) + " h"
}

// span spells a length of time in its largest unit; under ten seconds it says "now", so that a live
// member's line does not change every second.
func span(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return "now"
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/(10*time.Second)*10)
	case d < time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d d", d/(24*time.Hour))
}

// stamp is a moment as the page shows it: UTC first, for that is what allies talk in, then local time.
type stamp struct {
	ISO   string // for machines
	Full  string // both, in full, for the tooltip
	Date  string // UTC date, empty if it is today's; without the year if it is this one
	Clock string // UTC
	Local string // hours and minutes there; empty where the zone is UTC
}

// stampOf spells t; the zero time gives the zero stamp.
func stampOf(t, now time.Time, zone *time.Location) stamp {
	if t.IsZero() {
		return stamp{}
	}
	utc, today, local := t.UTC(), now.UTC(), t.In(zone)
	s := stamp{
		ISO:   utc.Format("2006-01-02T15:04:05.000Z"),
		Full:  utc.Format("2006-01-02 15:04:05.000 UTC"),
		Clock: utc.Format("15:04:05"),
	}
	switch {
	case utc.Year() != today.Year():
		s.Date = utc.Format(time.DateOnly)
	case utc.YearDay() != today.YearDay():
		s.Date = utc.Format("01-02")
	}
	if _, offset := local.Zone(); offset != 0 {
		s.Local = local.Format("15:04")
		s.Full += local.Format(", 2006-01-02 15:04:05 MST")
	}
	return s
}
