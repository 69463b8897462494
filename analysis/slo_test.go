package analysis

import (
	"errors"
	"strings"
	"testing"

	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/analysis/judge"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// sloMetric tolerates one bad request in 100.
func sloMetric(change ...func(*v1alpha1.Metric)) v1alpha1.Metric {
	return ratioMetric(append([]func(*v1alpha1.Metric){func(m *v1alpha1.Metric) {
		m.Name, m.SLO, m.Ratio = "goal", &v1alpha1.SLOMetric{Candidate: m.Ratio.Candidate, Objective: "99%"}, nil
	}}, change...)...)
}

// alone is a batch of the candidate.
func alone(x, c float64) Count {
	return Count{Batch: judge.Batch{Candidate: judge.Arm{Bad: x, Total: c}}, Scrape: 15 * second}
}

func TestSLO(t *testing.T) {
	for _, row := range []struct {
		name   string
		metric v1alpha1.Metric
		answer Count
		phase  v1alpha1.AnalysisPhase
		want   string
	}{
		{
			"missed", sloMetric(), alone(30, 300), v1alpha1.AnalysisFailed,
			"goal: candidate 90 bad of 900, 90% good, objective 99%; evidence of harm 100, fails at 100",
		},
		{"met", sloMetric(), alone(5, 1000), v1alpha1.AnalysisPassed, "candidate 100 bad of 20000, 99.5% good, objective 99%; evidence of harm 0"},
		{
			"met soon", sloMetric(func(m *v1alpha1.Metric) { m.SLO.PassAfter = ptr.To[int32](2) }), alone(5, 1000), v1alpha1.AnalysisPassed,
			"shown to be no worse",
		},
		{
			"too little", sloMetric(times(4)), alone(0, 20), v1alpha1.AnalysisInconclusive,
			"too few to tell: 80 requests of the candidate, about ",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			status := follow(t, ratioRun(row.metric), &counting{answers: []Count{row.answer}}, 100)
			if status.Phase != row.phase || !strings.Contains(status.Message, row.want) {
				t.Errorf("%s: %s\nwant %s, with %s", status.Phase, status.Message, row.phase, row.want)
			}
		})
	}
}

// TestSLOAsksForTheCandidateOnly holds that stable has no part in it: that it served nothing is no lack of a baseline.
func TestSLOAsksForTheCandidateOnly(t *testing.T) {
	provider := &counting{answers: []Count{alone(0, 0)}}
	status := follow(t, ratioRun(sloMetric()), provider, 3)
	if got := provider.asked[0]; got.Stable != (Selectors{}) || got.Candidate.Bad != `bad{pod=~"web-abc-.*"}` {
		t.Errorf("asked for %+v", got)
	}
	want := "goal: spec.metrics[0].slo: NoCanaryTraffic: no request reached the candidate; look whether the route sends it traffic, " +
		"and whether slo.candidate selects its series"
	if status.Phase.Ended() || status.Message != want {
		t.Errorf("%s: %s\nwant %s", status.Phase, status.Message, want)
	}
}

func TestCheckSLO(t *testing.T) {
	for _, row := range []struct{ objective, selector, field string }{
		{"99.5%", "x", ""},
		{"0%", "x", "slo.objective"},
		{"100%", "x", "slo.objective"},
		{"most", "x", "slo.objective"},
		{"99.5%", "rate(x[1m])", "slo.candidate.total"},
		{"30%", "x", ""},
	} {
		metric := sloMetric(func(m *v1alpha1.Metric) { m.SLO.Objective, m.SLO.Candidate.Total = row.objective, row.selector })
		err := slo{&metric}.check()
		var fault *Fault
		if row.field == "" && err != nil || row.field != "" && (!errors.As(err, &fault) || fault.Field != row.field) {
			t.Errorf("%s of %s: error %v, want one of the field %q", row.objective, row.selector, err, row.field)
		}
	}
}
