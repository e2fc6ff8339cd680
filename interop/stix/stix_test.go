// Package stix compares our validator with the Python packages of OASIS: which objects are STIX 2.1, for
// stix2-validator (its MUSTs) and for stix2 (its parser), on the corpus and on generated objects.
package stix

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"shieldwall/internal/stix"
	"shieldwall/internal/stixcheck"
)

// mutated is how many templates are changed at random.
const mutated = 4000

// answer is what the packages say; Validator is nil where it failed with an exception of its own, Stix2 too.
type answer struct {
	Validator *[]string
	Stix2     *string
	ID        string // that stix2 makes of an observable's values
}

func python(t *testing.T) string {
	t.Helper()
	name := os.Getenv("PYTHON")
	if name == "" {
		name = "python3"
	}
	if err := exec.Command(name, "-c", "import stix2, stix2validator").Run(); err != nil {
		t.Skipf("%s has no packages stix2 and stix2-validator: %v", name, err)
	}
	return name
}

// oracles is how many of them answer at once.
const oracles = 2

// ask sends objects to the oracles and gives the answers in their order.
func ask(t *testing.T, objects []string) []answer {
	t.Helper()
	name := python(t)
	answers := make([]answer, len(objects))
	var wait sync.WaitGroup
	for n := range oracles {
		wait.Go(func() {
			if err := askOne(name, objects, answers, n); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return answers
}

// askOne asks one oracle for every object that is its.
func askOne(python string, objects []string, answers []answer, first int) error {
	cmd := exec.Command(python, "oracle.py")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() {
		defer in.Close()
		for i := first; i < len(objects); i += oracles {
			line, _ := json.Marshal(objects[i]) // a string is always encoded
			if _, err := in.Write(append(line, '\n')); err != nil {
				return // the reader tells
			}
		}
	}()
	replies := bufio.NewReaderSize(out, 1<<20)
	for i := first; i < len(objects); i += oracles {
		reply, err := replies.ReadBytes('\n')
		if err != nil {
			return err
		}
		if err := json.Unmarshal(reply, &answers[i]); err != nil {
			return err
		}
	}
	return cmd.Wait()
}

// ours is what we say: the MUSTs that the object breaks.
func ours(text string) (faults []string) {
	o, err := stix.Parse([]byte(text), stix.Limits{})
	if err != nil {
		return []string{err.Error()}
	}
	for _, p := range stixcheck.Object(o, stix.Tolerated) {
		faults = append(faults, p.Error())
	}
	return faults
}

// tally counts how the comparison came out.
type tally struct {
	valid, invalid, unanswered int
	// lenient counts what stix2 parses and we refuse: it makes missing properties up, turns values into others and
	// does not look into types that it does not know, so that only its refusals say something.
	lenient   int
	explained map[*disagreement]int
}

// compare holds one package's verdict to ours.
func (c *tally) compare(t *testing.T, oracle, text string, theirs []string, answered bool) {
	t.Helper()
	we := ours(text)
	switch {
	case !answered:
		c.unanswered++
	case len(we) == 0 && len(theirs) == 0:
		c.valid++
	case len(we) > 0 && len(theirs) > 0:
		c.invalid++
	case len(theirs) == 0 && oracle == "stix2":
		c.lenient++
	default:
		if d := explain(oracle, text, we, theirs); d != nil {
			c.explained[d]++
			return
		}
		t.Errorf("%s: %s\nwe say %q\nit says %q", oracle, text, we, theirs)
	}
}

// run asks about objects. atLeast is how many identifiers must be compared, count how often a disagreement must be seen.
func run(t *testing.T, objects []string, atLeast int, count func(*disagreement) int) {
	byOracle := map[string]*tally{}
	for _, name := range []string{"stix2-validator", "stix2"} {
		byOracle[name] = &tally{explained: map[*disagreement]int{}}
	}
	answers := ask(t, objects)
	identifiers(t, objects, answers, atLeast)
	for i, a := range answers {
		var faults []string
		if a.Validator != nil {
			faults = *a.Validator
		}
		byOracle["stix2-validator"].compare(t, "stix2-validator", objects[i], faults, a.Validator != nil)
		faults = nil
		if a.Stix2 != nil && *a.Stix2 != "" {
			faults = []string{*a.Stix2}
		}
		byOracle["stix2"].compare(t, "stix2", objects[i], faults, a.Stix2 != nil)
	}
	for name, c := range byOracle {
		t.Logf("%s: %d objects: %d valid, %d invalid, %d without an answer, %d parsed all the same", name, len(objects), c.valid, c.invalid, c.unanswered, c.lenient)
		if c.valid < len(objects)/5 || c.valid+c.invalid < len(objects)/2 || c.unanswered > len(objects)/20 {
			t.Errorf("%s: that compares little", name)
		}
	}
	for _, d := range disagreements {
		if got := byOracle[d.oracle].explained[d]; got != count(d) {
			t.Errorf("%s: %s: %d times, want %d", d.oracle, d.name, got, count(d))
		}
	}
}

// TestTable: a row that never happens would explain what nobody has seen.
func TestTable(t *testing.T) {
	for _, d := range disagreements {
		if d.corpus+d.generated == 0 || d.section == "" || d.why == "" {
			t.Errorf("%s: %s: has no count, section or reason", d.oracle, d.name)
		}
	}
}

var versionedOrUnordered = regexp.MustCompile(`"(created|modified|revoked|created_by_ref)":|"hashes":\{"[a-z_]+":"[^"]*"\},"id"`)

// identifiers compares the identifiers that stix2 and we make of the values of observables.
func identifiers(t *testing.T, objects []string, answers []answer, atLeast int) {
	t.Helper()
	same := 0
	for i, a := range answers {
		o, err := stix.Parse([]byte(objects[i]), stix.Limits{})
		// Versioned ones have identifiers of their own, and of hashes that are in no order anyone may be taken.
		if a.ID == "" || err != nil || stixcheck.Validate(o) != nil || stix.UUIDVersion(o.ID) != 5 || versionedOrUnordered.MatchString(objects[i]) {
			continue
		}
		ours := o.ID
		for _, p := range stixcheck.Object(o, stix.Advice) {
			if id, is := strings.CutPrefix(p.Msg, "should be "+o.Type+"--"); is && p.Property == "id" {
				ours = o.Type + "--" + id
			}
		}
		if ours != a.ID {
			t.Errorf("%s: stix2 makes %s, we %s", objects[i], a.ID, ours)
			continue
		}
		same++
	}
	t.Logf("%d identifiers are the same", same)
	if atLeast > same {
		t.Errorf("that compares few identifiers, want at least %d", atLeast)
	}
}

func TestGenerated(t *testing.T) {
	t.Parallel()
	g := &generator{Rand: rand.New(rand.NewPCG(21, 1)), templates: decoded(t)}
	objects := append(slices.Clone(templates), examples...)
	for range mutated {
		objects = append(objects, g.object())
	}
	// One in three of the small changes, for time's sake; which is as the seed has it.
	small := g.systematic()
	g.Shuffle(len(small), func(i, j int) { small[i], small[j] = small[j], small[i] })
	objects = append(objects, small[:len(small)/3]...)
	run(t, objects, 500, func(d *disagreement) int { return d.generated })
}

// perShape is how many objects of a file are asked about that have the same type and properties: the packages
// take milliseconds for each, and a file has thousands that differ in their texts alone.
const perShape = 15

func TestCorpus(t *testing.T) {
	t.Parallel()
	root := os.Getenv("SHIELDWALL_CORPUS")
	if root == "" {
		t.Skip("SHIELDWALL_CORPUS is not set")
	}
	var objects []string
	for _, folder := range []string{"attack", "stix/examples"} {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, d fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".json") && !strings.HasSuffix(path, ".json.gz") {
				return err
			}
			objects = append(objects, shapes(t, path)...)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(objects) < 1200 {
		t.Fatalf("%d objects only", len(objects))
	}
	run(t, objects, 0, func(d *disagreement) int { return d.corpus })
}

// shapes reads a file's objects, a few of each shape.
func shapes(t *testing.T, path string) (objects []string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			t.Fatal(err)
		}
	}
	have := map[string]int{}
	err = stix.Decode(r, stix.Limits{}, func(o *stix.Object) error {
		var members map[string]json.RawMessage
		if err := json.Unmarshal(o.Raw, &members); err != nil {
			return err
		}
		names := []string{o.Type}
		for name := range members {
			names = append(names, name)
		}
		slices.Sort(names[1:])
		shape := strings.Join(names, " ")
		if have[shape]++; have[shape] <= perShape {
			objects = append(objects, string(o.Raw))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return objects
}
