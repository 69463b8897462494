package render

import (
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

const (
	indent       = "  " // of what belongs to a metric
	shownResults = 3    // the last measurements of a metric, unless all are asked for
)

// Run explains an AnalysisRun: where it is and why, and for each of its metrics what was seen of both versions, what that
// comes to, what is still needed, and the last measurements. A width of 0 is not known.
func Run(run *v1alpha1.AnalysisRun, now time.Time, v View) string {
	e := explanation{run: run, now: now, view: v}
	out := e.head()
	for i := range run.Spec.Metrics {
		metric := &run.Spec.Metrics[i]
		at := slices.IndexFunc(run.Status.Metrics, func(r v1alpha1.MetricResult) bool { return r.Name == metric.Name })
		if at >= 0 {
			out += "\n" + e.metric(metric, &run.Status.Metrics[at])
		}
	}
	if v.ASCII {
		return plain(out)
	}
	return out
}

// explanation is an AnalysisRun that becomes text.
type explanation struct {
	run  *v1alpha1.AnalysisRun
	now  time.Time
	view View
}

func (e explanation) head() string {
	status := e.run.Status
	rows := [][]Cell{
		{{Text: "Name:"}, {Text: e.run.Name + " (namespace " + e.run.Namespace + ")"}},
		{{Text: "Judges:"}, {Text: judged(e.run.Spec)}},
		{{Text: "Phase:"}, {Text: e.phase(), Style: analysisStyle(status.Phase)}},
		{{Text: "Why:"}, cell(status.Message)},
	}
	if e.run.Name == "" {
		rows = rows[1:]
	}
	table := Table{Palette: e.view.Palette}
	return table.Rows(broken(rows, e.view.Width))
}

// judged says what a run is about.
func judged(spec v1alpha1.AnalysisRunSpec) string {
	if spec.Rollout == "" {
		return "what its metrics select, for no Rollout"
	}
	what := "Rollout " + spec.Rollout
	if spec.Revision != "" {
		what = "revision " + spec.Revision + " of " + what
	}
	if spec.Gate != "" {
		what += ", " + spec.Gate
	}
	return what
}

// phase says where the run is, and for how long.
func (e explanation) phase() string {
	status := e.run.Status
	switch {
	case status.Phase == "":
		return "Pending, as the controller has not looked at it yet"
	case status.Phase.Ended() && !status.CompletedAt.IsZero():
		return fmt.Sprintf("%s after %s, %s ago", status.Phase, age(coarse(status.StartedAt), status.CompletedAt.Time),
			age(coarse(status.CompletedAt), e.now))
	case status.StartedAt.IsZero():
		return string(status.Phase)
	}
	return fmt.Sprintf("%s for %s", status.Phase, age(coarse(status.StartedAt), e.now))
}

func coarse(t metav1.MicroTime) metav1.Time { return metav1.NewTime(t.Time) }

// metric explains one metric.
func (e explanation) metric(metric *v1alpha1.Metric, result *v1alpha1.MetricResult) string {
	name := oneLine(result.Name)
	if metric.IsDryRun() {
		name += " (dry run)"
	}
	out := name + ": " + e.view.Palette.Paint(analysisStyle(result.Phase), string(result.Phase))
	out += e.progress(metric, result) + "\n"
	var blocks []string
	if c := result.Comparison; c != nil {
		table := Table{Palette: e.view.Palette}
		blocks = append(blocks, table.Rows(arms(c, metric)))
	}
	facts := Table{Palette: e.view.Palette}
	blocks = append(blocks, facts.Rows(e.facts(metric, result)), e.measurements(result))
	for _, block := range blocks {
		for line := range strings.Lines(block) {
			out += indent + line
		}
	}
	return out
}

// width is what a metric has of the terminal.
func (e explanation) width() int { return max(e.view.Width-len(indent), 0) }

// progress says how far a metric is, and when it goes on.
func (e explanation) progress(metric *v1alpha1.Metric, result *v1alpha1.MetricResult) string {
	unit := unitOf(metric)
	taken := result.Successful + result.Failed + result.Inconclusive
	out := ", " + several(taken, unit)
	switch {
	case result.Phase.Ended():
		out = " after " + several(taken, unit)
	case metric.Count != nil:
		out = fmt.Sprintf(", %d of %s", taken, several(*metric.Count, unit))
	case metric.Interval != nil:
		out += " so far, until it is stopped"
	}
	if next := result.NextAt.Time; !e.now.IsZero() && next.After(e.now) {
		out += ", the next in " + age(metav1.NewTime(e.now), next)
	}
	return out
}

// unitOf is what a measurement of a metric is called.
func unitOf(metric *v1alpha1.Metric) string {
	switch {
	case metric.Ratio != nil, metric.Latency != nil, metric.SLO != nil:
		return "batch"
	case metric.Kubernetes != nil:
		return "look"
	}
	return "measurement"
}

// several writes how many of something there are.
func several(n int32, what string) string {
	switch {
	case n == 1:
		return "1 " + what
	case strings.HasSuffix(what, "ch"):
		return fmt.Sprintf("%d %ses", n, what)
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// measurements is a table of the last measurements, the newest first. Those that gave no figure for the same reason share
// a row.
func (e explanation) measurements(result *v1alpha1.MetricResult) string {
	rows := [][]Cell{headings("AGE", "MEASUREMENT", "VALUE", "SAYS")}
	most := shownResults
	if e.view.Wide {
		most = len(result.Measurements)
	}
	last := v1alpha1.Measurement{}
	times := 0
	for _, m := range slices.Backward(result.Measurements) {
		if times > 0 && m.Value == "" && m.State == last.State && m.Reason == last.Reason {
			times++
			rows[len(rows)-1][3].Text = says(last) + fmt.Sprintf(" (%d times)", times)
			continue
		}
		if len(rows) > most {
			break
		}
		last, times = m, 1
		compared := result.Comparison != nil
		rows = append(rows, []Cell{{Text: age(coarse(m.At), e.now)}, state(m, compared), value(m, compared), {Text: says(m)}})
	}
	if len(rows) == 1 {
		return ""
	}
	table := Table{Palette: e.view.Palette}
	return table.Rows(broken(rows, e.width()))
}

// says is what a measurement has to say beside its figure.
func says(m v1alpha1.Measurement) string {
	if m.Reason == "" || strings.Contains(m.Message, m.Reason+":") {
		return m.Message
	}
	return m.Reason + ": " + m.Message
}

// value of a measurement: of a comparison the candidate's share of bad requests.
func value(m v1alpha1.Measurement, compared bool) Cell {
	switch n, ok := numberOf(m); {
	case ok && compared:
		return Cell{Text: percent(n)}
	case ok:
		return Cell{Text: figure(n)}
	}
	return cell(m.Value)
}

// state of a measurement. A batch of a comparison is neither good nor bad by itself.
func state(m v1alpha1.Measurement, compared bool) Cell {
	c := Cell{Text: string(m.State)}
	switch m.State {
	case v1alpha1.MeasurementSuccessful:
		c.Style = Good
		if compared {
			c = Cell{Text: "Counted"}
		}
	case v1alpha1.MeasurementFailed:
		c.Style = Bad
	case v1alpha1.MeasurementInconclusive, v1alpha1.MeasurementNoData, v1alpha1.MeasurementError:
		c.Style = Waiting
	}
	return c
}
