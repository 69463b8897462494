package render

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
	"github.com/sluice-dev/sluice/controller/planner/forecast"
)

// Plan shows a forecast: what is released, a row for each stage, and the extremes in a sentence.
func Plan(f forecast.Forecast, strategy string, palette Palette) string {
	out := planHead(f, strategy) + "\n"
	if len(f.Steps) > 0 {
		table := Table{Palette: palette}
		out += "\n" + table.Rows(planRows(f)) + "\n"
	}
	return out + planSum(f) + "\n"
}

func planHead(f forecast.Forecast, strategy string) string {
	what := fmt.Sprintf("Rollout %s (%s): ", oneLine(f.Rollout), strategy)
	replicas := planner.Counted(f.Replicas, "replica")
	switch f.Stable {
	case "":
		return what + fmt.Sprintf("the first release, of revision %s with %s", f.Candidate, replicas)
	case f.Candidate:
		return what + fmt.Sprintf("revision %s is the stable one, with %s", f.Candidate, replicas)
	}
	return what + fmt.Sprintf("a release of %s over %s, with %s", revisionName(f.Candidate), revisionName(f.Stable), replicas)
}

// revisionName names a revision in a sentence.
func revisionName(hash string) string {
	switch hash {
	case forecast.SomeStable:
		return "a stable revision"
	case forecast.SomeCandidate:
		return "the next revision"
	}
	return "revision " + hash
}

func planRows(f forecast.Forecast) [][]Cell {
	others, baseline := false, false
	for _, s := range f.Steps {
		others, baseline = others || otherPods(f, s) > 0, baseline || s.Baseline > 0
	}
	columns := []string{"STEP", "TRAFFIC", "STABLE", "CANDIDATE"}
	if baseline {
		columns = append(columns, "BASELINE")
	}
	if others {
		columns = append(columns, "OTHERS")
	}
	rows := [][]Cell{headings(append(columns, "AFTER", "THEN")...)}
	for _, s := range f.Steps {
		row := []Cell{{Text: stageName(s)}, {Text: traffic(f, s)}, {Text: number(s.PodsOf(f.Stable))}, candidatePods(f, s)}
		if baseline {
			row = append(row, Cell{Text: number(s.Baseline)})
		}
		if others {
			row = append(row, Cell{Text: number(otherPods(f, s))})
		}
		rows = append(rows, append(row, Cell{Text: forecast.Short(s.After.Duration)}, Cell{Text: gates(s)}))
	}
	return rows
}

func stageName(s forecast.Step) string {
	if s.Name == forecast.NameBack {
		return "back to stable"
	}
	return s.Name
}

// traffic is the share of the candidate, the one asked for where pods cannot be divided into it, and what it gets beside it.
func traffic(f forecast.Forecast, s forecast.Step) string {
	if s.Revision == f.Stable && f.Stable != f.Candidate {
		return "0%"
	}
	if s.Share != s.Weight {
		return fmt.Sprintf("%s%% (for %s%%)", s.Share, s.Weight)
	}
	if s.Overlay != "" {
		return s.Share + "%, with " + s.Overlay
	}
	return s.Share + "%"
}

func candidatePods(f forecast.Forecast, s forecast.Step) Cell {
	if f.Stable == f.Candidate {
		return cell("")
	}
	return Cell{Text: number(s.PodsOf(f.Candidate))}
}

func otherPods(f forecast.Forecast, s forecast.Step) int32 {
	var n int32
	for _, p := range s.Pods {
		if p.Revision != f.Stable && p.Revision != f.Candidate {
			n += p.Count
		}
	}
	return n
}

// gates says what a stage waits for.
func gates(s forecast.Step) string {
	var out []string
	for _, g := range s.Gates {
		switch g.Kind {
		case string(planner.PauseGate):
			what := "pause "
			if s.Baseline > 0 {
				what = "experiment for "
			}
			out = append(out, what+durationOf(g.Least))
		case string(planner.PersonGate):
			out = append(out, "a person promotes")
		case forecast.KindProbe:
			out = append(out, "a probe of "+planner.Counted(g.Requests, "request"))
		case forecast.KindBackground:
			out = append(out, "the background analysis begins")
		default:
			out = append(out, fmt.Sprintf("analysis %s (%s)", g.Name, durationOf(g.Least)))
		}
	}
	return strings.Join(out, ", ")
}

func durationOf(d *metav1.Duration) string {
	if d == nil {
		return "time not known"
	}
	return forecast.Short(d.Duration)
}

func planSum(f forecast.Forecast) string {
	if len(f.Steps) == 0 {
		return "Nothing is to come: " + oneLine(f.Message) + "."
	}
	sum := fmt.Sprintf("At most %s at once, at least %d of %d available.", planner.Counted(f.MostPods, "pod"), f.LeastAvailable, f.Replicas)
	switch {
	case !f.Settled:
		return sum + " It does not come to a good end: " + oneLine(f.Message) + "."
	case f.Outcome != v1alpha1.OutcomePromoted:
		return sum + fmt.Sprintf(" Stable has all traffic after %s at the least.", forecast.Short(f.LeastDuration.Duration))
	}
	sum += fmt.Sprintf(" It takes %s at the least", forecast.Short(f.LeastDuration.Duration))
	if len(f.Unknown) > 0 {
		sum += ", and on top of that " + strings.Join(f.Unknown, " and ")
	}
	return sum + "."
}
