package analysis

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-dev/sluice/analysis/judge"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// shifts are told at seconds after the start: a weight, or none while traffic moves.
func shifts(told ...any) []v1alpha1.TrafficShift {
	var all []v1alpha1.TrafficShift
	for i := 0; i < len(told); i += 2 {
		all = append(all, v1alpha1.TrafficShift{
			At: moment(time.Unix(start().Unix()+int64(told[i].(int)), 0)), Weight: told[i+1].(string),
		})
	}
	return all
}

// TestBatchesEndWhereTrafficMoves holds that no batch has requests of two weights, and that the first scrape after a shift,
// which holds requests from before it, is in none.
func TestBatchesEndWhereTrafficMoves(t *testing.T) {
	for name, row := range map[string]struct {
		shifts []v1alpha1.TrafficShift
		want   [][2]int // seconds after the start
	}{
		"nobody tells":                  {nil, [][2]int{{0, 15}, {15, 30}, {30, 45}, {45, 60}}},
		"one weight":                    {shifts(0, "5"), [][2]int{{15, 30}, {30, 45}, {45, 60}, {60, 75}}},
		"cut, and another weight":       {shifts(0, "5", 50, "", 60, "20"), [][2]int{{15, 30}, {30, 45}, {45, 50}, {75, 90}}},
		"a shift at the end of a batch": {shifts(0, "5", 45, "", 60, "20"), [][2]int{{15, 30}, {30, 45}, {75, 90}, {90, 105}}},
		"a rest too short to count":     {shifts(0, "5", 30, "", 32, "20", 40, "", 42, "50"), [][2]int{{15, 30}, {57, 72}, {72, 87}, {87, 102}}},
	} {
		t.Run(name, func(t *testing.T) {
			spec := ratioRun(ratioMetric())
			spec.Shifts = row.shifts
			provider := &counting{answers: []Count{batch(0, 100, 0, 900)}}
			follow(t, spec, provider, len(row.want))
			var got [][2]int
			for _, query := range provider.asked {
				got = append(got, [2]int{int(query.From.Sub(start()) / second), int(query.To.Sub(start()) / second)})
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("batches (-want +got):\n%s", diff)
			}
		})
	}
}

// TestNothingIsCountedWhileTrafficMoves holds that a run waits for traffic to rest without asking anybody, and says so.
func TestNothingIsCountedWhileTrafficMoves(t *testing.T) {
	spec := ratioRun(ratioMetric())
	spec.Shifts = shifts(0, "5")
	provider := &counting{answers: []Count{batch(1, 300, 9, 2700)}}
	status := follow(t, spec, provider, 2)
	spec.Shifts = shifts(0, "5", 45, "")
	step := Next(spec, status, start().Add(time.Hour))
	if len(step.Due) > 0 || !step.WakeAt.IsZero() {
		t.Errorf("due %v, or at %s; want nothing until the spec says that traffic rests", step.Due, step.WakeAt)
	}
	if want := "traffic moves, and nothing is counted until it rests"; !strings.Contains(step.Status.Message, want) {
		t.Errorf("message %q, want one with %q", step.Status.Message, want)
	}
	spec.Shifts = shifts(0, "5", 45, "", 3600, "20")
	step = Next(spec, status, start().Add(time.Hour))
	if want := start().Add(time.Hour + v1alpha1.ShiftMargin + 15*second + v1alpha1.RatioLag); !step.WakeAt.Equal(want) {
		t.Errorf("the next batch at %s, want %s", step.WakeAt, want)
	}
}

// TestEachWeightIsAStep holds that evidence goes on when the weight changes, that harm may begin there, and that what was
// served is told by weight, with the range of the ratio.
func TestEachWeightIsAStep(t *testing.T) {
	spec := ratioRun(ratioMetric(endless))
	spec.PlannedSteps = 3
	spec.Shifts = shifts(0, "5", 45, "", 60, "20", 105, "", 110, "20")
	provider := &counting{answers: []Count{
		batch(1, 100, 9, 1900), batch(0, 110, 9, 1900), batch(5, 400, 7, 1600), batch(7, 410, 7, 1600), batch(6, 400, 8, 1600),
	}}
	status := follow(t, spec, provider, 5)
	settings, err := ratio{&spec.Metrics[0]}.settings(oddsOf(spec, 0))
	if err != nil {
		t.Fatal(err)
	}
	want, err := judge.NewCounts(settings)
	if err != nil {
		t.Fatal(err)
	}
	for i, answer := range provider.answers {
		if i == 2 {
			want.Step()
		}
		if err := want.Observe(answer.Batch); err != nil {
			t.Fatal(err)
		}
	}
	c := status.Metrics[0].Comparison
	if c.Memory != want.Memory() {
		t.Errorf("evidence %s, want %v after a step at the third batch alone", c.Evidence, want.Fail())
	}
	weights := []v1alpha1.WeightCounts{
		{Weight: "5", Candidate: v1alpha1.RequestCounts{Bad: 1, Total: 210}, Stable: v1alpha1.RequestCounts{Bad: 18, Total: 3800}},
		{Weight: "20", Candidate: v1alpha1.RequestCounts{Bad: 18, Total: 1210}, Stable: v1alpha1.RequestCounts{Bad: 22, Total: 4800}},
	}
	if diff := cmp.Diff(weights, c.Weights); diff != "" {
		t.Errorf("by weight (-want +got):\n%s", diff)
	}
	if c.RatioRange == "" {
		t.Error("no range of the ratio, want one, as the weights are known")
	}
}
