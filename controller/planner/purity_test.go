package planner_test

import (
	"os/exec"
	"strings"
	"testing"
)

// TestNoClient holds that nothing which the planner, its simulation, its forecasts or its explanations import, however deep, can talk to anything.
func TestNoClient(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".", "./sim", "./forecast", "./why").CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	forbidden := []string{
		"k8s.io/client-go", "sigs.k8s.io/controller-runtime", "sigs.k8s.io/gateway-api", "github.com/prometheus/",
		"github.com/sluice-dev/sluice/analysis", "github.com/sluice-dev/sluice/trafficrouting",
		"github.com/sluice-dev/sluice/controller/rollout", "k8s.io/utils/clock",
	}
	for _, path := range strings.Fields(string(out)) {
		for _, prefix := range forbidden {
			if strings.HasPrefix(path, prefix) {
				t.Errorf("the planner depends on %s: decisions take values and give values", path)
			}
		}
	}
}
