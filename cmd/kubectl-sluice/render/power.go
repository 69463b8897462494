package render

import (
	"fmt"
	"math"
	"strconv"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/controller/planner/forecast"
)

// Power shows what a ratio of a template would find: a row for each harm, and the least that it finds.
func Power(template string, f analysis.Foresight, traffic analysis.Traffic) string {
	table := Table{}
	rows := [][]Cell{headings("CANDIDATE", "BAD", "FOUND", "AFTER", "AT")}
	for _, p := range f.Prospects {
		row := []Cell{{Text: factor(p.Factor)}, {Text: percent(p.Factor * traffic.Bad)}, {Text: odds(p.Odds)}}
		if p.Even > 0 {
			row = append(row, Cell{Text: forecast.Short(p.Even)}, Cell{Text: percent(p.Share)})
		}
		rows = append(rows, row)
	}
	least := "It finds no harm with odds of 80%."
	if !math.IsInf(f.Detectable, 1) {
		least = fmt.Sprintf("It finds %s and more with odds of 80%%.", factor(f.Detectable))
	}
	return fmt.Sprintf("%s of %s, for %s at %s requests a second, with %s bad on stable\n\n%s\n%s AFTER is when the odds are even.\n",
		oneLine(f.Metric), oneLine(template), forecast.Short(f.Lasts), strconv.FormatFloat(traffic.Rate, 'f', -1, 64),
		percent(traffic.Bad), table.Rows(rows), least)
}

// factor writes how many times as much: ×1.5, ×12.
func factor(n float64) string {
	if n >= 10 {
		return "×" + strconv.FormatFloat(n, 'f', 0, 64)
	}
	return "×" + strconv.FormatFloat(n, 'g', 2, 64)
}

// percent writes a share with up to three digits: 0.15%, 12.5%.
func percent(share float64) string { return strconv.FormatFloat(share*100, 'g', 3, 64) + "%" }

// odds writes how likely something is. Nothing is certain before it happens.
func odds(p float64) string {
	switch {
	case p < 0.005:
		return "<1%"
	case p > 0.995:
		return ">99%"
	}
	return fmt.Sprintf("%.0f%%", 100*p)
}
