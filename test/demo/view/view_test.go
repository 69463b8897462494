package view

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/golden"
	"github.com/sluice-dev/sluice/test/load/stats"
)

func TestMain(m *testing.M) { golden.Main(m) }

func views() map[string]View {
	return map[string]View{
		"before-the-load": {
			Release: "v1 for the first time", Elapsed: 3 * time.Second, Phase: "Progressing",
			Message:   "waiting for pods: 1 of 4 are available",
			Revisions: []Revision{{Version: "v1", Role: "candidate", Ready: 1, Pods: 4}},
		},
		"half-way": {
			Release: "v2 as a canary", Elapsed: 67 * time.Second, Phase: "Progressing", Step: "2/3", Weight: "50",
			Message: "waiting for analysis: success-rate 2 of 3 measurements passed",
			Revisions: []Revision{
				{Version: "v1", Role: "stable", Ready: 4, Pods: 4, Recent: stats.Counts{Requests: 251}},
				{Version: "v2", Role: "candidate", Ready: 2, Pods: 3, Recent: stats.Counts{Requests: 249}},
			},
			Seconds: 5, Rate: 100, Sent: stats.Counts{Requests: 3012}, P99: 4_234_567 * time.Nanosecond,
		},
		"faulty": {
			Release: "v3 as a canary", Elapsed: 125 * time.Second, Phase: "Degraded", Step: "1/3", Weight: "10",
			Message: "analysis failed: success-rate is 0.8, wanted result >= 0.95",
			Revisions: []Revision{
				{Version: "v2", Role: "stable", Ready: 4, Pods: 4, Recent: stats.Counts{Requests: 450}},
				{Version: "v3", Role: "candidate", Ready: 1, Pods: 1, Recent: stats.Counts{Requests: 50, AppErrors: 10}},
			},
			Seconds: 5, Rate: 100, Sent: stats.Counts{Requests: 9012, AppErrors: 22, Failures: 1}, P99: 1267 * time.Millisecond,
		},
	}
}

func TestPanelAndLine(t *testing.T) {
	for name, v := range views() {
		t.Run(name, func(t *testing.T) {
			golden.Compare(t, "testdata/"+name+".txt", strings.Join(Panel(v, 100, Mono), "\n")+"\n\n"+Line(v)+"\n")
		})
	}
}

func TestPanelFitsTheTerminal(t *testing.T) {
	for name, v := range views() {
		for _, width := range []int{0, 1, 20, 80} {
			for i, line := range Panel(v, width, Mono) {
				if got := utf8.RuneCountInString(line); got > max(width, 1) || strings.Contains(line, "\n") {
					t.Errorf("%s at %d columns: line %d has %d: %q", name, width, i, got, line)
				}
			}
		}
	}
}

func TestColourMarksErrors(t *testing.T) {
	v := views()["faulty"]
	red := 0
	for _, line := range Panel(v, 100, Colour) {
		if strings.HasPrefix(line, "\x1b[31mv3") {
			red++
		}
	}
	if red != 1 {
		t.Errorf("%d red lines for v3, want 1", red)
	}
}

func TestChangeIgnoresFigures(t *testing.T) {
	before := views()["half-way"]
	after := before
	after.Elapsed += time.Second
	after.Sent.Requests += 100
	after.Revisions = nil
	if Change(before) != Change(after) {
		t.Error("figures alone are a change")
	}
	after.Weight = "100"
	if Change(before) == Change(after) {
		t.Error("another weight is no change")
	}
}

func TestTable(t *testing.T) {
	golden.Compare(t, "testdata/table.txt", Table([]Result{
		{Version: "v1", Outcome: v1alpha1.OutcomePromoted, Reason: v1alpha1.ReasonPromoted, Took: 8_400 * time.Millisecond},
		{
			Version: "v2", Strategy: v1alpha1.StrategyCanary, Outcome: v1alpha1.OutcomePromoted, Took: 47 * time.Second,
			Tally: stats.Tally{All: stats.Counts{Requests: 4812}},
		},
		{
			Version: "v3", Strategy: v1alpha1.StrategyCanary, Outcome: v1alpha1.OutcomeAborted,
			Reason: v1alpha1.ReasonAnalysisFailed, Took: 14 * time.Second,
			Tally: stats.Tally{
				All:      stats.Counts{Requests: 1600, AppErrors: 33, Failures: 1},
				Versions: map[string]stats.Counts{"v2": {Requests: 1440, AppErrors: 1}, "v3": {Requests: 160, AppErrors: 32}},
			},
		},
	}, "v3"))
}
