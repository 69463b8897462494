package analysis

import (
	"go/build"
	"slices"
	"strings"
	"testing"
)

// TestImports holds that the engine knows no client, controller, provider or network: beyond the standard library it
// imports the API's types and the expression language.
func TestImports(t *testing.T) {
	allowed := []string{
		"github.com/google/cel-go/cel",
		"github.com/sluice-dev/sluice/analysis/judge",
		"github.com/sluice-dev/sluice/analysis/presets",
		"github.com/sluice-dev/sluice/api/v1alpha1",
		"k8s.io/apimachinery/pkg/apis/meta/v1",
	}
	forbidden := []string{"net", "net/http", "os", "os/exec", "log", "math/rand", "math/rand/v2"}
	pkg, err := build.ImportDir(".", 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range pkg.Imports {
		// Only paths of the standard library begin with an element that is no domain.
		first, _, _ := strings.Cut(path, "/")
		standard := !strings.Contains(first, ".")
		if !slices.Contains(allowed, path) && (!standard || slices.Contains(forbidden, path)) {
			t.Errorf("package analysis imports %s", path)
		}
	}
}
