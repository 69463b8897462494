package judge

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCombine(t *testing.T) {
	for _, row := range []struct {
		name  string
		parts []Part
		want  float64
	}{
		{"none", nil, 0},
		{"none that counts", []Part{{Weight: 0, Log: 9}, {Weight: -1, Log: 9}}, 0},
		{"one", []Part{{Weight: 7, Log: 3}}, 3},
		{"two", []Part{{Weight: 3, Log: 0}, {Weight: 1, Log: math.Log(5)}}, math.Log(2)},
		{"far apart", []Part{{Weight: 1, Log: 2000}, {Weight: 1, Log: -2000}}, 2000 - math.Ln2},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := Combine(row.parts); !near(got, row.want) {
				t.Errorf("%v, want %v", got, row.want)
			}
		})
	}
}

func TestDecide(t *testing.T) {
	rule := Rule{FalseAbort: 0.01, FalsePass: 0.05}
	may, over := rule, rule
	may.MayPass, over.Over = true, true
	good := Metric{Name: "errors", Fail: -3, Pass: 4, Requests: 100, Needed: 4000}
	bad := Metric{Name: "errors", Fail: 6, Pass: -2, Requests: 100, Needed: 4000}
	open := Metric{Name: "latency", Fail: 0.5, Pass: 1, Requests: 1000, Needed: 4321}
	enough := Metric{Name: "latency", Fail: 0.5, Pass: 1, Requests: 5000, Needed: 4321}
	dry := Metric{Name: "memory", Fail: 50, Pass: -9, DryRun: true}
	unseen := Metric{Name: "errors", Needed: math.Inf(1)}
	heavy := bad
	heavy.Weight, heavy.Fail = 9, 4.8
	light := bad
	light.Name, light.Fail = "latency", 5.2
	for _, row := range []struct {
		name    string
		metrics []Metric
		rule    Rule
		want    Decision
	}{
		{"nothing yet", []Metric{good, open}, rule, Decision{
			Verdict: Undecided, Evidence: math.Log((math.Exp(-3) + math.Exp(0.5)) / 2), Leading: []string{"latency", "errors"},
		}},
		{"harm", []Metric{open, bad}, may, Decision{
			Verdict: Failed, Evidence: math.Log((math.Exp(6) + math.Exp(0.5)) / 2), Leading: []string{"errors", "latency"},
		}},
		{"harm of a heavy one", []Metric{open, heavy}, rule, Decision{
			Verdict: Failed, Evidence: math.Log(0.9*math.Exp(4.8) + 0.1*math.Exp(0.5)), Leading: []string{"errors", "latency"},
		}},
		{"harm of a heavy one, less than of a light one", []Metric{light, heavy}, rule, Decision{
			Verdict: Failed, Evidence: math.Log(0.9*math.Exp(4.8) + 0.1*math.Exp(5.2)), Leading: []string{"errors", "latency"},
		}},
		{"shown to be good", []Metric{good, dry}, may, Decision{
			Verdict: Passed, Proven: true, Evidence: -3, Leading: []string{"errors"},
		}},
		{"shown to be good too early", []Metric{good}, rule, Decision{
			Verdict: Undecided, Evidence: -3, Leading: []string{"errors"},
		}},
		{"one of two shown", []Metric{good, open}, may, Decision{
			Verdict: Undecided, Evidence: math.Log((math.Exp(-3) + math.Exp(0.5)) / 2), Leading: []string{"latency", "errors"},
		}},
		{"not disproved at the end", []Metric{good, enough}, over, Decision{
			Verdict: Passed, Evidence: math.Log((math.Exp(-3) + math.Exp(0.5)) / 2), Leading: []string{"latency", "errors"},
		}},
		{"shown at the end", []Metric{good}, over, Decision{
			Verdict: Passed, Proven: true, Evidence: -3, Leading: []string{"errors"},
		}},
		{"too little at the end", []Metric{good, open}, over, Decision{
			Verdict: Inconclusive, Evidence: math.Log((math.Exp(-3) + math.Exp(0.5)) / 2), Leading: []string{"latency", "errors"},
			Lacking: []string{"latency: 1000 requests of the candidate, about 4,400 are needed; " +
				"raise the weight or give it 4.3 times as long"},
		}},
		{"nothing seen at the end", []Metric{unseen}, over, Decision{
			Verdict: Inconclusive, Leading: []string{"errors"},
			Lacking: []string{"errors: 0 requests of the candidate, and nothing to compare; look whether traffic reaches both versions"},
		}},
		{"dry runs alone", []Metric{dry}, over, Decision{Verdict: Inconclusive}},
		{"no metric", nil, may, Decision{Verdict: Undecided}},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := Decide(row.metrics, row.rule)
			if near(got.Evidence, row.want.Evidence) {
				got.Evidence = row.want.Evidence
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("decision (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRounded(t *testing.T) {
	for n, want := range map[float64]string{0.2: "1", 99: "99", 101: "110", 4321: "4,400", 1234567: "1,300,000"} {
		if got := Rounded(n); got != want {
			t.Errorf("%v: %s, want %s", n, got, want)
		}
	}
}
