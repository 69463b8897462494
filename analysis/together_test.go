package analysis

import (
	"math"
	"strings"
	"testing"
	"time"

	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/analysis/judge"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// named gives a metric a name and a weight.
func named(name string, weight int32) func(*v1alpha1.Metric) {
	return func(m *v1alpha1.Metric) { m.Name, m.Weight = name, ptr.To(weight) }
}

// TestPartsOfTheOdds holds that the odds of all metrics that decide are those of the run, shared by weight.
func TestPartsOfTheOdds(t *testing.T) {
	spec := ratioRun(ratioMetric(named("a", 3)), sloMetric(named("b", 1)), latencyMetric(dry), metric("c"))
	for i, want := range []float64{0.0075, 0.0025, 0.002, 0} {
		if got := falseAbort(spec, i); math.Abs(got-want) > 1e-12 {
			t.Errorf("metric %d has odds of %v, want %v", i, got, want)
		}
	}
}

// recorded folds so many batches into a run of two metrics; fewer when it ends.
func recorded(spec v1alpha1.AnalysisRunSpec, batches int, counts ...Count) (v1alpha1.AnalysisRunStatus, int) {
	var status v1alpha1.AnalysisRunStatus
	for i := range batches {
		now := start().Add(time.Duration(i+1) * minute)
		var measured []Measured
		for m := range spec.Metrics {
			measured = append(measured, Measured{
				Metric: spec.Metrics[m].Name, Measurement: measurement('S', now),
				Counted: &Counted{Batch: counts[m].Batch, Until: now},
			})
		}
		if status = Record(spec, status, measured, now); status.Phase.Ended() {
			return status, i + 1
		}
	}
	return status, batches
}

// TestEvidenceOfSeveralMetrics holds that two metrics fail a candidate that neither of them would fail alone, and that one
// does not make up for another that shows nothing.
func TestEvidenceOfSeveralMetrics(t *testing.T) {
	spec := ratioRun(ratioMetric(named("errors", 1)), ratioMetric(named("timeouts", 1)))
	bad, good := batch(14, 1000, 54, 9000), batch(6, 1000, 54, 9000)
	status, took := recorded(spec, 19, bad, bad)
	if status.Phase != v1alpha1.AnalysisFailed || !strings.Contains(status.Message, "fails at 200 alone, and with the evidence of the other") {
		t.Errorf("%s: %s; want Failed by both together", status.Phase, status.Message)
	}
	if status, _ = recorded(spec, took, bad, good); status.Phase != v1alpha1.AnalysisRunning {
		t.Errorf("one alone: %s: %s; want Running", status.Phase, status.Message)
	}
	spec.Metrics[0].DryRun = ptr.To(true)
	if status, _ = recorded(spec, 19, bad, good); status.Phase != v1alpha1.AnalysisRunning {
		t.Errorf("the bad one is a dry run: %s: %s; want Running", status.Phase, status.Message)
	}
}

func TestDispersionOfAMetric(t *testing.T) {
	for _, row := range []struct {
		text string
		want float64
	}{{"", judge.UnknownDispersion}, {"1", 1}, {"3.5", 3.5}, {"0.5", 0}, {"much", 0}} {
		m := ratioMetric()
		m.Dispersion = row.text
		settings, err := ratio{&m}.settings(odds{falseAbort: 0.01})
		if row.want == 0 && (err == nil || !strings.Contains(err.Error(), "dispersion: ")) || row.want > 0 && settings.Dispersion != row.want {
			t.Errorf("%q gives %v and error %v, want %v", row.text, settings.Dispersion, err, row.want)
		}
	}
}

// TestLagOfSlowScrapes holds that batches wait until two scrapes are in, once it is known how long that takes.
func TestLagOfSlowScrapes(t *testing.T) {
	slow := batch(0, 100, 0, 900)
	slow.Scrape = minute
	provider := &counting{answers: []Count{slow}}
	status := follow(t, ratioRun(ratioMetric(every(5*minute), times(3))), provider, 100)
	if lag := status.Metrics[0].Comparison.Lag; lag == nil || lag.Duration != 2*minute {
		t.Fatalf("lag %v, want 2m", lag)
	}
	var ends []time.Duration
	for i, q := range provider.asked {
		ends = append(ends, status.Metrics[0].Measurements[i].At.Sub(q.To))
	}
	if len(ends) != 3 || ends[0] != v1alpha1.RatioLag || ends[1] != 2*minute || ends[2] != 2*minute {
		t.Errorf("counted %v after their ends, want 30s and then 2m", ends)
	}
}
