package analysis

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

const (
	second = time.Second
	minute = time.Minute
)

// start of every run in these tests.
func start() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// metric makes a metric that succeeds from 0.95 on.
func metric(name string, change ...func(*v1alpha1.Metric)) v1alpha1.Metric {
	m := v1alpha1.Metric{Name: name, SuccessCondition: "result >= 0.95"}
	for _, c := range change {
		c(&m)
	}
	return m
}

func every(d time.Duration) func(*v1alpha1.Metric) {
	return func(m *v1alpha1.Metric) { m.Interval = &metav1.Duration{Duration: d} }
}

func after(d time.Duration) func(*v1alpha1.Metric) {
	return func(m *v1alpha1.Metric) { m.InitialDelay = &metav1.Duration{Duration: d} }
}

func times(n int32) func(*v1alpha1.Metric) {
	return func(m *v1alpha1.Metric) { m.Count = &n }
}

func limit(n int32) func(*v1alpha1.Metric) {
	return func(m *v1alpha1.Metric) { m.FailureLimit = n }
}

func failing(condition string) func(*v1alpha1.Metric) {
	return func(m *v1alpha1.Metric) { m.FailureCondition = condition }
}

// measurement makes one from its first letter: Successful, Failed, Inconclusive, NoData or Error.
func measurement(letter rune, at time.Time) v1alpha1.Measurement {
	m := v1alpha1.Measurement{At: metav1.NewMicroTime(at)}
	switch letter {
	case 'S':
		m.State, m.Value = v1alpha1.MeasurementSuccessful, "0.98"
	case 'F':
		m.State, m.Value = v1alpha1.MeasurementFailed, "0.8100000000000001"
	case 'I':
		m.State, m.Value = v1alpha1.MeasurementInconclusive, "0.9"
	case 'N':
		m.State, m.Reason = v1alpha1.MeasurementNoData, v1alpha1.ReasonNoData
		m.Message = "spec.metrics[0].provider: no data: the query found nothing"
	case 'E':
		m.State, m.Reason = v1alpha1.MeasurementError, v1alpha1.ReasonProviderUnreachable
		m.Message = "spec.metrics[0].provider.prometheus.address: cannot use http://x: nobody there"
	}
	return m
}

// playback is a run driven by a script.
type playback struct {
	status v1alpha1.AnalysisRunStatus
	at     map[string][]time.Duration // when each metric was measured, since the start
	now    time.Time
}

// play drives a run as the shell does: it measures what is due, each metric with the next letter of its script, and
// moves to the time that Next asks for. It ends with the run, or when a metric is due whose script is at its end.
func play(t *testing.T, spec v1alpha1.AnalysisRunSpec, scripts map[string]string) playback {
	t.Helper()
	p := playback{at: map[string][]time.Duration{}, now: start()}
	for range 1000 {
		step := Next(spec, p.status, p.now)
		p.status = step.Status
		if p.status.Phase.Ended() {
			return p
		}
		if len(step.Due) == 0 {
			if !step.WakeAt.After(p.now) {
				t.Fatalf("nothing is due at %s, and the next look is at %s", p.now, step.WakeAt)
			}
			p.now = step.WakeAt
			continue
		}
		var measured []Measured
		for _, index := range step.Due {
			name := spec.Metrics[index].Name
			script := scripts[name]
			if script == "" {
				return p
			}
			scripts[name] = script[1:]
			p.at[name] = append(p.at[name], p.now.Sub(start()))
			measured = append(measured, Measured{Metric: name, Measurement: measurement(rune(script[0]), p.now)})
		}
		p.status = Record(spec, p.status, measured, p.now)
	}
	t.Fatal("the run does not end")
	return p
}

func TestOneMetric(t *testing.T) {
	tests := map[string]struct {
		metric      v1alpha1.Metric
		script      string
		wantPhase   v1alpha1.AnalysisPhase
		wantAt      []time.Duration
		wantMessage string
	}{
		"without an interval it is measured once": {
			metric: metric("rate"), script: "SSS",
			wantPhase: v1alpha1.AnalysisPassed, wantAt: []time.Duration{0},
			wantMessage: "rate: 1 of 1 measurement succeeded, last 0.98",
		},
		"the first measurement waits for the initial delay": {
			metric: metric("rate", after(30*second), every(10*second), times(2)), script: "SS",
			wantPhase: v1alpha1.AnalysisPassed, wantAt: []time.Duration{30 * second, 40 * second},
			wantMessage: "rate: 2 of 2 measurements succeeded, last 0.98",
		},
		"it passes with its count": {
			metric: metric("rate", every(10*second), times(3)), script: "SSSS",
			wantPhase: v1alpha1.AnalysisPassed, wantAt: []time.Duration{0, 10 * second, 20 * second},
			wantMessage: "rate: 3 of 3 measurements succeeded, last 0.98",
		},
		"one failure more than the limit fails at once": {
			metric: metric("rate", every(10*second), times(10)), script: "SSFS",
			wantPhase: v1alpha1.AnalysisFailed, wantAt: []time.Duration{0, 10 * second, 20 * second},
			wantMessage: "rate: 0.81 failed result >= 0.95 in 1 of 3 measurements, limit 0",
		},
		"failures up to the limit are tolerated": {
			metric: metric("rate", every(10*second), times(4), limit(2)), script: "FSFS",
			wantPhase: v1alpha1.AnalysisPassed, wantAt: []time.Duration{0, 10 * second, 20 * second, 30 * second},
			wantMessage: "rate: 2 of 4 measurements succeeded, 2 failed, limit 2, last 0.98",
		},
		"failures are never forgotten": {
			metric: metric("rate", every(second), times(100), limit(1)), script: "F" + strings.Repeat("S", 30) + "F",
			wantPhase:   v1alpha1.AnalysisFailed,
			wantMessage: "rate: 0.81 failed result >= 0.95 in 2 of 32 measurements, limit 1",
		},
		"the failure condition is named": {
			metric: metric("rate", failing("result  <\n 0.85")), script: "F",
			wantPhase: v1alpha1.AnalysisFailed, wantAt: []time.Duration{0},
			wantMessage: "rate: 0.81 met failureCondition result < 0.85 in 1 of 1 measurement, limit 0",
		},
		"an inconclusive measurement makes the end inconclusive": {
			metric: metric("rate", failing("result < 0.85"), every(10*second), times(3)), script: "ISS",
			wantPhase: v1alpha1.AnalysisInconclusive, wantAt: []time.Duration{0, 10 * second, 20 * second},
			wantMessage: "rate: 0.9 met neither result >= 0.95 nor result < 0.85 in 1 of 3 measurements",
		},
		"a failure may follow an inconclusive measurement": {
			metric: metric("rate", failing("result < 0.85"), every(10*second), times(3)), script: "IF",
			wantPhase: v1alpha1.AnalysisFailed, wantAt: []time.Duration{0, 10 * second},
			wantMessage: "rate: 0.81 met failureCondition result < 0.85 in 1 of 2 measurements, limit 0",
		},
		"an inconclusive measurement that is no longer kept still counts": {
			metric: metric("rate", failing("result < 0.85"), every(second), times(20)), script: "I" + strings.Repeat("S", 19),
			wantPhase:   v1alpha1.AnalysisInconclusive,
			wantMessage: "rate: a value met neither result >= 0.95 nor result < 0.85 in 1 of 20 measurements",
		},
		"without a count it has no end": {
			metric: metric("rate", every(minute)), script: "SSS",
			wantPhase: v1alpha1.AnalysisRunning, wantAt: []time.Duration{0, minute, 2 * minute},
			wantMessage: "rate: 3 measurements taken, last 0.98",
		},
		"without a count it can fail": {
			metric: metric("rate", every(minute)), script: "SF",
			wantPhase: v1alpha1.AnalysisFailed, wantAt: []time.Duration{0, minute},
			wantMessage: "rate: 0.81 failed result >= 0.95 in 1 of 2 measurements, limit 0",
		},
		"without a count it is inconclusive at once": {
			metric: metric("rate", failing("result < 0.85"), every(minute)), script: "SI",
			wantPhase: v1alpha1.AnalysisInconclusive, wantAt: []time.Duration{0, minute},
			wantMessage: "rate: 0.9 met neither result >= 0.95 nor result < 0.85 in 1 of 2 measurements",
		},
		"no data uses up no count": {
			metric: metric("rate", every(10*second), times(2)), script: "NSNS",
			wantPhase: v1alpha1.AnalysisPassed, wantAt: []time.Duration{0, 10 * second, 20 * second, 30 * second},
			wantMessage: "rate: 2 of 2 measurements succeeded, last 0.98",
		},
		"no data is asked again every 15 s without an interval": {
			metric: metric("rate"), script: "NNS",
			wantPhase: v1alpha1.AnalysisPassed, wantAt: []time.Duration{0, 15 * second, 30 * second},
			wantMessage: "rate: 1 of 1 measurement succeeded, last 0.98",
		},
		"no data alone never ends": {
			metric: metric("rate", every(10*second), times(2), limit(0)), script: strings.Repeat("N", 50),
			wantPhase:   v1alpha1.AnalysisRunning,
			wantMessage: "rate: spec.metrics[0].provider: no data: the query found nothing",
		},
		"errors back off to a minute": {
			metric: metric("rate"), script: "EEEEEEES",
			wantPhase: v1alpha1.AnalysisPassed,
			wantAt: []time.Duration{
				0, 5 * second, 15 * second, 35 * second, 75 * second, 135 * second, 195 * second, 255 * second,
			},
			wantMessage: "rate: 1 of 1 measurement succeeded, last 0.98",
		},
		"errors are not asked later than the interval": {
			metric: metric("rate", every(20*second), times(1)), script: "EEEES",
			wantPhase: v1alpha1.AnalysisPassed, wantAt: []time.Duration{0, 5 * second, 15 * second, 35 * second, 55 * second},
			wantMessage: "rate: 1 of 1 measurement succeeded, last 0.98",
		},
		"an answer ends the back-off": {
			metric: metric("rate", every(minute), times(3)), script: "EESESS",
			wantPhase: v1alpha1.AnalysisPassed,
			wantAt: []time.Duration{
				0, 5 * second, 15 * second, 75 * second, 80 * second, 140 * second,
			},
			wantMessage: "rate: 3 of 3 measurements succeeded, last 0.98",
		},
		"no data is an answer": {
			metric: metric("rate"), script: "EENES", wantPhase: v1alpha1.AnalysisPassed,
			wantAt:      []time.Duration{0, 5 * second, 15 * second, 30 * second, 35 * second},
			wantMessage: "rate: 1 of 1 measurement succeeded, last 0.98",
		},
		"errors alone never end": {
			metric: metric("rate", every(10*second), times(2)), script: strings.Repeat("E", 50),
			wantPhase: v1alpha1.AnalysisRunning,
			wantMessage: "rate: spec.metrics[0].provider.prometheus.address: cannot use http://x: nobody there" +
				" (50 errors in a row)",
		},
		"an interval is at least a second": {
			metric: metric("rate", every(time.Nanosecond), times(2)), script: "SS",
			wantPhase: v1alpha1.AnalysisPassed, wantAt: []time.Duration{0, second},
			wantMessage: "rate: 2 of 2 measurements succeeded, last 0.98",
		},
		"progress is told": {
			metric: metric("rate", every(10*second), times(5), limit(1)), script: "SFS",
			wantPhase: v1alpha1.AnalysisRunning, wantAt: []time.Duration{0, 10 * second, 20 * second},
			wantMessage: "rate: 3 of 5 measurements taken, 1 failed, limit 1, last 0.98",
		},
		"nothing is measured before the initial delay": {
			metric: metric("rate", after(minute)), script: "",
			wantPhase: v1alpha1.AnalysisPending, wantMessage: "rate: the first measurement is due 1m0s after the start",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			spec := v1alpha1.AnalysisRunSpec{Metrics: []v1alpha1.Metric{test.metric}}
			got := play(t, spec, map[string]string{"rate": test.script})
			if got.status.Phase != test.wantPhase || got.status.Message != test.wantMessage {
				t.Errorf("got %s: %s\nwant %s: %s", got.status.Phase, got.status.Message, test.wantPhase, test.wantMessage)
			}
			if test.wantAt != nil && !slices.Equal(got.at["rate"], test.wantAt) {
				t.Errorf("measured at %v, want %v", got.at["rate"], test.wantAt)
			}
			ended := test.wantPhase.Ended()
			if ended != !got.status.CompletedAt.IsZero() || ended != got.status.Metrics[0].NextAt.IsZero() {
				t.Errorf("completed at %s, next at %s, in phase %s",
					got.status.CompletedAt, got.status.Metrics[0].NextAt, got.status.Phase)
			}
		})
	}
}

func TestSeveralMetrics(t *testing.T) {
	counted := func(name string) v1alpha1.Metric {
		return metric(name, failing("result < 0.85"), every(10*second), times(3))
	}
	endless := func(name string) v1alpha1.Metric {
		return metric(name, failing("result < 0.85"), every(10*second))
	}
	tests := map[string]struct {
		metrics    []v1alpha1.Metric
		a, b       string
		wantPhase  v1alpha1.AnalysisPhase
		wantPhases [2]v1alpha1.AnalysisPhase
	}{
		"all pass": {
			metrics: []v1alpha1.Metric{counted("a"), counted("b")}, a: "SSS", b: "SSS",
			wantPhase:  v1alpha1.AnalysisPassed,
			wantPhases: [2]v1alpha1.AnalysisPhase{v1alpha1.AnalysisPassed, v1alpha1.AnalysisPassed},
		},
		"one that fails ends the run and stops the other": {
			metrics: []v1alpha1.Metric{counted("a"), counted("b")}, a: "SF", b: "SS",
			wantPhase:  v1alpha1.AnalysisFailed,
			wantPhases: [2]v1alpha1.AnalysisPhase{v1alpha1.AnalysisFailed, v1alpha1.AnalysisStopped},
		},
		"the run waits for the last one": {
			metrics: []v1alpha1.Metric{metric("a"), counted("b")}, a: "S", b: "SS",
			wantPhase:  v1alpha1.AnalysisRunning,
			wantPhases: [2]v1alpha1.AnalysisPhase{v1alpha1.AnalysisPassed, v1alpha1.AnalysisRunning},
		},
		"one without data holds the run": {
			metrics: []v1alpha1.Metric{counted("a"), counted("b")}, a: "SSS", b: "NNNNN",
			wantPhase:  v1alpha1.AnalysisRunning,
			wantPhases: [2]v1alpha1.AnalysisPhase{v1alpha1.AnalysisPassed, v1alpha1.AnalysisRunning},
		},
		"inconclusive outranks passed": {
			metrics: []v1alpha1.Metric{counted("a"), counted("b")}, a: "SSS", b: "SSI",
			wantPhase:  v1alpha1.AnalysisInconclusive,
			wantPhases: [2]v1alpha1.AnalysisPhase{v1alpha1.AnalysisPassed, v1alpha1.AnalysisInconclusive},
		},
		"failed outranks inconclusive in the same pass": {
			metrics: []v1alpha1.Metric{counted("a"), counted("b")}, a: "SSI", b: "SSF",
			wantPhase:  v1alpha1.AnalysisFailed,
			wantPhases: [2]v1alpha1.AnalysisPhase{v1alpha1.AnalysisInconclusive, v1alpha1.AnalysisFailed},
		},
		"an inconclusive one leaves the other its time to fail": {
			metrics: []v1alpha1.Metric{metric("a", failing("result < 0.85")), counted("b")}, a: "I", b: "SSF",
			wantPhase:  v1alpha1.AnalysisFailed,
			wantPhases: [2]v1alpha1.AnalysisPhase{v1alpha1.AnalysisInconclusive, v1alpha1.AnalysisFailed},
		},
		"one without an end keeps the run going": {
			metrics: []v1alpha1.Metric{counted("a"), endless("b")}, a: "SSS", b: "SSSSS",
			wantPhase:  v1alpha1.AnalysisRunning,
			wantPhases: [2]v1alpha1.AnalysisPhase{v1alpha1.AnalysisPassed, v1alpha1.AnalysisRunning},
		},
		"one without an end does not hide that another is inconclusive": {
			metrics: []v1alpha1.Metric{counted("a"), endless("b")}, a: "SIS", b: "SSS",
			wantPhase:  v1alpha1.AnalysisInconclusive,
			wantPhases: [2]v1alpha1.AnalysisPhase{v1alpha1.AnalysisInconclusive, v1alpha1.AnalysisStopped},
		},
		"two without an end": {
			metrics: []v1alpha1.Metric{endless("a"), endless("b")}, a: "SSI", b: "SSS",
			wantPhase:  v1alpha1.AnalysisInconclusive,
			wantPhases: [2]v1alpha1.AnalysisPhase{v1alpha1.AnalysisInconclusive, v1alpha1.AnalysisStopped},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			spec := v1alpha1.AnalysisRunSpec{Metrics: test.metrics}
			got := play(t, spec, map[string]string{"a": test.a, "b": test.b})
			phases := [2]v1alpha1.AnalysisPhase{got.status.Metrics[0].Phase, got.status.Metrics[1].Phase}
			if got.status.Phase != test.wantPhase || phases != test.wantPhases {
				t.Errorf("got %s %v, want %s %v", got.status.Phase, phases, test.wantPhase, test.wantPhases)
			}
		})
	}
}

func TestMessageOfSeveralFailures(t *testing.T) {
	spec := v1alpha1.AnalysisRunSpec{Metrics: []v1alpha1.Metric{metric("a"), metric("b"), metric("c")}}
	got := play(t, spec, map[string]string{"a": "F", "b": "S", "c": "F"})
	want := "a: 0.81 failed result >= 0.95 in 1 of 1 measurement, limit 0; " +
		"c: 0.81 failed result >= 0.95 in 1 of 1 measurement, limit 0"
	if got.status.Message != want {
		t.Errorf("got %q, want %q", got.status.Message, want)
	}
}

func TestTerminate(t *testing.T) {
	endless := v1alpha1.AnalysisRunSpec{Metrics: []v1alpha1.Metric{metric("rate", every(minute), limit(2))}}
	once := v1alpha1.AnalysisRunSpec{Metrics: []v1alpha1.Metric{metric("rate")}}
	tests := map[string]struct {
		spec        v1alpha1.AnalysisRunSpec
		script      string
		wantPhase   v1alpha1.AnalysisPhase
		wantMessage string
	}{
		"before any measurement": {
			spec: endless, script: "",
			wantPhase: v1alpha1.AnalysisStopped, wantMessage: "rate: stopped after 0 measurements",
		},
		"good so far is no pass": {
			spec: endless, script: "SSSFN", wantPhase: v1alpha1.AnalysisStopped,
			wantMessage: "rate: stopped after 4 measurements (3 successful, 1 failed, 1 without data)",
		},
		"errors are no verdict": {
			spec: endless, script: "EE",
			wantPhase: v1alpha1.AnalysisStopped, wantMessage: "rate: stopped after 0 measurements (2 with errors)",
		},
		"a failure stays": {
			spec: endless, script: "FFF", wantPhase: v1alpha1.AnalysisFailed,
			wantMessage: "rate: 0.81 failed result >= 0.95 in 3 of 3 measurements, limit 2",
		},
		"a pass stays": {
			spec: once, script: "S",
			wantPhase: v1alpha1.AnalysisPassed, wantMessage: "rate: 1 of 1 measurement succeeded, last 0.98",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := play(t, test.spec, map[string]string{"rate": test.script})
			spec := test.spec
			spec.Terminate = true
			step := Next(spec, p.status, p.now.Add(second))
			if step.Status.Phase != test.wantPhase || step.Status.Message != test.wantMessage {
				t.Errorf("got %s: %s\nwant %s: %s", step.Status.Phase, step.Status.Message, test.wantPhase, test.wantMessage)
			}
			if len(step.Due) != 0 || !step.WakeAt.IsZero() {
				t.Errorf("got due %v and wake at %s, want neither", step.Due, step.WakeAt)
			}
		})
	}
}

// TestMeasurementThatComesTooLate has a run that is told to terminate while it is measured: the figure that brings the
// verdict has been taken, so it counts; any other is kept, and the run stops.
func TestMeasurementThatComesTooLate(t *testing.T) {
	spec := v1alpha1.AnalysisRunSpec{Terminate: true, Metrics: []v1alpha1.Metric{metric("rate", every(minute), times(5))}}
	tests := map[rune]v1alpha1.AnalysisPhase{
		'S': v1alpha1.AnalysisStopped, 'N': v1alpha1.AnalysisStopped, 'F': v1alpha1.AnalysisFailed,
	}
	for letter, want := range tests {
		measured := []Measured{{Metric: "rate", Measurement: measurement(letter, start())}}
		if got := Record(spec, v1alpha1.AnalysisRunStatus{}, measured, start()).Phase; got != want {
			t.Errorf("%c: got %s, want %s", letter, got, want)
		}
	}
}

func TestMissedIntervalsCollapse(t *testing.T) {
	spec := v1alpha1.AnalysisRunSpec{Metrics: []v1alpha1.Metric{metric("rate", every(10*second), times(5))}}
	status := Next(spec, v1alpha1.AnalysisRunStatus{}, start()).Status
	status = Record(spec, status, []Measured{{Metric: "rate", Measurement: measurement('S', start())}}, start())
	late := start().Add(65 * second)
	step := Next(spec, status, late)
	if !slices.Equal(step.Due, []int{0}) {
		t.Fatalf("got due %v, want the metric once", step.Due)
	}
	status = Record(spec, step.Status, []Measured{{Metric: "rate", Measurement: measurement('S', late)}}, late)
	step = Next(spec, status, late)
	if len(step.Due) != 0 || !step.WakeAt.Equal(late.Add(10*second)) {
		t.Errorf("got due %v and wake at %s, want the next one 10 s after the late one", step.Due, step.WakeAt)
	}
}

func TestWakeAtIsTheEarliest(t *testing.T) {
	spec := v1alpha1.AnalysisRunSpec{Metrics: []v1alpha1.Metric{
		metric("a", after(minute)), metric("b", after(20*second)), metric("c", after(40*second)),
	}}
	step := Next(spec, v1alpha1.AnalysisRunStatus{}, start())
	if len(step.Due) != 0 || !step.WakeAt.Equal(start().Add(20*second)) {
		t.Errorf("got due %v and wake at %s, want 20 s after the start", step.Due, step.WakeAt)
	}
	step = Next(spec, step.Status, start().Add(45*second))
	if !slices.Equal(step.Due, []int{1, 2}) || !step.WakeAt.IsZero() {
		t.Errorf("got due %v and wake at %s, want b and c", step.Due, step.WakeAt)
	}
}

func TestClockPutBack(t *testing.T) {
	spec := v1alpha1.AnalysisRunSpec{Metrics: []v1alpha1.Metric{metric("rate", every(minute))}}
	ahead := start().Add(10 * minute)
	status := Next(spec, v1alpha1.AnalysisRunStatus{}, start()).Status
	status = Record(spec, status, []Measured{{Metric: "rate", Measurement: measurement('S', ahead)}}, ahead)
	if step := Next(spec, status, start().Add(second)); !slices.Equal(step.Due, []int{0}) {
		t.Errorf("got due %v and wake at %s, want the metric to be due", step.Due, step.WakeAt)
	}
	waiting := v1alpha1.AnalysisRunSpec{Metrics: []v1alpha1.Metric{metric("rate", after(minute))}}
	status = Next(waiting, v1alpha1.AnalysisRunStatus{}, ahead).Status
	if step := Next(waiting, status, start()); len(step.Due) != 0 {
		t.Error("an initial delay is cut short by a clock that was put back")
	}
}

func TestSpecThatChangesUnderARun(t *testing.T) {
	spec := v1alpha1.AnalysisRunSpec{Metrics: []v1alpha1.Metric{metric("a", every(minute)), metric("b", every(minute))}}
	status := play(t, spec, map[string]string{"a": "SS", "b": "SS"}).status
	changed := v1alpha1.AnalysisRunSpec{Metrics: []v1alpha1.Metric{metric("c", every(minute)), metric("b", every(minute))}}
	step := Next(changed, status, start().Add(90*second))
	if !slices.Equal(step.Due, []int{0}) {
		t.Errorf("got due %v, want the new metric", step.Due)
	}
	if got := step.Status.Metrics[1].Successful; got != 2 {
		t.Errorf("got %d successful measurements of the metric that stayed, want 2", got)
	}
}

func TestRunWithoutMetricsNeverPasses(t *testing.T) {
	step := Next(v1alpha1.AnalysisRunSpec{}, v1alpha1.AnalysisRunStatus{}, start())
	if step.Status.Phase != v1alpha1.AnalysisInconclusive || !strings.Contains(step.Status.Message, "spec.metrics") {
		t.Errorf("got %s: %s, want Inconclusive and the field", step.Status.Phase, step.Status.Message)
	}
}

func TestReadyCondition(t *testing.T) {
	spec := v1alpha1.AnalysisRunSpec{Metrics: []v1alpha1.Metric{metric("a", every(minute)), metric("b", every(minute))}}
	tests := map[string]struct {
		a, b        string
		wantStatus  metav1.ConditionStatus
		wantReason  string
		wantMessage string
	}{
		"nothing measured": {
			wantStatus: metav1.ConditionUnknown, wantReason: v1alpha1.ReasonNotMeasured,
			wantMessage: "No measurement has been taken yet.",
		},
		"figures": {
			a: "S", b: "S", wantStatus: metav1.ConditionTrue, wantReason: v1alpha1.ReasonMeasuring,
			wantMessage: "The last measurement of each metric gave a number.",
		},
		"figures again": {
			a: "E", b: "S", wantStatus: metav1.ConditionFalse, wantReason: v1alpha1.ReasonProviderUnreachable,
			wantMessage: "a: spec.metrics[0].provider.prometheus.address: cannot use http://x: nobody there",
		},
		"no data": {
			a: "S", b: "N", wantStatus: metav1.ConditionFalse, wantReason: v1alpha1.ReasonNoData,
			wantMessage: "b: spec.metrics[0].provider: no data: the query found nothing",
		},
		"two problems": {
			a: "N", b: "E", wantStatus: metav1.ConditionFalse, wantReason: v1alpha1.ReasonNoData,
			wantMessage: "a: spec.metrics[0].provider: no data: the query found nothing; " +
				"b: spec.metrics[0].provider.prometheus.address: cannot use http://x: nobody there",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			status := v1alpha1.AnalysisRunStatus{ObservedGeneration: 7}
			status = Next(spec, status, start()).Status
			var measured []Measured
			for metric, script := range map[string]string{"a": test.a, "b": test.b} {
				if script != "" {
					measured = append(measured, Measured{Metric: metric, Measurement: measurement(rune(script[0]), start())})
				}
			}
			status = Record(spec, status, measured, start())
			want := []metav1.Condition{{
				Type: v1alpha1.ConditionReady, Status: test.wantStatus, Reason: test.wantReason, Message: test.wantMessage,
				ObservedGeneration: 7, LastTransitionTime: metav1.NewTime(start()),
			}}
			if diff := cmp.Diff(want, status.Conditions); diff != "" {
				t.Errorf("conditions (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadyConditionKeepsItsTime(t *testing.T) {
	spec := v1alpha1.AnalysisRunSpec{Metrics: []v1alpha1.Metric{metric("rate", every(minute))}}
	var status v1alpha1.AnalysisRunStatus
	var got []time.Duration
	for i, letter := range "SEENSS" {
		now := start().Add(time.Duration(i) * minute)
		status = Record(spec, status, []Measured{{Metric: "rate", Measurement: measurement(letter, now)}}, now)
		got = append(got, status.Conditions[0].LastTransitionTime.Sub(start()))
	}
	want := []time.Duration{0, minute, minute, minute, 4 * minute, 4 * minute}
	if !slices.Equal(got, want) {
		t.Errorf("got transitions at %v, want %v", got, want)
	}
}

// TestStatusSurvivesTheAPI has Next decide the same about a status that was stored and read back, and change nothing.
func TestStatusSurvivesTheAPI(t *testing.T) {
	spec := v1alpha1.AnalysisRunSpec{Metrics: []v1alpha1.Metric{metric("a", every(minute)), metric("b", after(90*second))}}
	status := play(t, spec, map[string]string{"a": "SEN"}).status
	stored, err := json.Marshal(status)
	if err != nil {
		t.Fatal(err)
	}
	var read v1alpha1.AnalysisRunStatus
	if err := json.Unmarshal(stored, &read); err != nil {
		t.Fatal(err)
	}
	now := start().Add(61 * second)
	if diff := cmp.Diff(Next(spec, status, now), Next(spec, read, now)); diff != "" {
		t.Errorf("what is read back is treated differently:\n%s", diff)
	}
	if diff := cmp.Diff(read, Next(spec, read, now).Status); diff != "" {
		t.Errorf("Next changes a status when nothing has happened:\n%s", diff)
	}
}

func TestLongMessagesAreCut(t *testing.T) {
	long := metric("rate")
	long.SuccessCondition = "result >= 0.95 " + strings.Repeat("&& result >= 0.95 ", 50)
	var metrics []v1alpha1.Metric
	scripts := map[string]string{}
	for i := range 64 {
		m := long
		m.Name = fmt.Sprintf("ä-%d", i)
		metrics = append(metrics, m)
		scripts[m.Name] = "F"
	}
	got := play(t, v1alpha1.AnalysisRunSpec{Metrics: metrics}, scripts).status.Message
	if len(got) > 1024 || !strings.HasSuffix(got, "…") || strings.ToValidUTF8(got, "") != got {
		t.Errorf("got %d bytes: %q, want at most 1024 that end in …", len(got), got)
	}
}
