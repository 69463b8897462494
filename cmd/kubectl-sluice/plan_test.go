package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/yaml"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner/forecast"
	"github.com/sluice-dev/sluice/controller/revision"
	"github.com/sluice-dev/sluice/test/builder"
)

const sampleFiles = "../../config/samples"

// TestPlanOfSamples plans each sample without a cluster.
func TestPlanOfSamples(t *testing.T) {
	files, err := filepath.Glob(sampleFiles + "/*.yaml")
	if err != nil || len(files) < 7 {
		t.Fatalf("samples %v, error %v", files, err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		t.Run(name, func(t *testing.T) {
			c := newTerminal(t, interceptor.Funcs{})
			c.connect = func() (client.WithWatch, error) { return nil, fmt.Errorf("there is no cluster") }
			code := c.run(t, "plan", "-f", file)
			if strings.HasSuffix(name, "-template") && name != "canary-template" {
				c.expect(t, code, exitFailed, "", "error: "+file+" has no Rollout (sluice.dev/v1alpha1): give a file with one\n")
				return
			}
			c.expectGolden(t, code, exitDone, "plan-"+name)
		})
	}
}

// services are those of a Rollout, and the revisions that they select.
func services(name, active, standby string) []client.Object {
	one, other := builder.Service("shop", name, name), builder.Service("shop", name+"-standby", name)
	for service, hash := range map[*corev1.Service]string{one: active, other: standby} {
		if hash != "" {
			service.Spec.Selector[v1alpha1.LabelPodTemplateHash] = hash
		}
	}
	return []client.Object{one, other}
}

func hashOf(t *testing.T, r *v1alpha1.Rollout) string {
	t.Helper()
	hash, err := revision.Hash(r.Spec.Template.Raw, 0)
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

func TestPlanOfLiveRollouts(t *testing.T) {
	resting := func(change ...func(*v1alpha1.Rollout)) []client.Object {
		r := rollout("web", change...)
		hash := hashOf(t, r)
		r.Status.State.Stable, r.Status.UpdateRevision = hash, hash
		return append(append(services("web", hash, hash), r), replicaSet(r, hash, 1, "shop/web:v2", 3)...)
	}
	// adopted was taken over from a Deployment: its revision has the hash that it had there, which is not that of the template.
	adopted := func(change ...func(*v1alpha1.Rollout)) []client.Object {
		r := rollout("web", change...)
		return append(append(services("web", stable, stable), r), replicaSet(r, stable, 1, "shop/web:v2", 3)...)
	}
	// released is at its first step: v3 has 20 %, and a person is waited for.
	released := func(change ...func(*v1alpha1.Rollout)) []client.Object {
		r := rollout("web", stepping, image("shop/web:v3"))
		hash, at := hashOf(t, r), metav1.NewMicroTime(now())
		r.Status.State.Candidate, r.Status.State.Attempt, r.Status.State.ShiftedAt, r.Status.State.GatesAt = hash, 2, at, at
		r.Status.UpdateRevision = hash
		for _, f := range change {
			f(r)
		}
		out := append(services("web", stable, hash), r)
		out = append(out, replicaSet(r, stable, 2, "shop/web:v2", 3)...)
		return append(out, replicaSet(r, hash, 3, "shop/web:v3", 1)...)
	}
	withAnalysis := func(r *v1alpha1.Rollout) { r.Spec.Strategy.Canary.Steps[1].Analysis = builder.Analysis("success-rate") }
	for name, tc := range map[string]struct {
		args     []string
		objects  []client.Object
		wantCode int
	}{
		"resting":         {args: []string{"web"}, objects: resting()},
		"adopted":         {args: []string{"web", "--image", "web=shop/web:v2"}, objects: adopted()},
		"adopted-edited":  {args: []string{"web", "--image", "web=shop/web:v9", "--pod-start", "10s"}, objects: adopted()},
		"adopted-resting": {args: []string{"web"}, objects: adopted()},
		"image":           {args: []string{"rollout/web", "--image", "web=shop/web:v9", "--pod-start", "10s"}, objects: resting()},
		"same-image":      {args: []string{"web", "--image", "*=shop/web:v2"}, objects: resting()},
		"analysis": {args: []string{"web"}, objects: append(resting(withAnalysis), builder.AnalysisTemplate("success-rate",
			builder.Metric("a", "q").Every(time.Minute).Count(6)).Namespace("shop").Obj())},
		"stepping":   {args: []string{"web"}, objects: released()},
		"superseded": {args: []string{"web", "--image", "web=shop/web:v9"}, objects: released()},
		"late":       {args: []string{"web", "--pod-start", "1h"}, objects: resting(), wantCode: exitFailed},
		"promoting": {args: []string{"web"}, objects: released(func(r *v1alpha1.Rollout) {
			r.Status.State.Stage, r.Status.State.Step = v1alpha1.StagePromoting, 1
		})},
		"aborted": {args: []string{"web"}, objects: released(func(r *v1alpha1.Rollout) {
			hash := r.Status.State.Candidate
			aborted(r)
			r.Status.State.Candidate, r.Status.UpdateRevision, r.Status.Weight = hash, hash, "0"
		})},
		"paused":  {args: []string{"web"}, objects: released(func(r *v1alpha1.Rollout) { r.Spec.Paused = true })},
		"first":   {args: []string{"web"}, objects: append(services("web", "", "")[:1], rollout("web", unseen))},
		"json":    {args: []string{"web", "-o", "json"}, objects: resting()},
		"yaml":    {args: []string{"web", "-o", "yaml"}, objects: resting()},
		"without": {args: []string{"web"}, objects: []client.Object{builder.Rollout("web").Namespace("shop").Recreate().Obj()}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newTerminal(t, interceptor.Funcs{}, tc.objects...)
			c.expectGolden(t, c.run(t, append([]string{"plan"}, tc.args...)...), tc.wantCode, "plan-live-"+name)
		})
	}
}

// TestPlanAsData reads back what -o json and -o yaml print.
func TestPlanAsData(t *testing.T) {
	for format, decode := range map[string]func([]byte, any) error{
		"json": json.Unmarshal,
		"yaml": func(data []byte, v any) error { return yaml.Unmarshal(data, v) },
	} {
		t.Run(format, func(t *testing.T) {
			c := newTerminal(t, interceptor.Funcs{})
			if code := c.run(t, "plan", "-f", sampleFiles+"/canary-gateway.yaml", "-o", format); code != exitDone {
				t.Fatalf("exit code %d: %s", code, c.err.String())
			}
			f := forecast.Forecast{}
			if err := decode(c.out.Bytes(), &f); err != nil {
				t.Fatal(err)
			}
			if len(f.Steps) != 5 || f.MostPods != 20 || f.LeastAvailable != 10 || !f.Settled || f.LeastDuration.Seconds() != 574 {
				t.Errorf("%+v", f)
			}
		})
	}
}

// rolloutFile is a Rollout with a strategy, and what a file says of the rest.
func rolloutFile(spec string) string {
	return `apiVersion: sluice.dev/v1alpha1
kind: Rollout
metadata:
  name: web
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: web}]}
` + spec
}

func TestPlanOfWrongFiles(t *testing.T) {
	canary := func(step string) string {
		return rolloutFile("  services: {active: web}\n  strategy:\n    canary:\n      steps:\n      - " + step + "\n")
	}
	template := "\n---\napiVersion: sluice.dev/v1alpha1\nkind: AnalysisTemplate\nmetadata: {name: a}\nspec: {metrics: [{name: m, " +
		"interval: 5s, provider: {prometheus: {query: q}}}]}\n"
	for name, tc := range map[string]struct {
		args []string
		file string
		want string
	}{
		"empty":         {file: "# nothing\n---\n", want: "the standard input has no Rollout (sluice.dev/v1alpha1): give a file with one"},
		"not YAML":      {file: "a: [", want: "the standard input, document 1: no Kubernetes object; write YAML or JSON with apiVersion and kind: error converting YAML to JSON"},
		"unknown field": {file: canary("wieght: 5"), want: "unknown field \"spec.strategy.canary.steps[0].wieght\""},
		"unknown kind":  {file: "apiVersion: sluice.dev/v1alpha1\nkind: Rolout\n", want: "document 1: kind: there is no Rolout in sluice.dev/v1alpha1"},
		"weight":        {file: canary("weight: 120"), want: "spec.strategy.canary.steps[0].weight: Invalid value: \"120\""},
		"no strategy":   {file: rolloutFile("  strategy: {}\n"), want: "spec.strategy: Invalid value: write exactly one strategy"},
		"replicas":      {file: rolloutFile("  replicas: -1\n  strategy: {recreate: {}}\n"), want: "spec.replicas: Invalid value: -1: write a number from 0 to 1000000"},
		"deadline": {
			file: rolloutFile("  progressDeadlineSeconds: 0\n  minReadySeconds: -1\n  strategy: {recreate: {}}\n"),
			want: "[spec.minReadySeconds: Invalid value: -1: write a number from 0 to 2147483646, spec.progressDeadlineSeconds: Invalid value: 0",
		},
		"capacity": {
			file: rolloutFile("  strategy: {canary: {stableCapacity: Half, steps: [{weight: 5}]}}\n"),
			want: "spec.strategy.canary.stableCapacity: Unsupported value: \"Half\"",
		},
		"preview": {
			file: rolloutFile("  services: {active: web}\n  strategy: {blueGreen: {previewReplicas: 0}}\n"),
			want: "spec.strategy.blueGreen.previewReplicas: Invalid value: 0: write a number from 1 to 1000000",
		},
		"endless analysis": {
			file: canary("{weight: 5, analysis: {templates: [{name: a}]}}") + template,
			want: "spec.strategy.canary.steps[0].analysis.templates[0].name: AnalysisTemplate \"a\" has a metric with an interval and without a count",
		},
		"which":     {file: canary("weight: 5") + "---\n" + strings.Replace(canary("weight: 6"), "name: web\nspec", "name: db\nspec", 1), want: "the standard input has 2 Rollouts: give the name of one of web, db"},
		"not there": {args: []string{"db"}, file: canary("weight: 5"), want: "the standard input has no Rollout \"db\": it has web"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newTerminal(t, interceptor.Funcs{})
			c.In = strings.NewReader(tc.file)
			code := c.run(t, append([]string{"plan", "-f", "-"}, tc.args...)...)
			if code != exitFailed || !strings.Contains(c.err.String(), tc.want) || c.out.Len() > 0 {
				t.Errorf("exit code %d, output %q, error output %q, want %q", code, c.out.String(), c.err.String(), tc.want)
			}
		})
	}
}

// TestPlanOfFiles reads what a person or another program hands over.
func TestPlanOfFiles(t *testing.T) {
	step := "  strategy: {canary: {steps: [{weight: 50, analysis: {templates: [{name: a, kind: ClusterAnalysisTemplate}, {name: b}]}}]}}\n"
	template := "---\napiVersion: sluice.dev/v1alpha1\nkind: ClusterAnalysisTemplate\nmetadata: {name: a}\nspec: {metrics: [{name: m, " +
		"initialDelay: 5s, provider: {prometheus: {query: q}}}]}\n"
	other := strings.Replace(template, "ClusterAnalysisTemplate\nmetadata: {name: a}", "AnalysisTemplate\nmetadata: {name: b}", 1)
	list := "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\napiVersion: example.com/v1\nkind: Thing\n---\n"
	for name, tc := range map[string]struct {
		file, want string
	}{
		"a template is missing": {file: rolloutFile(step) + template, want: "1/1        50%      1       1          0s     analysis step-1 (time not known)"},
		"all are there":         {file: list + rolloutFile(step) + template + other, want: "1/1        50%      1       1          0s     analysis step-1 (5s)"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newTerminal(t, interceptor.Funcs{})
			file := filepath.Join(t.TempDir(), "web.yaml")
			if err := os.WriteFile(file, []byte(tc.file), 0o600); err != nil {
				t.Fatal(err)
			}
			if code := c.run(t, "plan", "web", "-f", file); code != exitDone || !strings.Contains(c.out.String(), tc.want) {
				t.Errorf("exit code %d: %s\nno %q in\n%s", code, c.err.String(), tc.want, c.out.String())
			}
		})
	}
}

func TestPlanRefuses(t *testing.T) {
	withAnalysis := rollout("measured", func(r *v1alpha1.Rollout) {
		r.Spec.Strategy.Canary.Steps[0].Analysis = builder.Analysis("success-rate")
	})
	for line, tc := range map[string]struct {
		code int
		want string
	}{
		"plan":                       {exitUsage, "what to plan is missing: give the name of a rollout, or a file with -f\nSee \"kubectl sluice plan --help\".\n"},
		"plan -f x --image a=b":      {exitUsage, "--image is for a Rollout of the cluster: with -f, write the image into the file\nSee \"kubectl sluice plan --help\".\n"},
		"plan web --pod-start -1s":   {exitUsage, "--pod-start -1s: write a duration of 0 or more, such as 20s\nSee \"kubectl sluice plan --help\".\n"},
		"plan web -o xml":            {exitUsage, "-o xml: write json or yaml\nSee \"kubectl sluice plan --help\".\n"},
		"plan web --image a":         {exitUsage, "\"a\" is not <container>=<image>, such as app=shop/web:v2\nSee \"kubectl sluice plan --help\".\n"},
		"plan measured db":           {exitUsage, "one rollout at a time: db is too much\nSee \"kubectl sluice plan --help\".\n"},
		"plan -f none.yaml":          {exitFailed, "open none.yaml: no such file or directory\n"},
		"plan mesured":               {exitFailed, "there is no rollout \"mesured\" in namespace \"shop\"; did you mean \"measured\"?\n"},
		"plan web":                   {exitFailed, "rollout \"web\": spec.services.active: Service \"web\" does not exist: create it, or name another one\n"},
		"plan measured":              {exitFailed, "rollout \"measured\": spec.strategy.canary.steps[0].analysis.templates[0].name: AnalysisTemplate \"success-rate\" does not exist: create it, or name another one\n"},
		"plan measured --image db=x": {exitFailed, "rollout \"measured\" has no container \"db\": it has measured\n"},
	} {
		t.Run(line, func(t *testing.T) {
			c := newTerminal(t, interceptor.Funcs{}, append(services("measured", "", ""), withAnalysis, rollout("web"))...)
			c.expect(t, c.run(t, strings.Fields(line)...), tc.code, "", "error: "+tc.want)
		})
	}
}
