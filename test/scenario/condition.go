package scenario

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Condition is something that a picture shows or does not show.
type Condition struct {
	// Text is the condition as it was written.
	Text string
	// check returns what is seen, for a message, and whether it is what the condition says. It is also given the picture
	// of the last note.
	check func(now, noted Picture) (seen string, holds bool)
}

// Holds says whether a picture is as the condition says, given the picture of the last note; seen is what it shows instead.
func (c Condition) Holds(now, noted Picture) (seen string, holds bool) { return c.check(now, noted) }

// field makes a form of a condition on one text of a picture.
func field(words, about string, get func(Picture) string) form[Condition] {
	return form[Condition]{words: words, about: about, make: func(g gaps) (Condition, error) {
		return Condition{check: func(now, _ Picture) (string, bool) {
			got := get(now)
			return fmt.Sprintf("%q", got), got == g.word(0)
		}}, nil
	}}
}

// looked makes a form of a condition that cannot be wrong.
func looked(words, about string, check func(g gaps, now, noted Picture) (string, bool)) form[Condition] {
	return form[Condition]{words: words, about: about, make: func(g gaps) (Condition, error) {
		return Condition{check: func(now, noted Picture) (string, bool) { return check(g, now, noted) }}, nil
	}}
}

// conditions are the sentences after until, expect, always and never.
func conditions() []form[Condition] {
	return slices.Concat(conditionsOfStatus(), conditionsOfPods(), conditionsOfTraffic(), conditionsOfRecords())
}

func conditionsOfStatus() []form[Condition] {
	return []form[Condition]{
		field("phase <phase>", "status.phase", func(p Picture) string { return p.Phase }),
		field("reason <reason>", "the reason of the condition Ready", func(p Picture) string { return p.Reason }),
		field("step <step>", "status.step", func(p Picture) string { return p.Step }),
		field("stable <version>", "the revision that was promoted last", func(p Picture) string { return p.Stable }),
		field("candidate <version>", "the revision under release, or the aborted one", func(p Picture) string { return p.Candidate }),
		looked("no candidate", "no release is under way, nor was one aborted", func(_ gaps, now, _ Picture) (string, bool) {
			return now.Candidate, now.Candidate == ""
		}),
		looked("message has <text>", "the words stand in status.message", func(g gaps, now, _ Picture) (string, bool) {
			return fmt.Sprintf("%q", now.Message), strings.Contains(now.Message, g.word(0))
		}),
		looked("condition <type> <truth>", "a condition of the status", func(g gaps, now, _ Picture) (string, bool) {
			got := now.Conditions[g.word(0)]
			return fmt.Sprintf("%q", got), got == g.word(1)
		}),
		looked("counters replicas <count> updated <count> available <count>", "the counters of the status", func(g gaps, now, _ Picture) (string, bool) {
			return fmt.Sprintf("replicas %d updated %d available %d", now.Replicas, now.Updated, now.Available),
				now.Replicas == g.number(0) && now.Updated == g.number(1) && now.Available == g.number(2)
		}),
		looked("weight <percent>", "of the standby Service in the route, or, without one, of the candidate in the status", func(g gaps, now, _ Picture) (string, bool) {
			return number(now.Weight), near(now.Weight, g.percent(0))
		}),
	}
}

// byVersion makes a form of a condition on figures of every version: those that it does not name have none.
func byVersion(words, about string, get func(Picture) map[string]float64) form[Condition] {
	return form[Condition]{words: words + " <versions>", about: about, make: func(g gaps) (Condition, error) {
		want, err := readVersions(g[0])
		return Condition{check: func(now, _ Picture) (string, bool) {
			got := get(now)
			same := !slices.ContainsFunc(slices.Concat(slices.Collect(maps.Keys(got)), slices.Collect(maps.Keys(want))),
				func(version string) bool { return !near(got[version], want[version]) })
			return figures(got), same
		}}, err
	}}
}

// readVersions reads "v1 3 v2 1", and "none".
func readVersions(words []string) (map[string]float64, error) {
	out := map[string]float64{}
	if len(words) == 1 && words[0] == "none" {
		return out, nil
	}
	for len(words) > 0 {
		found, _, write := match("<arm> <percent>", words[:min(2, len(words))])
		if write != "" {
			return nil, fmt.Errorf("%q: write versions, or baseline, and their figures, such as v1 3 v2 1, or none", strings.Join(words, " "))
		}
		out[found.word(0)] = found.percent(1)
		words = words[2:]
	}
	return out, nil
}

// Where two forms begin with the same words, the one whose gap takes all that is left comes last.

func conditionsOfPods() []form[Condition] {
	return []form[Condition]{
		byVersion("ready", "ready pods by version", readyOf),
		looked("at least <count> ready", "ready pods of all versions together", func(g gaps, now, _ Picture) (string, bool) {
			return figures(readyOf(now)), sum(readyOf(now)) >= float64(g.number(0))
		}),
		looked("at most <count> pods", "pods of all versions together", func(g gaps, now, _ Picture) (string, bool) {
			total := 0
			for _, names := range now.Pods {
				total += len(names)
			}
			return fmt.Sprintf("%d pods", total), total <= int(g.number(0))
		}),
		looked("pods of two versions", "pods of more than one version exist", func(_ gaps, now, _ Picture) (string, bool) {
			versions := 0
			for _, names := range now.Pods {
				if len(names) > 0 {
					versions++
				}
			}
			return fmt.Sprintf("pods of %d versions", versions), versions > 1
		}),
		looked("role of <version> <word>", "the label role of every pod of the version", func(g gaps, now, _ Picture) (string, bool) {
			return fmt.Sprintf("%q", now.Roles[g.word(0)]), now.Roles[g.word(0)] == g.word(1)
		}),
		looked("same pods of <arm>", "every pod of the version that there was at the last note is still there", func(g gaps, now, noted Picture) (string, bool) {
			gone := slices.DeleteFunc(slices.Clone(noted.Pods[g.word(0)]), func(name string) bool {
				return slices.Contains(now.Pods[g.word(0)], name)
			})
			return fmt.Sprintf("%v are gone", gone), len(gone) == 0
		}),
		looked("other pods of <arm>", "no pod of the version that there was at the last note is there, and there are others", func(g gaps, now, noted Picture) (string, bool) {
			left := slices.DeleteFunc(slices.Clone(now.Pods[g.word(0)]), func(name string) bool {
				return !slices.Contains(noted.Pods[g.word(0)], name)
			})
			return fmt.Sprintf("%v of %v are still there", left, now.Pods[g.word(0)]), len(left) == 0 && len(now.Pods[g.word(0)]) > 0
		}),
		looked("pods that read <word> <count>", "ready pods whose ConfigMap says the word", func(g gaps, now, _ Picture) (string, bool) {
			return fmt.Sprint(now.Reads), now.Reads[g.word(0)] == int(g.number(1))
		}),
		looked("pods lack nothing", "the ConfigMap that each pod reads is there", func(_ gaps, now, _ Picture) (string, bool) {
			return fmt.Sprintf("%v lack theirs", now.Lacking), len(now.Lacking) == 0
		}),
		looked("copies <count>", "copies of the ConfigMap", func(g gaps, now, _ Picture) (string, bool) {
			return fmt.Sprint(now.Copies), now.Copies == int(g.number(0))
		}),
		looked("revisions are apart", "every ReplicaSet keeps its pods away from those of others", func(_ gaps, now, _ Picture) (string, bool) {
			return fmt.Sprint(now.Apart), now.Apart
		}),
		looked("Deployment asks for <count>", "its replicas", func(g gaps, now, _ Picture) (string, bool) {
			return fmt.Sprint(now.Deployed), now.Deployed == g.number(0)
		}),
		byVersion("pods", "pods by version, but for those being deleted: `pods v1 3 v2 1`, `pods none`", func(p Picture) map[string]float64 {
			out := map[string]float64{}
			for version, names := range p.Pods {
				out[version] = float64(len(names))
			}
			return out
		}),
	}
}

func conditionsOfTraffic() []form[Condition] {
	return []form[Condition]{
		looked("traffic reaches <arm>", "the version, or the baseline of an experiment, gets a share, however small", func(g gaps, now, _ Picture) (string, bool) {
			return figures(now.Traffic), now.Traffic[g.word(0)] > 0
		}),
		looked("traffic is lost", "a share goes where no pod is ready", func(_ gaps, now, _ Picture) (string, bool) {
			return number(now.Lost) + " % are lost", now.Lost > 0
		}),
		byVersion("matched traffic", "the same of requests that a step matches: the share of the others when none does", func(p Picture) map[string]float64 {
			return p.Matched
		}),
		looked("mirrored <percent>", "of so many requests the standby Service gets a copy", func(g gaps, now, _ Picture) (string, bool) {
			return number(now.Copied), near(now.Copied, g.percent(0))
		}),
		looked("route as it was", "before the first release: its rules, filters, backends and weights", func(_ gaps, now, _ Picture) (string, bool) {
			return "something else", now.Untouched
		}),
		byVersion("traffic", "the share of every version by routes, selectors and ready endpoints: `traffic v1 75 v2 25`", func(p Picture) map[string]float64 {
			return p.Traffic
		}),
	}
}

func conditionsOfRecords() []form[Condition] {
	return []form[Condition]{
		{words: "history <releases>", about: "the last releases, newest first, with the reason where it matters: `history Aborted v2 AnalysisFailed, Promoted v1`", make: historyIs},
		looked("same release", "no release has begun since the last note", func(_ gaps, now, noted Picture) (string, bool) {
			return fmt.Sprintf("release %d after %d", now.Attempt, noted.Attempt), now.Attempt == noted.Attempt
		}),
		looked("command accepted", "the last command was carried out", func(_ gaps, now, _ Picture) (string, bool) {
			return now.Command.Message, now.Command.Accepted
		}),
		looked("command refused", "the last command was not carried out, and the answer says why", func(_ gaps, now, _ Picture) (string, bool) {
			return now.Command.Message, !now.Command.Accepted && now.Command.Message != ""
		}),
		looked("answer has <text>", "the words stand in the answer to the last command", func(g gaps, now, _ Picture) (string, bool) {
			return fmt.Sprintf("%q", now.Command.Message), strings.Contains(now.Command.Message, g.word(0))
		}),
		looked("analysis <gate> <verdict>", "the phase of the analysis of a gate of this release; none when there is none", func(g gaps, now, _ Picture) (string, bool) {
			got := now.Analyses[g.word(0)]
			if got == "" {
				got = "none"
			}
			return got, got == g.word(1)
		}),
		{words: "there is no <object>", about: "it does not exist", make: func(g gaps) (Condition, error) { return existing(g[0], false) }},
		{words: "there is <object>", about: "it exists", make: func(g gaps) (Condition, error) { return existing(g[0], true) }},
	}
}

func existing(words []string, want bool) (Condition, error) {
	object, err := readObject(words)
	return Condition{check: func(now, _ Picture) (string, bool) {
		return fmt.Sprintf("there are %v", slices.Sorted(maps.Keys(now.Objects))), now.Objects[object.String()] == want
	}}, err
}

// historyIs reads releases that have ended, newest first: an outcome, a version and, where it matters, a reason.
func historyIs(g gaps) (Condition, error) {
	var want []Ended
	for _, part := range strings.Split(strings.Join(g[0], " "), ",") {
		words := strings.Fields(part)
		if len(words) == 2 {
			words = append(words, "")
		}
		if len(words) != 3 || !slices.Contains([]string{"Promoted", "Aborted", "Superseded", "Returned"}, words[0]) {
			return Condition{}, fmt.Errorf("%q is no release: write an outcome, a version and perhaps a reason, such as Aborted v2 AnalysisFailed", part)
		}
		want = append(want, Ended{Outcome: words[0], Version: words[1], Reason: words[2]})
	}
	return Condition{check: func(now, _ Picture) (string, bool) {
		holds := len(now.History) >= len(want)
		for i := 0; holds && i < len(want); i++ {
			got := now.History[i]
			holds = got.Outcome == want[i].Outcome && got.Version == want[i].Version && (want[i].Reason == "" || got.Reason == want[i].Reason)
		}
		return fmt.Sprint(now.History), holds
	}}, nil
}

func readyOf(p Picture) map[string]float64 {
	out := map[string]float64{}
	for version, n := range p.Ready {
		out[version] = float64(n)
	}
	return out
}

func sum(of map[string]float64) (total float64) {
	for _, n := range of {
		total += n
	}
	return total
}

// near says whether two percentages are the same as far as a route can tell them apart.
func near(a, b float64) bool { return math.Abs(a-b) < 0.06 }

func number(f float64) string { return strconv.FormatFloat(math.Round(f*10)/10, 'f', -1, 64) }

// figures writes figures as a scenario does.
func figures(of map[string]float64) string {
	var parts []string
	for _, version := range slices.Sorted(maps.Keys(of)) {
		if of[version] != 0 {
			parts = append(parts, version+" "+number(of[version]))
		}
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, " ")
}
