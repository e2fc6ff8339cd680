package sigma

import (
	"fmt"
	"strings"
	"testing"
)

func showExpr(x Expr) string {
	join := func(op string, xs []Expr) string {
		var all []string
		for _, y := range xs {
			all = append(all, showExpr(y))
		}
		return "(" + strings.Join(all, " "+op+" ") + ")"
	}
	switch x := x.(type) {
	case Ref:
		return fmt.Sprintf("%s#%d", x.Name, x.Index)
	case Not:
		return "!" + showExpr(x.X)
	case And:
		return join("&", x.Xs)
	case Or:
		return join("|", x.Xs)
	case Of:
		return fmt.Sprintf("of(all=%t %v)", x.All, x.Indexes)
	}
	return fmt.Sprintf("%T", x)
}

var testSelections = []Selection{
	{Name: "a"}, {Name: "sel_one"}, {Name: "sel_two"}, {Name: "_hidden"}, {Name: "filter-x"}, {Name: "notepad"}, {Name: "1"}, {Name: "of_course"},
}

func TestConditions(t *testing.T) {
	tests := []struct{ in, want string }{
		{"a", "a#0"},
		{" a ", "a#0"},
		{"notepad", "notepad#5"},
		{"not notepad", "!notepad#5"},
		{"not not a", "!!a#0"},
		{"filter-x or of_course", "(filter-x#4 | of_course#7)"},
		{"a and notepad or sel_one", "((a#0 & notepad#5) | sel_one#1)"},
		{"a or notepad and sel_one", "(a#0 | (notepad#5 & sel_one#1))"},
		{"not a and notepad", "(!a#0 & notepad#5)"},
		{"not (a and notepad)", "!(a#0 & notepad#5)"},
		{"a and (notepad or sel_one) and _hidden", "(a#0 & (notepad#5 | sel_one#1) & _hidden#3)"},
		{"a and\n notepad", "(a#0 & notepad#5)"},
		{"(a)and(notepad)", "(a#0 & notepad#5)"},
		{"1 of them", "of(all=false [0 1 2 4 5 6 7])"},
		{"any of them", "of(all=false [0 1 2 4 5 6 7])"},
		{"all of sel_*", "of(all=true [1 2])"},
		{"1 of *", "of(all=false [0 1 2 4 5 6 7])"},
		{"1 of _*", "of(all=false [3])"},
		{"all of *_*o*", "of(all=true [1 2 7])"},
		{"1 of sel*two", "of(all=false [2])"},
		{"1 of a", "of(all=false [0])"},
		{"1 of filter-*", "of(all=false [4])"},
		{"1 and a", "(1#6 & a#0)"},
		{"a and not 1 of sel_* or all of sel_*", "((a#0 & !of(all=false [1 2])) | of(all=true [1 2]))"},
		{"", "!ends where a search identifier should follow"},
		{"a and", "!ends where a search identifier should follow"},
		{"a b", `!character 3: found "b", want an operator or the end`},
		{"(a", `!ends where ")" should follow`},
		{"a)", `!character 2: found ")", want an operator or the end`},
		{"()", `!character 2: found ")", want a search identifier`},
		{"and a", `!character 1: found "and", want a search identifier`},
		{"a AND notepad", `!character 3: found "AND", want an operator or the end (keywords are written in lower case)`},
		{"bogus", `!search identifier "bogus" is not defined`},
		{"2 of them", `!"2" of: want 1, any or all`},
		{"1 of nope*", `!1 of "nope*": no search identifier fits`},
		{"1 of", "!ends where them or a pattern of search identifiers should follow"},
		{"1 of (", `!character 6: found "(", want them or a pattern of search identifiers`},
		{"a & notepad", `!character 3: found "&", want an operator or the end`},
		{"sel_*", `!search identifier "sel_*" is not defined`},
		{"a | count() > 5", `!legacy aggregation "| count() > 5" is not supported: use a correlation rule`},
		{"a | near notepad", `!legacy aggregation "| near notepad" is not supported: use a correlation rule`},
	}
	for _, tt := range tests {
		x, _, err := newConditionParser(testSelections).parse(tt.in)
		got := ""
		if err != nil {
			got = "!" + err.Error()
		} else {
			got = showExpr(x)
		}
		if got != tt.want {
			t.Errorf("%q: got %s, want %s", tt.in, got, tt.want)
		}
	}
}

func TestMatchName(t *testing.T) {
	tests := []struct {
		pattern, name string
		want          bool
	}{
		{"a", "a", true}, {"a", "ab", false}, {"a*", "a", true}, {"*", "", true}, {"**", "x", true},
		{"a*a", "a", false}, {"a*a", "aa", true}, {"*b*", "abc", true}, {"*b*b", "ab", false}, {"a*b*c", "axxbyyc", true},
		{"a*b*c", "acb", false}, {"*ab", "aab", true}, {"A*", "a", false},
	}
	for _, tt := range tests {
		if got := matchName(tt.pattern, tt.name); got != tt.want {
			t.Errorf("matchName(%q, %q) = %t", tt.pattern, tt.name, got)
		}
	}
}
