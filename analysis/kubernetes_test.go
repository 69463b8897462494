package analysis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// pod with one container that has restarted so often.
func pod(name string, restarts int32, change ...func(*Pod)) Pod {
	p := Pod{Name: name, Containers: []Container{{Name: "app", Restarts: restarts}}}
	for _, c := range change {
		c(&p)
	}
	return p
}

func outOfMemory(p *Pod) { p.Containers[0].OOMKilled = true }

func looping(p *Pod) { p.Containers[0].CrashLooping = true }

// notReady since so long after the start.
func notReady(since time.Duration) func(*Pod) {
	return func(p *Pod) { p.NotReadySince = start().Add(since) }
}

func podsMetric(change ...func(*v1alpha1.Metric)) v1alpha1.Metric {
	m := v1alpha1.Metric{Name: "pods", Kubernetes: &v1alpha1.KubernetesMetric{}}
	for _, c := range append([]func(*v1alpha1.Metric){every(15 * second), times(4)}, change...) {
		c(&m)
	}
	return m
}

// watched measures a run of one metric of pods, one look after another and the last for ever, until it ends.
func watched(t *testing.T, metric v1alpha1.Metric, seen ...[]Pod) v1alpha1.AnalysisRunStatus {
	t.Helper()
	conditions, err := NewConditions(1)
	if err != nil {
		t.Fatal(err)
	}
	spec := v1alpha1.AnalysisRunSpec{Revision: "abc", Metrics: []v1alpha1.Metric{metric}}
	looks := 0
	meter := Meter{Conditions: conditions, Pods: func(_ context.Context, revision string) ([]Pod, error) {
		looks++
		if revision != "abc" {
			return nil, fmt.Errorf("asked for revision %q", revision)
		}
		return seen[min(looks, len(seen))-1], nil
	}}
	var status v1alpha1.AnalysisRunStatus
	for now := start(); looks < 20 && !status.Phase.Ended(); {
		step := Next(spec, status, now)
		status = persisted(t, step.Status)
		if len(step.Due) == 0 {
			now = step.WakeAt
			continue
		}
		status = persisted(t, Record(spec, status, []Measured{meter.Measure(t.Context(), spec, status, 0, now)}, now))
	}
	return status
}

func TestPods(t *testing.T) {
	for _, row := range []struct {
		name   string
		metric v1alpha1.Metric
		looks  [][]Pod
		phase  v1alpha1.AnalysisPhase
		want   string
	}{
		{
			"nothing wrong", podsMetric(),
			[][]Pod{{pod("a", 0), pod("b", 0)}},
			v1alpha1.AnalysisPassed,
			"pods: 2 pods: 0 restarted, 0 out of memory, 0 in a crash loop, 0 not ready; 4 looks",
		},
		{
			"restarts from before", podsMetric(), [][]Pod{{pod("a", 7)}}, v1alpha1.AnalysisPassed, "0 restarted",
		},
		{
			"as many restarts as are tolerated", podsMetric(), [][]Pod{{pod("a", 7)}, {pod("a", 8), pod("b", 1)}}, v1alpha1.AnalysisPassed, "2 restarted",
		},
		{
			"one more", podsMetric(),
			[][]Pod{{pod("a", 7)}, {pod("a", 8), pod("b", 1)}, {pod("a", 9), pod("b", 1)}},
			v1alpha1.AnalysisFailed,
			"pods: of 2 pods: 3 restarted, limit 2: a/app",
		},
		{
			"in pods that come and go", podsMetric(), [][]Pod{{pod("a", 0)}, {pod("b", 2)}, {pod("c", 1)}}, v1alpha1.AnalysisFailed, "3 restarted, limit 2",
		},
		{
			"told of fewer in between", podsMetric(), [][]Pod{{pod("a", 5)}, {pod("a", 6)}, {pod("a", 5)}, {pod("a", 6)}}, v1alpha1.AnalysisPassed, "1 restarted",
		},
		{
			"out of memory", podsMetric(),
			[][]Pod{{pod("a", 0)}, {pod("a", 1, outOfMemory)}},
			v1alpha1.AnalysisFailed,
			"pods: of 1 pods: 1 out of memory, limit 0: a/app",
		},
		{
			"out of memory before", podsMetric(), [][]Pod{{pod("a", 1, outOfMemory)}}, v1alpha1.AnalysisPassed, "0 out of memory",
		},
		{
			"out of memory, which is tolerated once", podsMetric(func(m *v1alpha1.Metric) { m.Kubernetes.MaxOOMKills = ptr.To[int32](1) }),
			[][]Pod{{pod("a", 0)}, {pod("a", 1, outOfMemory)}},
			v1alpha1.AnalysisPassed, "1 restarted, 1 out of memory",
		},
		{
			"a crash loop", podsMetric(), [][]Pod{{pod("a", 4, looping)}}, v1alpha1.AnalysisFailed, "1 in a crash loop, limit 0: a/app",
		},
		{
			"not ready for a moment", podsMetric(), [][]Pod{{pod("a", 0, notReady(0))}, {pod("a", 0)}}, v1alpha1.AnalysisPassed, "0 not ready",
		},
		{
			"not ready for long", podsMetric(times(9)),
			[][]Pod{{pod("a", 0, notReady(0)), pod("b", 0)}},
			v1alpha1.AnalysisFailed,
			"pods: of 2 pods: 1 not ready for 1m0s, limit 0: a",
		},
		{
			"not ready for long, which is tolerated", podsMetric(times(9), func(m *v1alpha1.Metric) { m.Kubernetes.MaxNotReady = ptr.To[int32](1) }),
			[][]Pod{{pod("a", 0, notReady(0)), pod("b", 0)}},
			v1alpha1.AnalysisPassed, "1 not ready",
		},
		{
			"no pods", podsMetric(), [][]Pod{nil}, v1alpha1.AnalysisRunning, "no pod has the label pod-template-hash=abc",
		},
		{
			"without an end", podsMetric(endless), [][]Pod{{pod("a", 0)}}, v1alpha1.AnalysisRunning, "0 not ready; 20 looks",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			status := watched(t, row.metric, row.looks...)
			if status.Phase != row.phase || !strings.Contains(status.Message, row.want) {
				t.Errorf("%s: %s\nwant %s, with %s", status.Phase, status.Message, row.phase, row.want)
			}
		})
	}
}

// TestManyContainersRestart holds that the status stays bounded, and that restarts from before the analysis that did not fit
// are never taken for new ones.
func TestManyContainersRestart(t *testing.T) {
	var many []Pod
	for i := range 2 * maxKnown {
		many = append(many, pod(fmt.Sprintf("pod-%03d", i), 3))
	}
	status := watched(t, podsMetric(), many)
	result := status.Metrics[0]
	if status.Phase != v1alpha1.AnalysisPassed || len(result.Pods.Known) != maxKnown || result.Pods.Restarts != 0 {
		t.Errorf("%s: %s, %d containers known; want Passed and %d", status.Phase, status.Message, len(result.Pods.Known), maxKnown)
	}
}

func TestPodsThatCannotBeSeen(t *testing.T) {
	conditions, err := NewConditions(1)
	if err != nil {
		t.Fatal(err)
	}
	refuses := func(context.Context, string) ([]Pod, error) { return nil, errors.New("forbidden") }
	for _, row := range []struct {
		name     string
		revision string
		pods     Pods
		want     string
	}{
		{"no cluster", "abc", nil, "spec.metrics[0].kubernetes: there is no cluster"},
		{"no revision", "", refuses, "spec.metrics[0].kubernetes: spec.revision is empty; set it"},
		{"no right", "abc", refuses, "spec.metrics[0].kubernetes: the pods cannot be listed: forbidden"},
	} {
		spec := v1alpha1.AnalysisRunSpec{Revision: row.revision, Metrics: []v1alpha1.Metric{podsMetric()}}
		got := Meter{Conditions: conditions, Pods: row.pods}.Measure(t.Context(), spec, v1alpha1.AnalysisRunStatus{}, 0, start())
		if got.Measurement.State != v1alpha1.MeasurementError || !strings.Contains(got.Measurement.Message, row.want) {
			t.Errorf("%s: got %+v, want an error with %q", row.name, got.Measurement, row.want)
		}
	}
}
