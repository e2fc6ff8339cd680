package suggest

import (
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	known := []string{"publish", "status", "scan", "alliance", "up", "listen", "max_age", "max_size"}
	for _, tt := range []struct{ word, want string }{
		{"publsih", "publish"},
		{"stauts", "status"},
		{"lisen", "listen"},
		{"alliances", "alliance"},
		{"maxage", "max_age"},
		{"pu", "up"},
		{"scam", "scan"},
		{"zebra", ""},
		{"", ""},
		{"x", ""},
		{strings.Repeat("publish", 1000), ""},
		{"łisten", "listen"},
	} {
		if got := Nearest(tt.word, known); got != tt.want {
			t.Errorf("Nearest(%q) = %q, want %q", tt.word, got, tt.want)
		}
	}
}

func TestNearestOfNothing(t *testing.T) {
	if got := Nearest("scan", nil); got != "" {
		t.Errorf("Nearest among no words = %q", got)
	}
}

func TestDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0},
		{"abc", "acb", 1}, {"kitten", "sitting", 3}, {"żółw", "żółt", 1},
	} {
		if got := distance(tt.a, tt.b); got != tt.want {
			t.Errorf("distance(%q, %q) = %d, want %d", tt.a, tt.b, got, tt.want)
		}
		if got := distance(tt.b, tt.a); got != tt.want {
			t.Errorf("distance(%q, %q) = %d, want %d", tt.b, tt.a, got, tt.want)
		}
	}
}
