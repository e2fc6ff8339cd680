package archtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/mod/modfile"
)

const (
	module     = "shieldwall"
	maxLines   = 800 // a file past that is a room that has become a hall
	maxDirect  = 25  // DESIGN.md, decision 14
	minListed  = 20  // fewer packages than that and the list was not read
	topFromPkg = "../.."
)

// listed is what `go list -json` says of a package.
type listed struct {
	ImportPath string
	Dir        string
	Name       string
	Imports    []string
	GoFiles    []string
	// IgnoredGoFiles are those of other platforms.
	IgnoredGoFiles            []string
	TestGoFiles, XTestGoFiles []string
	CgoFiles, CFiles          []string
	Error                     *struct{ Err string }
}

func (l listed) path() string { return strings.TrimPrefix(l.ImportPath, module+"/") }

var list = sync.OnceValues(func() ([]listed, error) {
	cmd := exec.Command("go", "list", "-e", "-json", "./...")
	cmd.Dir = topFromPkg
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, errors.Join(err, errors.New(stderr.String()))
	}
	var all []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var l listed
		if err := dec.Decode(&l); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all = append(all, l)
	}
})

func listing(t *testing.T) []listed {
	t.Helper()
	all, err := list()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < minListed {
		t.Fatalf("go list found %d packages, want at least %d", len(all), minListed)
	}
	for _, l := range all {
		if l.Error != nil {
			t.Errorf("%s: %s", l.ImportPath, l.Error.Err)
		}
	}
	return all
}

// Every package has its place in the table, and the table names no package that is gone.
func TestEveryPackageIsListed(t *testing.T) {
	seen := map[string]bool{}
	for _, l := range listing(t) {
		seen[l.path()] = true
		if _, ok := packages[l.path()]; !ok {
			t.Errorf("%s has no place in the table of internal/archtest: decide its layer first (DESIGN.md, \"Layers\")", l.path())
		}
	}
	for path, p := range packages {
		if !seen[path] {
			t.Errorf("%s is in the table and not in the module: leave out a package until it has work", path)
		}
		for other := range p.beside {
			if _, ok := packages[other]; !ok {
				t.Errorf("%s may import %s, which is not in the table", path, other)
			}
		}
	}
}

// Imports go down.
func TestLayers(t *testing.T) {
	for _, l := range listing(t) {
		from, ok := packages[l.path()]
		if !ok {
			continue // said above
		}
		used := map[string]bool{}
		for _, imp := range l.Imports {
			path, ours := strings.CutPrefix(imp, module+"/")
			if !ours {
				continue
			}
			to := packages[path]
			if _, ok := from.beside[path]; ok {
				used[path] = true
				continue
			}
			if to.layer >= from.layer {
				t.Errorf("%s (%s) imports %s (%s): %s", l.path(), layers[from.layer].name, path, layers[to.layer].name, reason(from.layer, to.layer))
			}
		}
		for path, why := range from.beside {
			if !used[path] {
				t.Errorf("%s may import %s (%s) and does not: take the permission back", l.path(), path, why)
			}
		}
	}
}

func reason(from, to layer) string {
	if from == to {
		return layers[from].why
	}
	return "imports go down, never up: " + layers[to].why + "; " + layers[from].why
}

func matches(imp, what string) bool {
	if strings.HasSuffix(what, "/") {
		return strings.HasPrefix(imp, what)
	}
	return imp == what
}

// Some imports are for those who have a reason.
func TestBannedImports(t *testing.T) {
	for _, l := range listing(t) {
		for _, imp := range l.Imports {
			for _, b := range bans {
				if matches(imp, b.what) && !slices.Contains(b.only, l.path()) {
					t.Errorf("%s imports %s: %s", l.path(), imp, b.why)
				}
			}
			if packages[l.path()].layer > core {
				continue
			}
			for _, what := range impure {
				if matches(imp, what) {
					t.Errorf("%s (%s) imports %s: %s", l.path(), layers[packages[l.path()].layer].name, imp, layers[packages[l.path()].layer].why)
				}
			}
		}
		if len(l.CgoFiles)+len(l.CFiles) > 0 {
			t.Errorf("%s has C in it: one static binary, CGO_ENABLED=0", l.path())
		}
	}
}

// calls are selectors that only some may use.
var calls = []struct {
	what string
	in   func(path string, l layer) bool
	why  string
}{
	{"os.Exit", func(path string, l layer) bool { return l == mains }, "an exit skips every defer; only a main exits, and Run returns the code"},
	{"log.Fatal", func(string, layer) bool { return false }, "as os.Exit"},
	{"log.Fatalf", func(string, layer) bool { return false }, "as os.Exit"},
	{"log.Fatalln", func(string, layer) bool { return false }, "as os.Exit"},
	{"time.Now", func(_ string, l layer) bool { return l > core }, "words, formats and the core are told the time"},
	{"time.Since", func(_ string, l layer) bool { return l > core }, "words, formats and the core are told the time"},
	{"http.DefaultServeMux", func(string, layer) bool { return false }, "handlers are built, not registered"},
	{"slog.SetDefault", func(string, layer) bool { return false }, "the logger is injected"},
}

// Exits, clocks, init functions and what was left open.
func TestSource(t *testing.T) {
	files := 0
	for _, l := range listing(t) {
		for _, name := range append(slices.Clone(l.GoFiles), l.IgnoredGoFiles...) {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			files++
			checkSource(t, l, filepath.Join(l.Dir, name))
		}
	}
	if files < minListed {
		t.Errorf("read %d files, want at least %d", files, minListed)
	}
}

var leftOpen = regexp.MustCompile(`\b(TODO|FIXME|XXX)\b`)

func checkSource(t *testing.T, l listed, path string) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
	if err != nil {
		t.Errorf("%v", err)
		return
	}
	at := func(p token.Pos) string {
		return l.path() + "/" + filepath.Base(path) + ":" + strconv.Itoa(fset.Position(p).Line)
	}
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
			t.Errorf("%s: an init function: it runs before main decides anything; make a constructor", at(f.Pos()))
		}
	}
	for _, group := range file.Comments {
		if leftOpen.MatchString(group.Text()) {
			t.Errorf("%s: left open: do it, or open an issue", at(group.Pos()))
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		x, ok := sel.X.(*ast.Ident)
		if !ok {
			return true
		}
		for _, c := range calls {
			if x.Name+"."+sel.Sel.Name == c.what && !c.in(l.path(), packages[l.path()].layer) {
				t.Errorf("%s: %s: %s", at(sel.Pos()), c.what, c.why)
			}
		}
		return true
	})
}

// No file grows into a hall, tests included.
func TestFileSize(t *testing.T) {
	for _, l := range listing(t) {
		for _, name := range slices.Concat(l.GoFiles, l.IgnoredGoFiles, l.TestGoFiles, l.XTestGoFiles) {
			data, err := os.ReadFile(filepath.Join(l.Dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if n := bytes.Count(data, []byte("\n")); n > maxLines {
				t.Errorf("%s/%s has %d lines, more than %d: split it by purpose", l.path(), name, n, maxLines)
			}
		}
	}
}

// Each direct dependency is few and has its reason in DESIGN.md.
func TestDependencies(t *testing.T) {
	data := read(t, "go.mod")
	mod, err := modfile.Parse("go.mod", data, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(mod.Replace) > 0 {
		t.Error("go.mod replaces a module: go install could not build it")
	}
	_, section, ok := strings.Cut(string(read(t, "DESIGN.md")), "\n## Dependencies\n")
	if !ok {
		t.Fatal("DESIGN.md has no section Dependencies")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	direct := 0
	for _, r := range mod.Require {
		if r.Indirect {
			continue
		}
		direct++
		if !strings.Contains(section, "`"+r.Mod.Path+"`") {
			t.Errorf("%s has no reason in DESIGN.md, Dependencies: why is it worth its code in our process?", r.Mod.Path)
		}
	}
	if direct > maxDirect {
		t.Errorf("%d direct dependencies, more than %d", direct, maxDirect)
	}
	for _, line := range strings.Split(section, "\n") {
		for _, m := range regexp.MustCompile("^\\| `([^`]+)`").FindAllStringSubmatch(line, 1) {
			if !slices.ContainsFunc(mod.Require, func(r *modfile.Require) bool { return r.Mod.Path == m[1] }) {
				t.Errorf("DESIGN.md gives a reason for %s, which go.mod does not require", m[1])
			}
		}
	}
}

// The README's two commands exist: that is all a newcomer types.
func TestReadmeCommands(t *testing.T) {
	readme := string(read(t, "README.md"))
	for _, command := range []string{"go run ./cmd/shieldwall up", "go test ./..."} {
		if !strings.Contains(readme, command) {
			t.Errorf("README.md does not say %q", command)
		}
	}
	for _, l := range listing(t) {
		if l.path() == "cmd/shieldwall" && l.Name != "main" {
			t.Errorf("cmd/shieldwall is package %s", l.Name)
		}
	}
}

// The oracles' module stays a module of its own, so that nothing of theirs enters the product.
func TestInteropIsApart(t *testing.T) {
	if _, err := os.Stat(filepath.Join(topFromPkg, "interop")); errors.Is(err, fs.ErrNotExist) {
		t.Skip("there is no interop folder")
	}
	mod, err := modfile.Parse("interop/go.mod", read(t, "interop/go.mod"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if mod.Module.Mod.Path != module+"/interop" {
		t.Errorf("interop is module %s", mod.Module.Mod.Path)
	}
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(topFromPkg, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}
