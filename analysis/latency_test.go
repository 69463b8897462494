package analysis

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/analysis/judge"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// histogram counts requests up to 0.1, 0.25, 0.5, 1 and all.
func histogram(t *testing.T, counts ...float64) judge.Histogram {
	t.Helper()
	if len(counts) == 0 {
		return judge.Histogram{}
	}
	h, err := judge.Classic([]float64{0.1, 0.25, 0.5, 1, math.Inf(1)}, counts)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// timing is a provider that has the same histograms in every batch.
type timing struct {
	counting
	candidate, stable, past judge.Histogram
	warning                 []string
	spans                   []LatencyQuery
	history                 []HistoryQuery
}

func (p *timing) CountLatencies(_ context.Context, query LatencyQuery) (LatencyCount, error) {
	p.spans = append(p.spans, query)
	p.asked = append(p.asked, CountQuery{From: query.From, To: query.To})
	return LatencyCount{
		Candidate: p.candidate, Stable: p.stable, Newest: query.To, Scrape: 15 * second, Warnings: p.warning,
	}, p.err
}

func (p *timing) Latencies(_ context.Context, query HistoryQuery) (judge.Histogram, error) {
	p.history = append(p.history, query)
	return p.past, p.err
}

func latencyMetric(change ...func(*v1alpha1.Metric)) v1alpha1.Metric {
	return ratioMetric(append([]func(*v1alpha1.Metric){func(m *v1alpha1.Metric) {
		m.Name, m.Ratio = "latency", nil
		m.Latency = &v1alpha1.LatencyMetric{Candidate: `took{pod=~"web-{{args.hash}}-.*"}`, Stable: `took{pod=~"web-s-.*"}`}
	}}, change...)...)
}

func bounds(all ...string) func(*v1alpha1.Metric) {
	return func(m *v1alpha1.Metric) { m.Latency.Bounds = all }
}

func TestLatency(t *testing.T) {
	past := histogram(t, 5000, 9000, 9500, 9900, 10000)
	stable, same := histogram(t, 4500, 8100, 8550, 8910, 9000), histogram(t, 500, 900, 950, 990, 1000)
	slower := histogram(t, 500, 700, 850, 985, 1000)
	coarse := histogram(t, 0, 4500, 9000, 9000, 9000)
	for _, row := range []struct {
		name                    string
		metric                  v1alpha1.Metric
		candidate, stable, past judge.Histogram
		phase                   v1alpha1.AnalysisPhase
		want                    string
		bounds                  string
	}{
		{
			"slower", latencyMetric(), slower, stable, past, v1alpha1.AnalysisFailed,
			"latency: ×3 (2.5–3.4): candidate 900 slower than 0.25 of 3000, stable 2700 slower than 0.25 of 27000; evidence of harm 200, fails at 100", "0.1 0.25 0.5 1",
		},
		{"as fast", latencyMetric(), same, stable, past, v1alpha1.AnalysisPassed, "shown to be no worse", "0.1 0.25 0.5 1"},
		{
			"as fast, soon", latencyMetric(func(m *v1alpha1.Metric) { m.Latency.PassAfter = ptr.To[int32](2) }), same, stable, past,
			v1alpha1.AnalysisPassed, "shown to be no worse", "0.1 0.25 0.5 1",
		},
		{"slower at given bounds", latencyMetric(bounds("0.5", "0.25")), slower, stable, past, v1alpha1.AnalysisFailed, "slower than 0.5 of 3000", "0.25 0.5"},
		{"slower elsewhere", latencyMetric(bounds("1")), histogram(t, 300, 880, 945, 990, 1000), stable, past, v1alpha1.AnalysisPassed, "slower than 1 of", "1"},
		{
			"as slow as is tolerated", latencyMetric(bounds("0.25"), func(m *v1alpha1.Metric) { m.Latency.MaxRelativeIncrease = "300%" }), slower, stable, past,
			v1alpha1.AnalysisPassed, "slower than 0.25", "0.25",
		},
		{
			"buckets that tell little", latencyMetric(endless), histogram(t, 0, 500, 1000, 1000, 1000), coarse, coarse,
			v1alpha1.AnalysisRunning, "(the buckets tell no more; finer ones would)", "0.25",
		},
		{"too little", latencyMetric(times(4)), histogram(t, 5, 9, 10, 10, 10), histogram(t, 45, 81, 86, 90, 90), past, v1alpha1.AnalysisInconclusive, "too few to tell: 40 requests", "0.1 0.25 0.5 1"},
		{"no history: the first batch is it", latencyMetric(), same, stable, judge.Histogram{}, v1alpha1.AnalysisPassed, "of 19000", "0.1 0.25 0.5 1"},
	} {
		t.Run(row.name, func(t *testing.T) {
			provider := &timing{candidate: row.candidate, stable: row.stable, past: row.past}
			status := follow(t, ratioRun(row.metric), provider, 30)
			if status.Phase != row.phase || !strings.Contains(status.Message, row.want) {
				t.Errorf("%s: %s\nwant %s, with %s", status.Phase, status.Message, row.phase, row.want)
			}
			c := status.Metrics[0].Comparison
			var got []string
			for _, b := range c.Bounds {
				got = append(got, b.Bound)
			}
			if strings.Join(got, " ") != row.bounds || len(c.Memory) > 4096 {
				t.Errorf("tested at %v with %d characters of memory, want at %s and at most 4096", got, len(c.Memory), row.bounds)
			}
			if len(provider.history) != 1 {
				t.Errorf("asked %d times for stable's past, want once", len(provider.history))
			}
		})
	}
}

// TestLatencyStates holds that what gives no figures neither passes nor fails, and is told of by field and name.
func TestLatencyStates(t *testing.T) {
	full := histogram(t, 4500, 8100, 8550, 8910, 9000)
	for _, row := range []struct {
		name     string
		provider *timing
		change   func(*v1alpha1.Metric)
		reason   string
		want     string
	}{
		{"no candidate", &timing{stable: full, past: full}, nil, v1alpha1.ReasonNoCanaryTraffic, "latency: NoCanaryTraffic: no request reached the candidate"},
		{"nobody", &timing{}, nil, v1alpha1.ReasonNoBaseline, "latency: NoBaseline"},
		{"partial", &timing{candidate: full, stable: full, past: full, warning: []string{"a store is away"}}, nil, v1alpha1.ReasonPartial, "a store is away"},
		{
			"a fault of a selector", &timing{counting: counting{err: &Fault{Reason: v1alpha1.ReasonQueryInvalid, Field: "stable", Message: "no buckets"}}}, nil,
			v1alpha1.ReasonQueryInvalid, "spec.metrics[0].latency.stable: no buckets",
		},
		{
			"buckets too coarse", &timing{candidate: full, stable: full, past: histogram(t, 0, 0, 0, 0, 900)}, nil, v1alpha1.ReasonQueryInvalid,
			"spec.metrics[0].latency: no bucket tells slow requests from fast ones",
		},
		{
			"a bound beyond the buckets", &timing{candidate: full, stable: full, past: full}, bounds("0.25", "3"), v1alpha1.ReasonQueryInvalid,
			"spec.metrics[0].latency.bounds: no bucket tells what is slower than 3: write bounds from 0.1 to 1",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			metric := latencyMetric()
			if row.change != nil {
				row.change(&metric)
			}
			status := follow(t, ratioRun(metric), row.provider, 8)
			last := status.Metrics[0].Measurements[0]
			if status.Phase.Ended() || last.Reason != row.reason || !strings.Contains(last.Message, row.want) {
				t.Errorf("%s: got %+v, want %s with %q", status.Phase, last, row.reason, row.want)
			}
		})
	}
}

// TestLatencyAsks holds what is asked: arguments in place, batches that tile, and stable's past before the first.
func TestLatencyAsks(t *testing.T) {
	full := histogram(t, 4500, 8100, 8550, 8910, 9000)
	provider := &timing{candidate: full, stable: full, past: full}
	follow(t, ratioRun(latencyMetric(after(minute), times(3))), provider, 8)
	begin := start().Add(minute)
	wantPast := []HistoryQuery{{Selector: `took{pod=~"web-s-.*"}`, At: begin, For: time.Hour}}
	for i := range provider.history {
		provider.history[i].Source = v1alpha1.MetricProvider{}
		provider.history[i].Secrets = nil
	}
	if diff := cmp.Diff(wantPast, provider.history); diff != "" {
		t.Errorf("asked for the past (-want +got):\n%s", diff)
	}
	if len(provider.spans) != 3 {
		t.Fatalf("asked for %d batches, want 3", len(provider.spans))
	}
	for i, q := range provider.spans {
		from := begin.Add(time.Duration(i) * 15 * second)
		if !q.From.Equal(from) || !q.To.Equal(from.Add(15*second)) || q.Candidate != `took{pod=~"web-abc-.*"}` {
			t.Errorf("batch %d of %s from %s to %s", i, q.Candidate, q.From, q.To)
		}
	}
}

// TestLatencyGoesOn holds that a run goes on from the bounds and the evidence that an earlier one left.
func TestLatencyGoesOn(t *testing.T) {
	past := histogram(t, 5000, 9000, 9500, 9900, 10000)
	provider := &timing{candidate: histogram(t, 500, 870, 940, 988, 1000), stable: histogram(t, 4500, 8100, 8550, 8910, 9000), past: past}
	first := ratioRun(latencyMetric(times(3)))
	left := follow(t, first, provider, 8).Metrics[0].Comparison
	second := ratioRun(latencyMetric(times(3)))
	second.Gate = "step-2"
	second.Carried = []v1alpha1.CarriedEvidence{{Metric: "latency", Run: "a", Gate: "step-1", Evidence: left.Evidence, Memory: left.Memory}}
	c := follow(t, second, provider, 8).Metrics[0].Comparison
	if len(provider.history) != 1 || c.Candidate.Total != 3000 || len(c.Bounds) != 4 {
		t.Errorf("asked %d times for the past, counted %+v at %d bounds; want once, 3000 requests, 4 bounds",
			len(provider.history), c.Candidate, len(c.Bounds))
	}
}

func TestCheckLatency(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(*v1alpha1.LatencyMetric)
		field  string
	}{
		{"nothing but selectors", func(*v1alpha1.LatencyMetric) {}, ""},
		{"margins", func(l *v1alpha1.LatencyMetric) { l.MaxRelativeIncrease, l.MaxAbsoluteIncrease = "50%", "1%" }, ""},
		{"a function", func(l *v1alpha1.LatencyMetric) { l.Stable = "rate(x[1m])" }, "latency.stable"},
		{"no number", func(l *v1alpha1.LatencyMetric) { l.Bounds = []string{"1", "100ms"} }, "latency.bounds[1]"},
		{"not more than 0", func(l *v1alpha1.LatencyMetric) { l.Bounds = []string{"0"} }, "latency.bounds[0]"},
		{"no percentage", func(l *v1alpha1.LatencyMetric) { l.MaxRelativeIncrease = "2" }, "latency.maxRelativeIncrease"},
		{"all of them", func(l *v1alpha1.LatencyMetric) { l.MaxAbsoluteIncrease = "99%" }, "latency"},
	} {
		metric := latencyMetric()
		row.change(metric.Latency)
		err := latency{&metric}.check()
		var fault *Fault
		if row.field == "" && err != nil || row.field != "" && (!errors.As(err, &fault) || fault.Field != row.field) {
			t.Errorf("%s: error %v, want one of the field %q", row.name, err, row.field)
		}
	}
}
