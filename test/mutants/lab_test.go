package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// sample is a module with a protection, the test that needs it, and one mutant for each verdict.
func sample(t *testing.T, test string) string {
	t.Helper()
	folder := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module sample\n\ngo 1.26\n",
		"limit/limit.go": `package limit

func At(most, n int) int {
	if n > most {
		return most
	}
	return n
}
`,
		"limit/limit_test.go": "package limit\n\nimport \"testing\"\n\n" + test,
		"list/limit.txt": `
L1 The limit is gone.
in limit/limit.go
- 	if n > most {
+ 	if n < 0 {
caught by limit TestLimit

L2 The limit is one less.
in limit/limit.go
- 	if n > most {
+ 	if n >= most {
caught by limit TestLimit

L3 The limit has no name.
in limit/limit.go
- 	if n > most {
+ 	if n > limit {
caught by limit TestLimit

L4 The limit never comes.
in limit/limit.go
- 	if n > most {
+ 	for n > most {
+ 	}
+ 	if n > most {
caught by limit TestLimit

L5 The text is not there.
in limit/limit.go
- 	if n > least {
+ 	if n < 0 {
caught by limit TestLimit

L6 It ends in a goroutine of its own.
in limit/limit.go
- 	if n > most {
+ 	wait := make(chan int)
+ 	go func() { panic("lost") }()
+ 	n += <-wait
+ 	if n > most {
caught by limit TestLimit
`,
	} {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func TestVerdicts(t *testing.T) {
	folder := sample(t, "func TestLimit(t *testing.T) {\n\tif At(3, 5) != 3 {\n\t\tt.Error(\"5\")\n\t}\n}\n")
	var out strings.Builder
	err := run(t.Context(), []string{"-root", folder, "-list", "list", "-timeout", "5s"}, &out)
	if err == nil || err.Error() != "4 of 6 mutants are not caught" {
		t.Errorf("the error is %v", err)
	}
	for _, want := range []string{
		`(?m)^L1 +caught +`, `(?m)^L2 +SURVIVED +`, `(?m)^L3 +DOES NOT COMPILE +`, `undefined: limit`, `(?m)^L4 +HANGS +`,
		`(?m)^L5 +DOES NOT COMPILE +`, `has this text 0 times`, `(?m)^L6 +caught +`,
		`6 mutants: 2 caught, 1 survived, 2 do not compile, 1 hang; `,
	} {
		if !regexp.MustCompile(want).MatchString(out.String()) {
			t.Errorf("the report lacks %s:\n%s", want, out.String())
		}
	}
}

func TestPickedMutants(t *testing.T) {
	folder := sample(t, "func TestLimit(t *testing.T) {\n\tif At(3, 5) != 3 {\n\t\tt.Error(\"5\")\n\t}\n}\n")
	var out strings.Builder
	if err := run(t.Context(), []string{"-root", folder, "-list", "list", "-run", "^L1 "}, &out); err != nil {
		t.Errorf("%v\n%s", err, out.String())
	}
	if err := run(t.Context(), []string{"-root", folder, "-list", "list", "-run", "nothing"}, &out); err == nil {
		t.Error("that no mutant matches is no error")
	}
}

// A test that fails without any mutant catches nothing.
func TestAFailingTestCatchesNothing(t *testing.T) {
	folder := sample(t, "func TestLimit(t *testing.T) { t.Error(\"always\") }\n")
	var out strings.Builder
	err := run(t.Context(), []string{"-root", folder, "-list", "list", "-run", "L1"}, &out)
	if err == nil || !strings.Contains(err.Error(), "limit fails without any mutant") || out.Len() > 0 {
		t.Errorf("the error is %v, the report %q", err, out.String())
	}
}
