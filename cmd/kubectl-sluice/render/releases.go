package render

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// releases are the releases of a Rollout that have ended, the newest first; empty when there is none.
func releases(r *v1alpha1.Rollout, now time.Time, palette Palette) string {
	if len(r.Status.History) == 0 {
		return ""
	}
	rows := [][]Cell{headings("RELEASE", "REVISION", "OUTCOME", "REASON", "STEP", "TRAFFIC", "PODS", "ANALYSES", "TOOK", "ENDED")}
	for i := range r.Status.History {
		rows = append(rows, release(&r.Status.History[i], now))
	}
	table := Table{Palette: palette}
	return table.Rows(rows)
}

// release is a row of one: the share and the pods are the largest that it had.
func release(r *v1alpha1.ReleaseRecord, now time.Time) []Cell {
	style := Plain
	if r.Outcome == v1alpha1.OutcomeAborted {
		style = Bad
	}
	share := ""
	if r.MostWeight != "" {
		share = percentage(r.MostWeight)
	}
	took := duration.HumanDuration(max(r.EndedAt.Sub(r.StartedAt.Time), 0))
	return []Cell{
		cell(strconv.Itoa(int(r.Attempt))),
		cell(r.Revision),
		{Text: string(r.Outcome), Style: style},
		cell(r.Reason),
		cell(r.Step),
		cell(share),
		{Text: strconv.Itoa(int(r.MostAvailable))},
		cell(verdicts(r.Analyses)),
		{Text: took},
		{Text: duration.HumanDuration(max(now.Sub(r.EndedAt.Time), 0)) + " ago"},
	}
}

// verdicts writes how analyses ended: "2 passed, 1 failed".
func verdicts(counts *v1alpha1.VerdictCounts) string {
	if counts == nil {
		return ""
	}
	var out []string
	for _, c := range []struct {
		n    int32
		word string
	}{{counts.Passed, "passed"}, {counts.Failed, "failed"}, {counts.Inconclusive, "inconclusive"}} {
		if c.n > 0 {
			out = append(out, fmt.Sprintf("%d %s", c.n, c.word))
		}
	}
	return strings.Join(out, ", ")
}
