// Package golden compares what the code writes with files of testdata, and writes those anew when a test runs with
// -rewrite. Commit a rewrite only if you can say of every changed line why it changed.
package golden

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const flagName = "rewrite"

// Main is the TestMain of a package that compares files: it adds the flag -rewrite.
func Main(m *testing.M) {
	flag.Bool(flagName, false, "write the files that tests compare with anew")
	os.Exit(m.Run())
}

// Compare compares a text with a file, such as testdata/help.txt. The package of the test needs Main.
func Compare(t *testing.T, path, got string) {
	t.Helper()
	if flag.Lookup(flagName).Value.String() == "true" {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s: run the test with -%s if this is right (-want +got):\n%s", path, flagName, diff)
	}
}

// Inputs compares what is made of every testdata/*/in.yaml with the file want.yaml beside it.
func Inputs(t *testing.T, made func(t *testing.T, file string) string) {
	t.Helper()
	for _, file := range Files(t) {
		dir := filepath.Dir(file)
		t.Run(filepath.Base(dir), func(t *testing.T) { Compare(t, filepath.Join(dir, "want.yaml"), made(t, file)) })
	}
}

// Files are the files testdata/*/in.yaml, of which there must be one.
func Files(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*/in.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no test data: %v", err)
	}
	return files
}

// Read reads a file.
func Read(t testing.TB, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
