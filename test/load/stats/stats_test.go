package stats

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	testingclock "k8s.io/utils/clock/testing"
)

func TestRecorderSortsAnswers(t *testing.T) {
	clk := testingclock.NewFakeClock(time.Unix(1000, 0))
	r := NewRecorder(clk)
	for _, a := range []Answer{
		{Version: "v1"},
		{Version: "v1", Retried: true},
		{Version: "v3", AppError: true},
		{Failure: "dial: connection refused"},
		{Version: "v1", Failure: "answer cut off"},
	} {
		if !r.Begin(1) {
			t.Fatal("a request was refused although none was under way")
		}
		r.End(a)
		clk.Step(400 * time.Millisecond)
	}
	r.Refused("dial: connection refused")

	got := r.Report(1001)
	want := Report{
		Now:     time.Unix(1002, 0),
		Retried: 1,
		Total: Tally{
			All:      Counts{Requests: 6, AppErrors: 1, Failures: 3},
			Versions: map[string]Counts{"v1": {Requests: 3, Failures: 1}, "v3": {Requests: 1, AppErrors: 1}},
		},
		LastAnswer: map[string]time.Time{"v1": time.Unix(1001, 6e8), "v3": time.Unix(1000, 8e8)},
		Seconds: []Second{
			{At: 1001, Tally: Tally{All: Counts{Requests: 2, Failures: 2}, Versions: map[string]Counts{"v1": {Requests: 1, Failures: 1}}}},
			{At: 1002, Tally: Tally{All: Counts{Requests: 1, Failures: 1}, Versions: map[string]Counts{}}},
		},
		Failures: []Failure{
			{Message: "dial: connection refused", Count: 2, FirstAt: time.Unix(1001, 2e8), LastAt: time.Unix(1002, 0)},
			{Message: "answer cut off", Count: 1, FirstAt: time.Unix(1001, 6e8), LastAt: time.Unix(1001, 6e8)},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}

func TestTallyMinus(t *testing.T) {
	earlier := Tally{All: Counts{Requests: 10, AppErrors: 1}, Versions: map[string]Counts{"v1": {Requests: 9}, "v2": {Requests: 1, AppErrors: 1}}}
	later := Tally{All: Counts{Requests: 25, AppErrors: 4, Failures: 2}, Versions: map[string]Counts{"v1": {Requests: 9}, "v2": {Requests: 14, AppErrors: 4}}}
	want := Tally{All: Counts{Requests: 15, AppErrors: 3, Failures: 2}, Versions: map[string]Counts{"v2": {Requests: 13, AppErrors: 3}}}
	if diff := cmp.Diff(want, later.Minus(earlier)); diff != "" {
		t.Errorf("difference (-want +got):\n%s", diff)
	}
	if got := later.Minus(earlier).All.BadShare(); got != 5.0/15 {
		t.Errorf("share %v, want a third", got)
	}
	if got := (Counts{}).BadShare(); got != 0 {
		t.Errorf("share of no requests %v, want 0", got)
	}
}

func TestLastLeavesOutTheSecondThatIsNotOver(t *testing.T) {
	second := func(at int64, requests int64) Second {
		return Second{At: at, Tally: Tally{All: Counts{Requests: requests}}}
	}
	r := Report{Now: time.Unix(100, 5e8), Seconds: []Second{second(96, 1), second(97, 10), second(99, 100), second(100, 1000)}}
	if got := r.Last(3).All.Requests; got != 110 {
		t.Errorf("%d requests in the last three seconds, want 110", got)
	}
}

func TestInFlightIsBounded(t *testing.T) {
	r := NewRecorder(testingclock.NewFakePassiveClock(time.Unix(0, 0)))
	for i, want := range []bool{true, true, false} {
		if got := r.Begin(2); got != want {
			t.Errorf("request %d begun: %v, want %v", i, got, want)
		}
	}
	if got := r.Report(0).InFlight; got != 2 {
		t.Errorf("%d in flight, want 2", got)
	}
}

func TestLatencyIsWithinFivePercent(t *testing.T) {
	r := NewRecorder(testingclock.NewFakePassiveClock(time.Unix(0, 0)))
	for ms := 1; ms <= 1000; ms++ {
		r.Begin(1)
		r.End(Answer{Latency: time.Duration(ms) * time.Millisecond})
	}
	got := r.Report(0).Latency
	near := func(name string, got, want time.Duration) {
		if got < want || float64(got) > float64(want)*growth {
			t.Errorf("%s is %v, want %v or up to 5 %% more", name, got, want)
		}
	}
	near("median", got.P50, 500*time.Millisecond)
	near("99th percentile", got.P99, 990*time.Millisecond)
	if got.Max != time.Second {
		t.Errorf("maximum %v, want 1s", got.Max)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	clk := testingclock.NewFakePassiveClock(time.Unix(0, 0))
	r := NewRecorder(clk)
	for i := range keptSeconds + 100 {
		clk.SetTime(time.Unix(int64(i), 0))
		r.Refused(fmt.Sprint("failure ", i))
	}
	got := r.Report(0)
	if len(got.Seconds) != keptSeconds || len(got.Failures) != keptFailures {
		t.Errorf("%d seconds and %d failures are kept, want %d and %d", len(got.Seconds), len(got.Failures),
			keptSeconds, keptFailures)
	}
	if got.Total.All.Failures != keptSeconds+100 {
		t.Errorf("%d failures counted, want %d", got.Total.All.Failures, keptSeconds+100)
	}
}
