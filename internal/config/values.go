package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Duration is a time span spelled 90s, 15m, 24h or 30d; a day is 24 hours.
type Duration time.Duration

const day = 24 * time.Hour

// UnmarshalText reads a time span; the units are those of time.ParseDuration and, in front, d.
func (d *Duration) UnmarshalText(text []byte) error {
	s := string(text)
	var total time.Duration
	if days, rest, ok := strings.Cut(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return durationError(s)
		}
		total, s = time.Duration(n)*day, rest
	}
	if s != "" || total == 0 && len(text) == 0 {
		rest, err := time.ParseDuration(s)
		if err != nil {
			return durationError(string(text))
		}
		if rest < 0 {
			return fmt.Errorf("%q is negative", text)
		}
		if rest > math.MaxInt64-total {
			return durationError(string(text))
		}
		total += rest
	}
	*d = Duration(total)
	return nil
}

func durationError(s string) error {
	return fmt.Errorf("%q is no time span; write for example 90s, 15m, 24h or 30d", clip(s))
}

// MarshalText spells the time span as UnmarshalText reads it.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// String spells the time span in days where it is whole days and more than one, else as Go does without
// the zeros at the end.
func (d Duration) String() string {
	t := time.Duration(d)
	if t >= 2*day && t%day == 0 {
		return strconv.FormatInt(int64(t/day), 10) + "d"
	}
	s := t.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// Std is the time span as the standard library has it.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// Size is a number of bytes, spelled 512, 64KiB, 256MiB or 1GiB.
type Size int64

var sizeUnits = []struct {
	suffix string
	bytes  int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"", 1}}

// UnmarshalText reads a size.
func (s *Size) UnmarshalText(text []byte) error {
	for _, u := range sizeUnits {
		digits, ok := strings.CutSuffix(string(text), u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(digits, 10, 63)
		if errors.Is(err, strconv.ErrRange) || err == nil && int64(n) > math.MaxInt64/u.bytes {
			return fmt.Errorf("%q is too large", clip(string(text)))
		}
		if err != nil {
			break
		}
		*s = Size(int64(n) * u.bytes)
		return nil
	}
	return fmt.Errorf("%q is no size; write for example 64KiB, 256MiB or 1GiB", clip(string(text)))
}

// MarshalText spells the size as UnmarshalText reads it.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// String spells the size in the largest unit that divides it.
func (s Size) String() string {
	for _, u := range sizeUnits {
		if int64(s)%u.bytes == 0 && int64(s) >= u.bytes {
			return strconv.FormatInt(int64(s)/u.bytes, 10) + u.suffix
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// clip shortens what an error repeats of a hostile value.
func clip(s string) string {
	const limit = 64
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "..."
}
