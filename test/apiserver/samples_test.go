//go:build apiserver

package apiserver_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/apiserver/env"
)

const samples = "../../config/samples"

// TestSamplesApply applies every sample again and again, as people do: from the client's side and from the server's.
// Nothing must change then: a default that the schema fills in must not look like an edit. The second apply may write
// once, as it stores the default of a status that no controller has written yet.
func TestSamplesApply(t *testing.T) {
	for name, flags := range map[string][]string{
		"by the client": {},
		"by the server": {"--server-side"},
	} {
		t.Run(name, func(t *testing.T) {
			e := env.Start(t)
			apply := append([]string{"apply", "--filename", samples, "--output", "name"}, flags...)
			for range 2 {
				if _, err := e.Kubectl(t, "", apply...); err != nil {
					t.Fatal(err)
				}
			}
			before := versions(t, e)
			if len(before) == 0 {
				t.Fatal("nothing was applied")
			}
			if _, err := e.Kubectl(t, "", apply...); err != nil {
				t.Fatal(err)
			}
			for object, version := range versions(t, e) {
				if version != before[object] {
					t.Errorf("%s was written again by an apply that changes nothing", object)
				}
			}
		})
	}
}

// versions are the resource versions of what the samples make in the namespace.
func versions(t *testing.T, e *env.Env) map[string]string {
	t.Helper()
	out, err := e.Kubectl(t, "", "get", "rollouts,analysistemplates,clusteranalysistemplates,services,httproutes,virtualservices,traefikservices,ingresses",
		"--output", `jsonpath={range .items[*]}{.kind}/{.metadata.name}={.metadata.resourceVersion}{"\n"}{end}`)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for line := range strings.Lines(out) {
		object, version, _ := strings.Cut(strings.TrimSpace(line), "=")
		found[object] = version
	}
	return found
}

// TestSamplesAreRight holds what the API server cannot see: that the conditions compile and their arguments are there.
func TestSamplesAreRight(t *testing.T) {
	files, err := filepath.Glob(samples + "/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	conditions, err := analysis.NewConditions(16)
	if err != nil {
		t.Fatal(err)
	}
	strategies := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, document := range strings.Split(string(text), "\n---\n") {
			switch {
			case strings.Contains(document, "\nkind: Rollout\n"):
				strategies[checkRollout(t, file, document)] = true
			case strings.Contains(document, "AnalysisTemplate\nmetadata:"):
				checkTemplate(t, conditions, file, document)
			}
		}
	}
	for _, want := range []string{
		v1alpha1.StrategyCanary, v1alpha1.StrategyBlueGreen, v1alpha1.StrategyRollingUpdate, v1alpha1.StrategyRecreate,
	} {
		if !strategies[want] {
			t.Errorf("no sample of %s", want)
		}
	}
}

func checkRollout(t *testing.T, file, document string) (strategy string) {
	t.Helper()
	rollout := &v1alpha1.Rollout{}
	if err := yaml.UnmarshalStrict([]byte(document), rollout); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if errs := v1alpha1.ValidateRollout(rollout); len(errs) > 0 {
		t.Errorf("%s: %v", file, errs.ToAggregate())
	}
	return rollout.Spec.StrategyName()
}

func checkTemplate(t *testing.T, conditions *analysis.Conditions, file, document string) {
	t.Helper()
	template := &v1alpha1.AnalysisTemplate{}
	if err := yaml.UnmarshalStrict([]byte(document), template); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if err := analysis.CheckTemplate(template.Spec, conditions); err != nil {
		t.Errorf("%s: %s: %v", file, template.Name, err)
	}
}

// TestSamplesDoNotMeet holds that samples can be applied to one namespace: none has an object that another one has.
func TestSamplesDoNotMeet(t *testing.T) {
	files, err := filepath.Glob(samples + "/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	in := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, document := range strings.Split(string(text), "\n---\n") {
			var object metav1.PartialObjectMetadata
			if err := yaml.Unmarshal([]byte(document), &object); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			key := object.Kind + "/" + object.Name
			if other := in[key]; other != "" {
				t.Errorf("%s has %s, and so has %s", file, key, other)
			}
			in[key] = file
		}
	}
}
