// Package golden compares what the code writes with files of testdata, and writes those anew when a test runs with
// -rewrite. Commit a rewrite only if you can say of every changed line why it changed.
package golden

import (
	"flag"
	"os"
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
