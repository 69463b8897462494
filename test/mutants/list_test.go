package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// root is the folder of the module, from here.
const root = "../.."

// classes is the number of classes of bugs, B01 to B23.
const classes = 23

func allMutants(t *testing.T) []mutant {
	t.Helper()
	mutants, err := readLists(os.DirFS(root), "test/mutants/list")
	if err != nil {
		t.Fatal(err)
	}
	return mutants
}

// TestProtectionsStand holds that the list has not rotted: what it takes out still stands in the code, once. Whoever
// writes such a line anew writes it in the list too, and runs `go run ./test/mutants -run CLASS`.
func TestProtectionsStand(t *testing.T) {
	for _, m := range allMutants(t) {
		source, err := os.ReadFile(filepath.Join(root, m.file))
		if err != nil {
			t.Errorf("%s %s %v", m.class, m.title, err)
			continue
		}
		if _, err := m.mutate(string(source)); err != nil {
			t.Errorf("%s %s\n%v", m.class, m.title, err)
		}
	}
}

// TestEveryClassHasATestOfItsName holds that each class has a mutant that the test with its number catches.
func TestEveryClassHasATestOfItsName(t *testing.T) {
	caught := map[string]bool{}
	for _, m := range allMutants(t) {
		if strings.HasPrefix(m.test, "Test"+m.class) {
			caught[m.class] = true
		}
	}
	for i := range classes {
		if class := fmt.Sprintf("B%02d", i+1); !caught[class] {
			t.Errorf("no mutant of class %s is caught by a test whose name begins with Test%s", class, class)
		}
	}
}

func TestNamedTestsExist(t *testing.T) {
	functions := map[string]map[string]bool{}
	for _, m := range allMutants(t) {
		if functions[m.pkg] == nil {
			functions[m.pkg] = testsOf(t, filepath.Join(root, m.pkg))
		}
		if !functions[m.pkg][m.test] {
			t.Errorf("%s %s There is no %s in %s", m.class, m.title, m.test, m.pkg)
		}
	}
}

// testsOf are the names of the functions in the tests of a folder.
func testsOf(t *testing.T, folder string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil {
				out[f.Name.Name] = true
			}
		}
	}
	return out
}

func TestParseList(t *testing.T) {
	const list = `# Weights.

B15 A weight above 100 % reaches the route.
in a/route.go
# kept
| 	x()
- 	if weight > most {
+ 	if false {
| 	y()
caught by a/b TestWeights

SUM Nothing is left.
in a/sum.go
- 	check()
caught by a TestSum`
	want := []mutant{
		{
			class: "B15", title: "A weight above 100 % reaches the route.", file: "a/route.go",
			old: "\tx()\n\tif weight > most {\n\ty()", replacement: "\tx()\n\tif false {\n\ty()", pkg: "a/b", test: "TestWeights",
		},
		{class: "SUM", title: "Nothing is left.", file: "a/sum.go", old: "\tcheck()", pkg: "a", test: "TestSum"},
	}
	got, err := parseList(list)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(mutant{})); diff != "" {
		t.Error(diff)
	}
}

func TestParseListRefuses(t *testing.T) {
	const whole = "B15 A sentence.\nin a.go\n- x\n+ y\ncaught by a TestX"
	for name, tt := range map[string]struct{ old, replacement, want string }{
		"no sentence":        {" A sentence.", "", "needs a class and a sentence"},
		"no file":            {"in a.go\n", "", `no line "in FILE"`},
		"nothing to replace": {"- x\n", "", "nothing to take out"},
		"the same again":     {"+ y", "+ x", "nothing to take out"},
		"no test":            {" TestX", "", "caught by PACKAGE TEST"},
		"another line":       {"+ y", "= y", `"= y" begins with none of`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseList(strings.Replace(whole, tt.old, tt.replacement, 1))
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "B15") {
				t.Errorf("the error is %v, want one about B15 with %q", err, tt.want)
			}
		})
	}
}

func TestMutate(t *testing.T) {
	m := mutant{file: "a.go", old: "b\nc", replacement: "d"}
	for source, want := range map[string]string{"a\nb\nc\n": "a\nd\n", "a\nb\n": "", "b\nc\nb\nc\n": ""} {
		got, err := m.mutate(source)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q becomes %q, %v; want %q", source, got, err, want)
		}
	}
}
