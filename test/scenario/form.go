package scenario

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// form is a sentence of the language with gaps: "command <action> of <version>".
type form[T any] struct {
	words string
	about string
	need  Need
	// make reads what stood in the gaps. A gap that has matched can be read.
	make func(gaps gaps) (T, error)
}

// gaps are the words that stood in the gaps of a form, in order.
type gaps [][]string

func (g gaps) word(i int) string { return g[i][0] }

func (g gaps) number(i int) int32 {
	n, _ := strconv.ParseInt(g.word(i), 10, 32)
	return int32(n)
}

// duration is the one gap of a form with a duration.
func (g gaps) duration() time.Duration {
	d, _ := time.ParseDuration(g.word(0))
	return d
}

func (g gaps) percent(i int) float64 {
	f, _ := strconv.ParseFloat(g.word(i), 64)
	return f
}

// gap is a kind of gap: what may stand in it, and how to say so.
type gap struct {
	pattern string
	write   string
}

// fits says whether a word may stand there. Without a pattern there is no gap, but the one word.
func (g gap) fits(word string) bool {
	if g.pattern == "" {
		return word == g.write
	}
	return regexp.MustCompile(`^(` + g.pattern + `)$`).MatchString(word)
}

// gapKinds are the gaps of one word; every other name in angle brackets is a gap for all the words that are left.
func gapKinds() map[string]gap {
	return map[string]gap{
		"<version>":  {`v[0-9]+`, "a version such as v2"},
		"<arm>":      {`v[0-9]+|baseline`, "a version such as v2, or baseline"},
		"<count>":    {`[0-9]{1,6}`, "a number such as 4"},
		"<percent>":  {`[0-9]{1,3}(\.[0-9])?`, "a percentage without its sign, such as 25 or 12.5"},
		"<limit>":    {`[0-9]{1,6}%?`, "a number or a percentage, such as 1 or 25%"},
		"<duration>": {`([0-9]+(h|m|s|ms))+`, "a duration such as 30s or 1h30m"},
		"<step>":     {`[0-9]{1,2}/[0-9]{1,2}`, "a step of all steps, such as 2/3"},
		"<strategy>": {`canary|blueGreen|rollingUpdate|recreate`, "canary, blueGreen, rollingUpdate or recreate"},
		"<action>":   {`promote|promote-full|abort|retry|restart|skip-step`, "promote, promote-full, abort, retry, restart or skip-step"},
		"<phase>":    {`Healthy|Progressing|Paused|Degraded`, "Healthy, Progressing, Paused or Degraded"},
		"<verdict>":  {`Pending|Running|Passed|Failed|Inconclusive|Stopped|none`, "Running, Passed, Failed, Inconclusive, Stopped or none"},
		"<gate>":     {`step-[0-9]+|background|pre-promotion|post-promotion`, "step-1, background, pre-promotion or post-promotion"},
		"<type>":     {`Ready|Reconciling|Stalled|Available`, "Ready, Reconciling, Stalled or Available"},
		"<truth>":    {`True|False`, "True or False"},
		"<reason>":   {`[A-Z][A-Za-z]+`, "a reason such as AwaitingPromotion"},
		"<when>":     {`OnSuccess|Progressively`, "OnSuccess or Progressively"},
		"<word>":     {`[a-z]+`, "a word"},
		"<text>":     {`.+`, "words between quotation marks"},
	}
}

// match fills the gaps of a form with words. It returns how many of the words it had understood before one did not fit,
// and what to write instead of that one.
func match(form string, words []string) (found gaps, understood int, instead string) {
	kinds := gapKinds()
	parts := strings.Fields(form)
	for i, part := range parts {
		kind, known := kinds[part]
		if !known {
			kind.write = part
		}
		switch {
		case i >= len(words):
			return nil, i, kind.write
		case !known && strings.HasPrefix(part, "<"):
			return append(found, words[i:]), len(words), ""
		case !kind.fits(words[i]):
			return nil, i, kind.write
		case known:
			found = append(found, words[i:i+1])
		}
	}
	if len(words) > len(parts) {
		return nil, len(parts), "nothing"
	}
	return found, len(words), ""
}

// read finds the form that fits the words. The error names what would have fitted where the first word did not.
func read[T any](forms []form[T], words []string) (made T, need Need, err error) {
	var zero T
	furthest, instead := 0, []string(nil)
	for _, f := range forms {
		found, understood, write := match(f.words, words)
		if write == "" {
			made, err = f.make(found)
			return made, f.need, err
		}
		if understood > furthest {
			furthest, instead = understood, nil
		}
		if understood == furthest && !slices.Contains(instead, write) {
			instead = append(instead, write)
		}
	}
	if furthest == len(words) {
		return zero, "", fmt.Errorf("after %q something is missing: write %s", strings.Join(words, " "), alternatives(instead))
	}
	after := ""
	if furthest > 0 {
		after = fmt.Sprintf(" after %q", strings.Join(words[:furthest], " "))
	}
	return zero, "", fmt.Errorf("%q does not fit%s: write %s", words[furthest], after, alternatives(instead))
}

func alternatives(list []string) string {
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:len(list)-1], ", ") + " or " + list[len(list)-1]
}

// split takes a line apart. What stands between quotation marks is one word.
func split(line string) ([]string, error) {
	var words []string
	for rest := strings.TrimSpace(line); rest != ""; rest = strings.TrimSpace(rest) {
		if !strings.HasPrefix(rest, `"`) {
			word, after, _ := strings.Cut(rest, " ")
			words, rest = append(words, word), after
			continue
		}
		text, after, closed := strings.Cut(rest[1:], `"`)
		if !closed || text == "" {
			return nil, fmt.Errorf(`%s: write the words between two quotation marks, such as "no progress"`, rest)
		}
		words, rest = append(words, text), after
	}
	return words, nil
}
