package analysis

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// tape reads decisions from fuzzed bytes; at its end it gives zeros.
type tape struct{ bytes []byte }

func (t *tape) next(n int) int {
	if len(t.bytes) == 0 {
		return 0
	}
	b := t.bytes[0]
	t.bytes = t.bytes[1:]
	return int(b) % n
}

// metrics makes one to four metrics of all kinds, some of which the API server would refuse.
func (t *tape) metrics() []v1alpha1.Metric {
	var made []v1alpha1.Metric
	for i := range 1 + t.next(4) {
		m := metric(string(rune('a' + i)))
		if t.next(2) == 1 {
			every(time.Duration(t.next(4)-1) * 20 * second)(&m)
		}
		if t.next(2) == 1 {
			times(int32(t.next(6) - 1))(&m)
		}
		if t.next(3) == 0 {
			after(time.Duration(t.next(4)-1) * 30 * second)(&m)
		}
		if t.next(2) == 1 {
			failing("result < 0.85")(&m)
		}
		limit(int32(t.next(4) - 1))(&m)
		t.limits(&m)
		made = append(made, m)
	}
	return made
}

// limits sets some of those that decide on a row, on doubt and on errors, and makes some metrics dry runs.
func (t *tape) limits(m *v1alpha1.Metric) {
	doubts(int32(t.next(4) - 1))(m)
	keeping(int32(t.next(14) - 1))(m)
	if t.next(3) == 0 {
		errorsInARow(int32(t.next(4) - 1))(m)
	}
	if t.next(3) == 0 {
		goodInARow(int32(t.next(5) - 1))(m)
	}
	if t.next(4) == 0 {
		dry(m)
	}
}

// FuzzEngine drives runs of any shape through any sequence of answers, clocks and terminations, and checks after each
// step what must hold of every run.
func FuzzEngine(f *testing.F) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		seed := make([]byte, 120)
		for i := range seed {
			seed[i] = byte(random.UintN(256))
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		tape := &tape{data}
		spec := v1alpha1.AnalysisRunSpec{Metrics: tape.metrics()}
		var status v1alpha1.AnalysisRunStatus
		now := start()
		for len(tape.bytes) > 0 {
			spec.Terminate = spec.Terminate || tape.next(40) == 39
			step := Next(spec, status, now)
			checkStep(t, spec, status, step, now)
			status = step.Status
			if len(step.Due) == 0 {
				now = now.Add(time.Duration(tape.next(120)-10) * second)
				continue
			}
			status = checkRecord(t, spec, status, tape.measure(spec, step.Due, now), now)
		}
	})
}

// measure gives an answer for each metric that is due, and sometimes for one that is not, or does not exist.
func (t *tape) measure(spec v1alpha1.AnalysisRunSpec, due []int, now time.Time) []Measured {
	var measured []Measured
	for _, index := range due {
		measured = append(measured, Measured{Metric: spec.Metrics[index].Name, Measurement: measurement(t.letter(), now)})
	}
	if t.next(10) == 9 {
		measured = append(measured, Measured{Metric: "nobody", Measurement: measurement(t.letter(), now)})
	}
	return measured
}

func (t *tape) letter() rune { return rune("SSFINE"[t.next(6)]) }

func checkStep(t *testing.T, spec v1alpha1.AnalysisRunSpec, before v1alpha1.AnalysisRunStatus, step Step, now time.Time) {
	t.Helper()
	checkVerdict(t, spec, before, step.Status)
	if diff := cmp.Diff(step, Next(spec, step.Status, now)); diff != "" {
		t.Fatalf("asked twice, Next gives two answers:\n%s", diff)
	}
	if step.Status.Phase.Ended() != (len(step.Due) == 0 && step.WakeAt.IsZero()) {
		t.Fatalf("in phase %s: due %v, wake at %s", step.Status.Phase, step.Due, step.WakeAt)
	}
	if len(step.Due) == 0 && !step.WakeAt.IsZero() && !step.WakeAt.After(now) {
		t.Fatalf("nothing is due, and the next look is at %s, which is past", step.WakeAt)
	}
}

func checkRecord(
	t *testing.T, spec v1alpha1.AnalysisRunSpec, before v1alpha1.AnalysisRunStatus, measured []Measured, now time.Time,
) v1alpha1.AnalysisRunStatus {
	t.Helper()
	original := before.DeepCopy()
	after := Record(spec, before, measured, now)
	if diff := cmp.Diff(*original, before); diff != "" {
		t.Fatalf("Record changes what it is given:\n%s", diff)
	}
	checkVerdict(t, spec, before, after)
	reversed := slices.Clone(measured)
	slices.Reverse(reversed)
	if diff := cmp.Diff(after, Record(spec, before, reversed, now)); diff != "" {
		t.Fatalf("the order of measurements matters:\n%s", diff)
	}
	noFigures := slices.DeleteFunc(slices.Clone(measured), func(m Measured) bool {
		return m.Measurement.State != v1alpha1.MeasurementNoData && m.Measurement.State != v1alpha1.MeasurementError
	})
	limited := slices.ContainsFunc(spec.Metrics, func(m v1alpha1.Metric) bool { return m.ConsecutiveErrorLimit != nil })
	switch got := Record(spec, before, noFigures, now).Phase; {
	case !judged(got) || judged(before.Phase):
	case !limited || got == v1alpha1.AnalysisFailed:
		t.Fatalf("%s comes from measurements without a figure", got)
	}
	checkDryRuns(t, spec, before, measured, now)
	return after
}

// checkDryRuns checks that what dry runs measure changes no verdict of a run that has others.
func checkDryRuns(t *testing.T, spec v1alpha1.AnalysisRunSpec, before v1alpha1.AnalysisRunStatus, measured []Measured, now time.Time) {
	t.Helper()
	if onlyDryRuns(before.Metrics) {
		return
	}
	deciding := slices.DeleteFunc(slices.Clone(measured), func(m Measured) bool {
		return slices.ContainsFunc(spec.Metrics, func(s v1alpha1.Metric) bool { return s.Name == m.Metric && s.IsDryRun() })
	})
	if with, without := Record(spec, before, measured, now).Phase, Record(spec, before, deciding, now).Phase; with != without {
		t.Fatalf("dry runs turn %s into %s", without, with)
	}
}

func judged(phase v1alpha1.AnalysisPhase) bool {
	return phase.Ended() && phase != v1alpha1.AnalysisStopped
}

// checkVerdict checks that an end is for ever, and that a verdict has its grounds in the counts.
func checkVerdict(t *testing.T, spec v1alpha1.AnalysisRunSpec, before, after v1alpha1.AnalysisRunStatus) {
	t.Helper()
	if before.Phase.Ended() && before.Phase != after.Phase {
		t.Fatalf("%s became %s", before.Phase, after.Phase)
	}
	for i, result := range after.Metrics {
		if i < len(before.Metrics) && judged(before.Metrics[i].Phase) && before.Metrics[i].Phase != result.Phase {
			t.Fatalf("metric %s was %s and is %s", result.Name, before.Metrics[i].Phase, result.Phase)
		}
		checkGrounds(t, spec.Metrics[i], result, after.Phase)
	}
}

func checkGrounds(t *testing.T, m v1alpha1.Metric, result v1alpha1.MetricResult, run v1alpha1.AnalysisPhase) {
	t.Helper()
	if len(result.Measurements) > kept(m, 1) {
		t.Fatalf("%d measurements are kept", len(result.Measurements))
	}
	failed := result.Failed > max(m.FailureLimit, 0) && (m.FailureLimit >= 0 || m.ConsecutiveSuccessLimit == nil)
	if failed != (result.Phase == v1alpha1.AnalysisFailed) {
		t.Fatalf("metric %s is %s with %d failures, limit %d", m.Name, result.Phase, result.Failed, m.FailureLimit)
	}
	passed := result.Phase == v1alpha1.AnalysisPassed || run == v1alpha1.AnalysisPassed && !result.DryRun
	if passed && (failed || !good(m, result)) {
		t.Fatalf("the run is %s, with metric %s: %+v", run, m.Name, result)
	}
}

// good says that nothing but failures stands against a pass.
func good(m v1alpha1.Metric, result v1alpha1.MetricResult) bool {
	streak := m.ConsecutiveSuccessLimit == nil || result.ConsecutiveSuccesses >= *m.ConsecutiveSuccessLimit
	return streak && result.Inconclusive <= max(m.InconclusiveLimit, 0) && withData(result) > 0
}
