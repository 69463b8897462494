package analysis

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/analysis/judge"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// counting is a provider that counts one batch after another, and the last for ever.
type counting struct {
	Provider
	answers []Count
	err     error
	asked   []CountQuery
}

func (c *counting) Count(_ context.Context, query CountQuery) (Count, error) {
	c.asked = append(c.asked, query)
	answer := c.answers[min(len(c.asked), len(c.answers))-1]
	if answer.Newest.IsZero() && answer.Batch != (judge.Batch{}) {
		answer.Newest = query.To
	}
	return answer, c.err
}

// batch of candidate and stable: bad, total, bad, total.
func batch(x, c, y, s float64) Count {
	return Count{
		Batch:  judge.Batch{Candidate: judge.Arm{Bad: x, Total: c}, Stable: judge.Arm{Bad: y, Total: s}},
		Scrape: 15 * second,
	}
}

// ratioMetric counts every 15 s.
func ratioMetric(change ...func(*v1alpha1.Metric)) v1alpha1.Metric {
	m := v1alpha1.Metric{
		Name: "errors", Interval: &metav1.Duration{Duration: 15 * second}, Count: ptr.To[int32](20),
		Ratio: &v1alpha1.RatioMetric{
			Candidate: v1alpha1.RequestCounters{Bad: `bad{pod=~"web-{{args.hash}}-.*"}`, Total: `all{pod=~"web-{{args.hash}}-.*"}`},
			Stable:    v1alpha1.RequestCounters{Bad: `bad{pod=~"web-s-.*"}`, Total: `all{pod=~"web-s-.*"}`},
		},
		Provider: v1alpha1.MetricProvider{Prometheus: &v1alpha1.PrometheusMetric{}},
	}
	for _, c := range change {
		c(&m)
	}
	return m
}

func endless(m *v1alpha1.Metric) { m.Count = nil }

func passAfter(n int32) func(*v1alpha1.Metric) {
	return func(m *v1alpha1.Metric) { m.Ratio.PassAfter = &n }
}

// batchProvider is a provider that knows how many batches it was asked for.
type batchProvider interface {
	Provider
	batches() int
}

func (c *counting) batches() int { return len(c.asked) }

// follow measures a run until it ends or so many batches were asked for. Its status goes through JSON each time, as it
// does in a cluster, and each pass is a new process.
func follow(t *testing.T, spec v1alpha1.AnalysisRunSpec, provider batchProvider, most int) v1alpha1.AnalysisRunStatus {
	t.Helper()
	conditions, err := NewConditions(10)
	if err != nil {
		t.Fatal(err)
	}
	meter := Meter{Provider: provider, Conditions: conditions}
	var status v1alpha1.AnalysisRunStatus
	now := start()
	for provider.batches() < most {
		step := Next(spec, status, now)
		status = persisted(t, step.Status)
		if status.Phase.Ended() {
			break
		}
		var measured []Measured
		for _, index := range step.Due {
			measured = append(measured, meter.Measure(t.Context(), spec, status, index, now))
		}
		if len(measured) > 0 {
			status = persisted(t, Record(spec, status, measured, now))
			continue
		}
		now = step.WakeAt
	}
	return status
}

func persisted(t *testing.T, status v1alpha1.AnalysisRunStatus) v1alpha1.AnalysisRunStatus {
	t.Helper()
	raw, err := json.Marshal(status)
	if err != nil {
		t.Fatal(err)
	}
	var read v1alpha1.AnalysisRunStatus
	if err := json.Unmarshal(raw, &read); err != nil {
		t.Fatal(err)
	}
	return read
}

func ratioRun(metrics ...v1alpha1.Metric) v1alpha1.AnalysisRunSpec {
	return v1alpha1.AnalysisRunSpec{Args: []v1alpha1.Argument{{Name: "hash", Value: ptr.To("abc")}}, Metrics: metrics}
}

func TestRatio(t *testing.T) {
	for _, row := range []struct {
		name    string
		metric  v1alpha1.Metric
		answers []Count
		phase   v1alpha1.AnalysisPhase
		batches int32
		message []string
	}{
		{
			"harm", ratioMetric(),
			[]Count{batch(30, 300, 3, 2700)},
			v1alpha1.AnalysisFailed, 3,
			[]string{"errors: ×90 (32–384): candidate 90 bad of 900, stable 9 bad of 8100; evidence of harm 100, fails at 100"},
		},
		{
			"harm that comes late, beside the steps", ratioMetric(endless),
			append(slicesOf(30, batch(1, 300, 9, 2700)), batch(30, 300, 9, 2700)), v1alpha1.AnalysisFailed, 0,
			[]string{"fails at 100"},
		},
		{
			"nothing wrong", ratioMetric(),
			[]Count{batch(1, 3000, 27, 81000)},
			v1alpha1.AnalysisPassed, 20,
			[]string{"×1 (", "candidate 20 bad of 60000, stable 540 bad of 1620000", "shown to be no worse"},
		},
		{
			"nothing wrong, soon", ratioMetric(passAfter(5)),
			[]Count{batch(3, 3000, 27, 27000)},
			v1alpha1.AnalysisPassed, 0,
			[]string{"shown to be no worse"},
		},
		{
			"enough to have seen it", ratioMetric(times(12)),
			[]Count{batch(16, 1000, 90, 9000)},
			v1alpha1.AnalysisPassed, 12,
			[]string{"would have shown what matters"},
		},
		{
			"too little", ratioMetric(times(4)),
			[]Count{batch(0, 20, 1, 180)},
			v1alpha1.AnalysisInconclusive, 4,
			[]string{"too few to tell: 80 requests of the candidate, about ", "are needed; raise the weight or give it"},
		},
		{
			"no end", ratioMetric(endless), []Count{batch(3, 3000, 27, 27000)}, v1alpha1.AnalysisRunning, 100, []string{"×1: candidate"},
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			provider := &counting{answers: row.answers}
			status := follow(t, ratioRun(row.metric), provider, 100)
			if status.Phase != row.phase {
				t.Fatalf("%s: %s; want %s", status.Phase, status.Message, row.phase)
			}
			result := status.Metrics[0]
			if row.batches > 0 && result.Successful != row.batches {
				t.Errorf("%d batches, want %d", result.Successful, row.batches)
			}
			for _, want := range row.message {
				if !strings.Contains(status.Message, want) {
					t.Errorf("message %q, want one with %q", status.Message, want)
				}
			}
			if len(result.Comparison.Memory) > 2048 {
				t.Errorf("%d characters of memory, the API takes 2048", len(result.Comparison.Memory))
			}
		})
	}
}

func slicesOf(n int, c Count) []Count {
	var all []Count
	for range n {
		all = append(all, c)
	}
	return all
}

// TestRatioBatchesTile holds that each batch begins where the last has ended, the first one after the delay, and that the
// arguments are in place.
func TestRatioBatchesTile(t *testing.T) {
	provider := &counting{answers: []Count{batch(0, 100, 0, 900)}}
	follow(t, ratioRun(ratioMetric(after(minute), times(4))), provider, 100)
	if len(provider.asked) != 4 {
		t.Fatalf("asked %d times, want 4", len(provider.asked))
	}
	for i, query := range provider.asked {
		begin := start().Add(minute + time.Duration(i)*15*second)
		if !query.From.Equal(begin) || !query.To.Equal(begin.Add(15*second)) {
			t.Errorf("batch %d from %s to %s, want from %s for 15s", i, query.From, query.To, begin)
		}
	}
	want := Selectors{Bad: `bad{pod=~"web-abc-.*"}`, Total: `all{pod=~"web-abc-.*"}`}
	if diff := cmp.Diff(want, provider.asked[0].Candidate); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

// TestRatioStates holds that batches without figures neither pass nor fail, that they are told of by name, and that what
// is not whole is asked for again.
func TestRatioStates(t *testing.T) {
	partial, stale, wrong := batch(0, 100, 0, 900), batch(0, 100, 0, 900), batch(9, 4, 0, 900)
	partial.Warnings, stale.Newest = []string{"a store is away"}, start().Add(-minute)
	for _, row := range []struct {
		name   string
		answer Count
		err    error
		reason string
		state  v1alpha1.MeasurementState
		text   string
		again  bool
	}{
		{"no candidate", batch(0, 0, 1, 900), nil, v1alpha1.ReasonNoCanaryTraffic, v1alpha1.MeasurementNoData, "ratio: NoCanaryTraffic: no request reached the candidate while stable served 1 bad of 900", false},
		{"no stable", batch(0, 100, 0, 0), nil, v1alpha1.ReasonNoBaseline, v1alpha1.MeasurementNoData, "ratio: NoBaseline: stable served nothing while the candidate served 0 bad of 100", false},
		{"nobody", Count{}, nil, v1alpha1.ReasonNoBaseline, v1alpha1.MeasurementNoData, "ratio: NoBaseline: no request reached either version", false},
		{"partial", partial, nil, v1alpha1.ReasonPartial, v1alpha1.MeasurementNoData, "Partial: ", true},
		{"stale", stale, nil, v1alpha1.ReasonStale, v1alpha1.MeasurementNoData, "Stale: the newest sample is", true},
		{"more bad than all", wrong, nil, v1alpha1.ReasonQueryInvalid, v1alpha1.MeasurementError, "let bad select a part", true},
		{"an error", Count{}, &Fault{Reason: v1alpha1.ReasonProviderUnreachable, Field: "stable.bad", Message: "nobody there"}, v1alpha1.ReasonProviderUnreachable, v1alpha1.MeasurementError, "spec.metrics[0].ratio.stable.bad: nobody there", true},
		{"a server away", Count{}, &Fault{Reason: v1alpha1.ReasonProviderUnreachable, Field: "provider.prometheus.address", Message: "nobody there"}, v1alpha1.ReasonProviderUnreachable, v1alpha1.MeasurementError, "spec.metrics[0].provider.prometheus.address: nobody there", true},
		{"an error without a name", Count{}, errors.New("it broke"), v1alpha1.ReasonProviderUnreachable, v1alpha1.MeasurementError, "it broke", true},
	} {
		t.Run(row.name, func(t *testing.T) {
			provider := &counting{answers: []Count{row.answer}, err: row.err}
			status := follow(t, ratioRun(ratioMetric()), provider, 8)
			if status.Phase.Ended() {
				t.Fatalf("%s: %s", status.Phase, status.Message)
			}
			last := status.Metrics[0].Measurements[0]
			if last.State != row.state || last.Reason != row.reason || !strings.Contains(last.Message, row.text) {
				t.Errorf("got %+v, want %s, %s, with %q", last, row.state, row.reason, row.text)
			}
			if again := provider.asked[1].From.Equal(provider.asked[0].From); again != row.again {
				t.Errorf("asked for the same time again: %v, want %v", again, row.again)
			}
		})
	}
}

// TestOneVersionAloneIsNotCompared holds that what one version served while the other served nothing is not summed up: it
// would tell a share of stable's, and a share of the traffic, that the compared batches did not have.
func TestOneVersionAloneIsNotCompared(t *testing.T) {
	provider := &counting{answers: []Count{batch(0, 0, 90, 900), batch(70, 700, 0, 0), batch(1, 100, 9, 900)}}
	status := follow(t, ratioRun(ratioMetric()), provider, 4)
	got := *status.Metrics[0].Comparison
	want := v1alpha1.Comparison{Candidate: v1alpha1.RequestCounts{Bad: 2, Total: 200}, Stable: v1alpha1.RequestCounts{Bad: 18, Total: 1800}}
	if got.Candidate != want.Candidate || got.Stable != want.Stable {
		t.Errorf("compared are %+v and %+v, want %+v and %+v", got.Candidate, got.Stable, want.Candidate, want.Stable)
	}
}

// TestRatiosShareTheOdds holds that two metrics together abort no more often than one.
func TestRatiosShareTheOdds(t *testing.T) {
	other := ratioMetric()
	other.Name = "timeouts"
	provider := &counting{answers: []Count{batch(30, 300, 3, 2700)}}
	status := follow(t, ratioRun(ratioMetric(), other), provider, 100)
	if status.Phase != v1alpha1.AnalysisFailed || !strings.Contains(status.Message, "fails at 200") {
		t.Errorf("%s: %s; want Failed at 200, twice the evidence of one metric", status.Phase, status.Message)
	}
}

func TestCheckRatio(t *testing.T) {
	set := func(change func(*v1alpha1.RatioMetric)) v1alpha1.Metric {
		return ratioMetric(func(m *v1alpha1.Metric) { change(m.Ratio) })
	}
	candidate := func(text string) v1alpha1.Metric {
		return set(func(r *v1alpha1.RatioMetric) { r.Candidate.Total = text })
	}
	for _, row := range []struct {
		name   string
		metric v1alpha1.Metric
		field  string // of the fault; none when empty
	}{
		{"a name", candidate("http_requests_total"), ""},
		{"matchers", candidate(`{__name__="x", pod=~"a{2}[}]"}`), ""},
		{"both, with strings of all kinds", candidate("x{a=\"}\", b='{\"', c=`\\`}"), ""},
		{"nothing", candidate(" "), "ratio.candidate.total"},
		{"a function", candidate("rate(x[1m])"), "ratio.candidate.total"},
		{"a range", candidate("x[1m]"), "ratio.candidate.total"},
		{"two", candidate("x or y"), "ratio.candidate.total"},
		{"two, with braces", candidate(`x{a="1"} or y{a="2"}`), "ratio.candidate.total"},
		{"an offset", candidate("x offset 5m"), "ratio.candidate.total"},
		{"a comment", candidate("x{} #"), "ratio.candidate.total"},
		{"an open string", candidate(`x{a="1}`), "ratio.candidate.total"},
		{"percent", set(func(r *v1alpha1.RatioMetric) { r.MaxRelativeIncrease, r.MaxAbsoluteIncrease = "50%", "0.1%" }), ""},
		{"nothing tolerated", set(func(r *v1alpha1.RatioMetric) { r.MaxRelativeIncrease, r.MaxAbsoluteIncrease = "0%", "0%" }), ""},
		{"no percent", set(func(r *v1alpha1.RatioMetric) { r.MaxRelativeIncrease = "0.25" }), "ratio.maxRelativeIncrease"},
		{"not a number", set(func(r *v1alpha1.RatioMetric) { r.MaxAbsoluteIncrease = "few%" }), "ratio.maxAbsoluteIncrease"},
		{"all of them", set(func(r *v1alpha1.RatioMetric) { r.MaxAbsoluteIncrease = "99%" }), "ratio"},
	} {
		t.Run(row.name, func(t *testing.T) {
			err := ratio{&row.metric}.check()
			var fault *Fault
			if row.field == "" && err != nil || row.field != "" && (!errors.As(err, &fault) || fault.Field != row.field) {
				t.Errorf("error %v, want one of the field %q", err, row.field)
			}
		})
	}
}

func TestCheckTemplateWithRatio(t *testing.T) {
	conditions, err := NewConditions(1)
	if err != nil {
		t.Fatal(err)
	}
	spec := v1alpha1.AnalysisTemplateSpec{Metrics: []v1alpha1.Metric{ratioMetric()}}
	if err := CheckTemplate(spec, conditions); err == nil || !strings.Contains(err.Error(), "{{args.hash}} is used and not declared") {
		t.Errorf("error %v, want one of the argument that is not declared", err)
	}
	spec.Args = []v1alpha1.Argument{{Name: "hash"}}
	if err := CheckTemplate(spec, conditions); err != nil {
		t.Errorf("error %v, want none", err)
	}
}

// TestRatioWithAMemoryThatIsNone holds that a status changed by hand is told of and decides nothing in favour.
func TestRatioWithAMemoryThatIsNone(t *testing.T) {
	spec := ratioRun(ratioMetric())
	status := follow(t, spec, &counting{answers: []Count{batch(0, 100, 0, 900)}}, 2)
	status.Metrics[0].Comparison.Memory = "nothing"
	measured := []Measured{{
		Metric: "errors", Measurement: measurement('S', start().Add(minute)),
		Counted: &Counted{Batch: batch(0, 100, 0, 900).Batch, Until: start().Add(minute)},
	}}
	status = Record(spec, status, measured, start().Add(minute))
	if status.Phase != v1alpha1.AnalysisInconclusive || !strings.Contains(status.Message, "begin another analysis") {
		t.Errorf("%s: %s", status.Phase, status.Message)
	}
}
