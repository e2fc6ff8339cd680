package scan

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"shieldwall/internal/event"
)

// Filter says which events are looked at and which hits are told. The zero value wants all.
type Filter struct {
	// Since and Until bound the event's time, Since included and Until not; zero times are open ends. An event
	// without a time is looked at all the same: what cannot be placed must not be lost.
	Since, Until time.Time
	// Host is a pattern of computer names (path.Match), without case; empty: any.
	Host string
	// Level is the least level of a rule; what has no level, such as an indicator, is always told.
	Level string
	// Tags are patterns of which a rule must have a tag for one, without case; none: any.
	Tags []string
}

// Levels are the levels of rules, rising (Sigma specification, "Level").
var Levels = []string{"informational", "low", "medium", "high", "critical"}

// Check tells what is wrong with a filter.
func (f *Filter) Check() error {
	if f.Level != "" && !slices.Contains(Levels, f.Level) {
		return fmt.Errorf("there is no level %q; known: %s", f.Level, strings.Join(Levels, ", "))
	}
	if !f.Since.IsZero() && !f.Until.IsZero() && !f.Since.Before(f.Until) {
		return fmt.Errorf("no time is at or after %s and before %s", f.Since.Format(time.RFC3339), f.Until.Format(time.RFC3339))
	}
	for _, pattern := range append([]string{f.Host}, f.Tags...) {
		if _, err := path.Match(pattern, ""); err != nil {
			return fmt.Errorf("%q is no pattern: %w", pattern, err)
		}
	}
	return nil
}

// wants tells whether an event is looked at.
func (f *Filter) wants(ev *event.Event) bool {
	if !ev.Time.IsZero() && (!f.Since.IsZero() && ev.Time.Before(f.Since) || !f.Until.IsZero() && !ev.Time.Before(f.Until)) {
		return false
	}
	return f.Host == "" || fits(f.Host, ev.Computer)
}

// tells says whether a hit of a rule of this level and with these tags is told.
func (f *Filter) tells(level string, tags []string) bool {
	if f.Level != "" && level != "" && slices.Index(Levels, level) < slices.Index(Levels, f.Level) {
		return false
	}
	return len(f.Tags) == 0 || slices.ContainsFunc(tags, func(tag string) bool {
		return slices.ContainsFunc(f.Tags, func(pattern string) bool { return fits(pattern, tag) })
	})
}

// fits matches without case; tags and computer names have no slashes that would matter.
func fits(pattern, text string) bool {
	ok, err := path.Match(strings.ToLower(pattern), strings.ToLower(strings.ReplaceAll(text, "/", "|")))
	return ok && err == nil
}
