package render

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/sluice-dev/sluice/analysis/judge"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// arms is the table of what both versions served, or of what the candidate served where it is not compared.
func arms(c *v1alpha1.Comparison, metric *v1alpha1.Metric) [][]Cell {
	bad := "BAD"
	if metric.Latency != nil {
		bad = "SLOW"
	}
	rows := [][]Cell{headings("VERSION", bad, "TOTAL", "SHARE"), served("candidate", c.Candidate)}
	if metric.SLO == nil {
		rows = append(rows, served("stable", c.Stable))
	}
	return rows
}

func served(version string, n v1alpha1.RequestCounts) []Cell {
	share := cell("")
	if n.Total > 0 {
		share = Cell{Text: percent(float64(n.Bad) / float64(n.Total))}
	}
	return []Cell{{Text: version}, {Text: whole(n.Bad)}, {Text: whole(n.Total)}, share}
}

// whole writes a whole number with commas.
func whole(n int64) string { return judge.Thousands(strconv.FormatInt(n, 10)) }

// facts are what is known of a metric, a label and a sentence each.
func (e explanation) facts(metric *v1alpha1.Metric, result *v1alpha1.MetricResult) [][]Cell {
	var rows [][]Cell
	add := func(label, text string) {
		if text != "" {
			rows = append(rows, []Cell{{Text: label}, {Text: text}})
		}
	}
	add("Good if:", metric.SuccessCondition)
	add("Bad if:", metric.FailureCondition)
	switch c := result.Comparison; {
	case c != nil:
		add("Ratio:", ratioOf(c))
		if metric.SLO != nil {
			add("Good:", "of all requests "+metric.SLO.Objective+", as an objective")
		}
		add("Evidence:", fmt.Sprintf("of harm %s, fails at %s", c.Evidence, c.Limit))
		add("", course(c.History, c.Limit, e.room(), e.view.ASCII))
		add("Needed:", e.needed(metric, result))
		add("Missed:", counts(missed(result), noLimit))
	case result.Pods != nil:
		add("Pods:", podsOf(*result.Pods))
		add("Counts:", counts(tally(result), noLimit))
	default:
		add("Values:", values(result, e.view.ASCII))
		add("Counts:", counts(tally(result), metric.FailureLimit))
	}
	return broken(rows, e.width())
}

// label is the width of the widest label of a fact.
const label = len("Evidence:")

// room is what is left for a fact beside its label: the whole history where the terminal is not known.
func (e explanation) room() int {
	const most = 60
	if e.view.Width == 0 {
		return most
	}
	return max(min(e.width()-label-gap, most), 1)
}

// ratioOf says how many times as high the candidate's share is.
func ratioOf(c *v1alpha1.Comparison) string {
	low, high, found := strings.Cut(c.RatioRange, "–")
	switch {
	case c.Ratio == "":
		return ""
	case found && high == "∞":
		return fmt.Sprintf("×%s, and no less than %s", c.Ratio, low)
	case found:
		return fmt.Sprintf("×%s, between %s and %s", c.Ratio, low, high)
	}
	return "×" + c.Ratio
}

// course draws the evidence over time, from none to the limit, each step as many times as much as the one before. Evidence
// for the candidate is drawn as none against it.
func course(h *v1alpha1.EvidenceHistory, limit string, room int, ascii bool) string {
	if h == nil || len(h.Points) < 2 {
		return ""
	}
	over := duration.HumanDuration(time.Duration(len(h.Points)-1) * h.Every.Duration)
	points := make([]float64, len(h.Points))
	for i, p := range h.Points {
		points[i] = float64(p)
	}
	highest := 200.0
	if factor, err := strconv.ParseFloat(limit, 64); err == nil && factor > 1 {
		highest = 100 * math.Log10(factor)
	}
	return sparkline(points, 0, highest, room-len(over)-1, ascii) + " " + over
}

// needed says how many requests of the candidate it takes, and how long that will be.
func (e explanation) needed(metric *v1alpha1.Metric, result *v1alpha1.MetricResult) string {
	c := result.Comparison
	more := c.Needed - c.Candidate.Total
	switch {
	case c.Needed <= 0, result.Phase == v1alpha1.AnalysisFailed, result.Phase == v1alpha1.AnalysisPassed:
		return ""
	case more <= 0:
		return fmt.Sprintf("%s requests of the candidate, so that enough were seen", judge.Rounded(float64(c.Needed)))
	}
	text := fmt.Sprintf("about %s requests of the candidate, %s more than were seen", judge.Rounded(float64(c.Needed)),
		judge.Rounded(float64(more)))
	begin := e.run.Status.StartedAt.Time
	if metric.InitialDelay != nil {
		begin = begin.Add(metric.InitialDelay.Duration)
	}
	took := c.Until.Sub(begin)
	if result.Phase.Ended() || c.Candidate.Total == 0 || took <= 0 {
		return text
	}
	left := time.Duration(float64(took) * float64(more) / float64(c.Candidate.Total))
	return text + ", which takes " + duration.HumanDuration(left) + " at this rate"
}

// values draws the last figures between the lowest and the highest of them.
func values(result *v1alpha1.MetricResult, ascii bool) string {
	var numbers []float64
	for _, m := range result.Measurements {
		if n, ok := numberOf(m); ok {
			numbers = append(numbers, n)
		}
	}
	if len(numbers) == 0 {
		return ""
	}
	low, high := numbers[0], numbers[0]
	for _, n := range numbers {
		low, high = min(low, n), max(high, n)
	}
	last := figure(numbers[len(numbers)-1])
	if len(numbers) == 1 {
		return last
	}
	return fmt.Sprintf("%s %s to %s, last %s", sparkline(numbers, low, high, len(numbers), ascii), figure(low), figure(high), last)
}

// numberOf is the figure of a measurement.
func numberOf(m v1alpha1.Measurement) (float64, bool) {
	n, err := strconv.ParseFloat(m.Value, 64)
	return n, err == nil
}

// figure writes a number with up to six digits.
func figure(n float64) string { return strconv.FormatFloat(n, 'g', 6, 64) }

// podsOf says what was counted of the candidate's pods.
func podsOf(p v1alpha1.PodCounts) string {
	return fmt.Sprintf("%d, with %d restarts, %d of them out of memory; %d in a crash loop, %d not ready", p.Pods, p.Restarts, p.OOMKills,
		p.CrashLooping, p.NotReady)
}

// missed are the outcomes of a measurement that gave no figure.
func missed(result *v1alpha1.MetricResult) []outcome {
	return slices.DeleteFunc(tally(result), func(o outcome) bool { return o.what != withoutData && o.what != unanswered })
}

// noLimit tolerates any number of bad measurements, or has none.
const noLimit = -1

// counts says how many measurements came to what, and how many bad ones are tolerated.
func counts(outcomes []outcome, limit int32) string {
	var out []string
	for _, o := range outcomes {
		if o.n == 0 {
			continue
		}
		text := fmt.Sprintf("%d %s", o.n, o.what)
		if o.what == bad && limit >= 0 {
			text += fmt.Sprintf(" (limit %d)", limit)
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}
