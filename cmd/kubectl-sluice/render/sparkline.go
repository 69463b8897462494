package render

import (
	"math"
	"strings"
)

// marks are the heights of a sparkline, the lowest first.
func marks(ascii bool) []rune {
	if ascii {
		return []rune("_.:-=+*#")
	}
	return []rune("▁▂▃▄▅▆▇█")
}

// sparkline draws numbers one after another: low is the lowest mark, high the highest, and what lies beyond is drawn as
// they are. It has at most so many characters: neighbours that do not fit share one, which shows the higher of them. Where
// low is high all marks are in the middle.
func sparkline(numbers []float64, low, high float64, width int, ascii bool) string {
	var out strings.Builder
	heights := marks(ascii)
	for _, n := range fit(numbers, width) {
		part := 0.5
		if high > low {
			part = (n - low) / (high - low)
		}
		at := int(math.Round(part * float64(len(heights)-1)))
		out.WriteRune(heights[min(max(at, 0), len(heights)-1)])
	}
	return out.String()
}

// fit takes the highest of each few neighbours, until there are no more than a width.
func fit(numbers []float64, width int) []float64 {
	width = max(width, 1)
	if len(numbers) <= width {
		return numbers
	}
	var out []float64
	for i := range width {
		from, to := i*len(numbers)/width, (i+1)*len(numbers)/width
		highest := numbers[from]
		for _, n := range numbers[from:to] {
			highest = max(highest, n)
		}
		out = append(out, highest)
	}
	return out
}

// plain writes in ASCII what the texts of this package and the messages of Sluice hold beside it.
func plain(text string) string {
	return strings.NewReplacer("×", "x", "–", "-", "…", "...", "∞", "inf", "α", "alpha", "β", "beta").Replace(text)
}
