// Package stixpattern compares our patterns with the Python packages of OASIS: which patterns are valid
// (stix2-patterns), and what they match (stix2-matcher), on generated patterns and observed data.
package stixpattern

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"shieldwall/internal/stixpattern"
)

const (
	patterns    = 2100 // that are matched
	bundlesEach = 10   // so that many data each
	brokenOnes  = 1500
)

// oracle is a running oracle.py.
type oracle struct {
	in  io.WriteCloser
	out *bufio.Reader
}

type request struct {
	Pattern string   `json:"pattern"`
	Matched string   `json:"matched,omitempty"`
	Data    []object `json:"data,omitempty"`
}

type answer struct {
	Valid   bool
	Matches []*bool
	Errors  []string
}

func python(t *testing.T) string {
	t.Helper()
	name := os.Getenv("PYTHON")
	if name == "" {
		name = "python3"
	}
	if err := exec.Command(name, "-c", "import stix2matcher, stix2patterns").Run(); err != nil {
		t.Skipf("%s has no packages stix2-matcher and stix2-patterns: %v", name, err)
	}
	return name
}

func start(t *testing.T) *oracle {
	t.Helper()
	cmd := exec.Command(python(t), "oracle.py")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
	return &oracle{in, bufio.NewReaderSize(out, 1<<20)}
}

func (o *oracle) ask(t *testing.T, r request) (a answer) {
	t.Helper()
	line, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.in.Write(append(line, '\n')); err != nil {
		t.Fatal(err)
	}
	reply, err := o.out.ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(reply, &a); err != nil {
		t.Fatalf("%s: %v", reply, err)
	}
	return a
}

// exceptions are patterns on whose validity we and stix2-patterns differ, with what settles it.
var exceptions = []struct {
	ours bool   // what we say
	text string // what the pattern, or the error of who refuses it, has in it
	why  string
}{
	{true, `[.:][A-Za-z_][A-Za-z0-9_]*-`, "a property with hyphens and no quotes (hashes.SHA-256), which feeds write: nothing else can be meant"},
	{true, `is not a valid .* hash`, "stix2-patterns checks the form of hashes; patterns compare text (section 9.6)"},
	{false, `timestamp .*: want the form`, "a day that no calendar has; the grammar counts to 31 in every month (section 9.2: timestamps are those of RFC 3339)"},
	{false, `WITHIN needs more than 0|REPEATS needs at least 1`, "section 9.4: WITHIN and REPEATS are greater than zero"},
	{false, `second (START|WITHIN|REPEATS) on one observation`, "section 9.4: no more than one qualifier of a kind; stix2-patterns looks behind single observations only"},
	{false, `out of range`, "integers are 64 bits (section 9.2)"},
}

func excused(valid bool, pattern string, theirs []string, err error) bool {
	text := pattern + strings.Join(theirs, "\n")
	if err != nil {
		text = err.Error()
	}
	for _, e := range exceptions {
		if e.ours == valid && regexp.MustCompile(e.text).MatchString(text) {
			return true
		}
	}
	return false
}

func TestValidity(t *testing.T) {
	t.Parallel()
	o := start(t)
	g := &generator{Rand: rand.New(rand.NewPCG(1, 1))}
	valid, invalid, differ := 0, 0, 0
	for i := range brokenOnes {
		pattern := g.observations(1)
		if i%5 > 0 {
			pattern = g.broken(pattern)
		}
		_, err := stixpattern.Parse(pattern)
		reply := o.ask(t, request{Pattern: pattern})
		if reply.Valid != (err == nil) {
			if differ++; !excused(err == nil, pattern, reply.Errors, err) {
				t.Errorf("%q: valid %v, we say: %v", pattern, reply.Valid, err)
			}
			continue
		}
		if reply.Valid {
			valid++
		} else {
			invalid++
		}
	}
	t.Logf("%d valid, %d invalid, %d excused", valid, invalid, differ)
	if valid < brokenOnes/5 || invalid < brokenOnes/5 || differ > brokenOnes/10 {
		t.Error("that compares little")
	}
}

// TestSpecification: the examples of the specification and of the corpus are valid, for both, and what we
// print means the same.
func TestSpecification(t *testing.T) {
	t.Parallel()
	o := start(t)
	out, err := exec.Command(python(t), "oracle.py", "spec").Output()
	if err != nil {
		t.Fatal(err)
	}
	var examples []string
	for line := range strings.Lines(string(out)) {
		var example string
		if err := json.Unmarshal([]byte(line), &example); err != nil {
			t.Fatal(err)
		}
		examples = append(examples, example)
	}
	spec := len(examples)
	corpus := os.Getenv("SHIELDWALL_CORPUS")
	if corpus == "" {
		t.Skip("SHIELDWALL_CORPUS is not set")
	}
	quotedPattern := regexp.MustCompile(`"pattern"\s*:\s*("(?:[^"\\]|\\.)*")`)
	err = filepath.WalkDir(filepath.Join(corpus, "stix", "examples"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".json" {
			return err
		}
		data, err := os.ReadFile(path)
		for _, m := range quotedPattern.FindAllSubmatch(data, -1) {
			var pattern string
			if json.Unmarshal(m[1], &pattern) == nil && strings.HasPrefix(pattern, "[") {
				examples = append(examples, pattern)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d examples of the specification, %d of the corpus", spec, len(examples)-spec)
	if spec < 20 || len(examples)-spec < 5 {
		t.Error("too few examples")
	}
	for _, example := range examples {
		tree, err := stixpattern.Parse(example)
		if reply := o.ask(t, request{Pattern: example}); reply.Valid != (err == nil) && !excused(err == nil, example, reply.Errors, err) {
			t.Errorf("%s: valid %v, we say: %v", example, reply.Valid, err)
		}
		if err != nil {
			continue
		}
		if _, err := stixpattern.Compile(tree); err != nil {
			t.Errorf("%s: %v", example, err)
		}
		text := stixpattern.Format(tree)
		if again, err := stixpattern.Parse(text); err != nil || stixpattern.Format(again) != text {
			t.Errorf("%s\nprinted %s: %v", example, text, err)
		}
		if reply := o.ask(t, request{Pattern: text}); !reply.Valid && !excused(true, text, reply.Errors, nil) {
			t.Errorf("%s\nprinted %s, which is not valid: %q", example, text, reply.Errors)
		}
	}
}

// exists is a comparison that stix2-matcher cannot evaluate; what stands for it holds on the same objects.
var exists = regexp.MustCompile(`EXISTS ([a-z0-9-]+:(?:\w+|'[^']*')(?:\.(?:\w+|'[^']*')|\[(?:\*|\d+)\])*)`)

func TestMatching(t *testing.T) {
	t.Parallel()
	o := start(t)
	g := &generator{Rand: rand.New(rand.NewPCG(2, 2))}
	matched, unmatched, unanswered := 0, 0, 0
	used := map[string]int{}
	for done := 0; done < patterns; {
		g.unmatched = false
		text := g.observations(1)
		tree, err := stixpattern.Parse(text)
		if err != nil {
			if !excused(false, text, nil, err) {
				t.Fatalf("%s: %v", text, err)
			}
			continue
		}
		compiled, err := stixpattern.Compile(tree)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if g.unmatched || compiled.Needs() > 6 {
			continue
		}
		done++
		request := request{Pattern: text, Matched: text}
		if done%2 == 0 {
			request.Matched = stixpattern.Format(tree) // what we print is what was meant
		}
		request.Matched = exists.ReplaceAllString(request.Matched, "($1 = 1 OR $1 != 1)")
		for range bundlesEach {
			request.Data = append(request.Data, g.bundle())
		}
		reply := o.ask(t, request)
		for i, bundle := range request.Data {
			if reply.Matches[i] == nil {
				unanswered++
				if unanswered < 5 {
					t.Logf("no answer: %s: %v", request.Matched, reply.Errors)
				}
				continue
			}
			ours := matches(t, compiled, bundle)
			if ours != *reply.Matches[i] {
				data, _ := json.Marshal(bundle)
				t.Fatalf("%s\n%s\nmatches: %v, we say %v", text, data, *reply.Matches[i], ours)
			}
			if ours {
				matched++
			} else {
				unmatched++
			}
		}
		for _, word := range []string{" AND ", " OR ", "FOLLOWEDBY", "WITHIN", "REPEATS", "START", "LIKE", "MATCHES", "ISSUBSET", "ISSUPERSET", " IN ",
			"EXISTS", "NOT ", "_ref.", "_refs[", "[*]", "[0]", "!=", "<", "h'", "b'", "t'"} {
			if strings.Contains(text, word) {
				used[word]++
			}
		}
	}
	t.Logf("%d matched, %d not, %d without an answer; used %v", matched, unmatched, unanswered, used)
	pairs := matched + unmatched
	if pairs < 20_000 || matched < pairs/5 || unmatched < pairs/5 || unanswered > pairs/20 {
		t.Error("that compares little")
	}
	for word, n := range used {
		if n < patterns/100 {
			t.Errorf("%q stands in %d patterns only", word, n)
		}
	}
}

func matches(t *testing.T, p *stixpattern.Pattern, bundle object) bool {
	t.Helper()
	data, err := json.Marshal(bundle)
	if err != nil {
		t.Fatal(err)
	}
	observed, err := stixpattern.Decode(data)
	if err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	found, err := p.Match(observed)
	if errors.Is(err, stixpattern.ErrUndecided) {
		t.Errorf("undecided: %s", data)
	} else if err != nil {
		t.Fatal(err)
	}
	return found != nil
}
