package render

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/trafficrouting"
)

// narrowest is the least number of characters of a column whose sentences are broken.
const narrowest = 20

// summary is what is worth knowing of a Rollout before its tree.
func summary(r *v1alpha1.Rollout, v View) string {
	rows := [][]Cell{
		{{Text: "Name:"}, {Text: r.Name + " (namespace " + r.Namespace + ")"}},
		{{Text: "Phase:"}, {Text: cell(string(r.Status.Phase)).Text, Style: phaseStyle(r.Status.Phase)}},
		{{Text: "Why:"}, {Text: why(r)}},
		{{Text: "Strategy:"}, {Text: strategy(r)}},
		{{Text: "Pods:"}, {Text: pods(r)}},
	}
	if changed := r.Status.State.Configuration; len(changed) > 0 {
		rows = append(rows, []Cell{{Text: "Because:"}, {Text: strings.Join(changed, " and ") + " changed"}})
	}
	if services := r.Spec.Services; services != nil {
		rows = append(rows, []Cell{{Text: "Services:"}, {Text: fmt.Sprintf("%s (active), %s (standby)",
			services.Active, services.StandbyName())}})
	}
	if routes := routes(r); routes != "" {
		rows = append(rows, []Cell{{Text: "Routes:"}, {Text: routes}})
	}
	if last := r.Status.LastCommand; last != nil {
		rows = append(rows, []Cell{{Text: "Command:"}, {Text: last.Message}})
	}
	table := Table{Palette: v.Palette}
	return table.Rows(broken(rows, v.Width))
}

// broken breaks the sentences in the last of several columns at a width, so that a narrow terminal shows all of them. All
// rows have the same number of columns.
func broken(rows [][]Cell, width int) [][]Cell {
	room := width
	for column := 0; len(rows) > 0 && column < len(rows[0])-1; column++ {
		widest := 0
		for _, row := range rows {
			widest = max(widest, row[column].width())
		}
		room -= widest + gap
	}
	// A narrow column of words is worse than a line that is cut.
	if room < narrowest {
		return rows
	}
	var out [][]Cell
	for _, row := range rows {
		last := row[len(row)-1]
		for i, line := range wrap(last.safe(), room) {
			next := make([]Cell, len(row))
			if i == 0 {
				copy(next, row)
			}
			next[len(row)-1] = Cell{Text: line, Style: last.Style}
			out = append(out, next)
		}
	}
	return out
}

// why is the sentence of the controller, with what it cannot say itself: that it has not seen the latest edit.
func why(r *v1alpha1.Rollout) string {
	message := cell(r.Status.Message).Text
	if r.Status.ObservedGeneration >= r.Generation && r.Status.Phase != "" {
		return message
	}
	if r.Status.Message == "" {
		return "the controller has not looked at it yet"
	}
	return message + " (the controller has not looked at the latest edit yet)"
}

// wrap breaks a text between words into lines of at most a width, but for a word that is longer than that.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) <= width:
			line += " " + word
		default:
			lines = append(lines, line)
			line = word
		}
	}
	return append(lines, line)
}

func strategy(r *v1alpha1.Rollout) string {
	out := []string{cell(r.Spec.StrategyName()).Text}
	if r.Status.Step != "" {
		out = append(out, "step "+r.Status.Step)
	}
	if r.Status.Weight != "" {
		out = append(out, percentage(r.Status.Weight)+" on the candidate")
	}
	if r.Status.Overlay != "" {
		out = append(out, "and "+r.Status.Overlay)
	}
	if r.Spec.Paused {
		out = append(out, "held by spec.paused")
	}
	return strings.Join(out, ", ")
}

func pods(r *v1alpha1.Rollout) string {
	return fmt.Sprintf("%d desired, %d current, %d updated, %d ready, %d available", r.Spec.ReplicasOrDefault(),
		r.Status.Replicas, r.Status.UpdatedReplicas, r.Status.ReadyReplicas, r.Status.AvailableReplicas)
}

func routes(r *v1alpha1.Rollout) string {
	if !r.Spec.UsesRoutes() {
		return ""
	}
	var out []string
	for _, route := range trafficrouting.RoutesOf(r.Namespace, &r.Spec) {
		name := route.Kind + "/" + route.Name
		if route.Template != nil {
			name += " (made of its template)"
		}
		out = append(out, name)
	}
	for _, selector := range trafficrouting.SelectorsOf(r.Namespace, &r.Spec) {
		out = append(out, selector.Kind+" with "+labels.FormatLabels(selector.Labels))
	}
	return strings.Join(out, ", ")
}
