package judge

import (
	"math"
	"testing"
	"time"
)

func TestState(t *testing.T) {
	whole := Answer{
		Age: 40 * time.Second, Lag: 30 * time.Second, Scrape: 5 * time.Second, Weight: 0.1,
		Batch: batch([4]float64{1, 100, 9, 900}),
	}
	for _, row := range []struct {
		name   string
		change func(*Answer)
		want   State
	}{
		{"both counted", func(*Answer) {}, Ok},
		{"old", func(a *Answer) { a.Age++ }, Stale},
		{"an error", func(a *Answer) { a.Failed, a.Partial = true, true }, SourceError},
		{"no numbers", func(a *Answer) { a.Batch.Stable.Bad = math.NaN() }, SourceError},
		{"warned", func(a *Answer) { a.Partial, a.Age = true, time.Hour }, Partial},
		{"several series", func(a *Answer) { a.Ambiguous, a.Partial = true, true }, Ambiguous},
		{"no candidate", func(a *Answer) { a.Batch.Candidate = Arm{} }, NoCanaryTraffic},
		{"no candidate, at weight 0", func(a *Answer) { a.Batch.Candidate, a.Weight = Arm{}, 0 }, Ok},
		{"no candidate for an objective", func(a *Answer) { a.Batch, a.Objective = Batch{}, true }, NoCanaryTraffic},
		{"no stable", func(a *Answer) { a.Batch.Stable = Arm{} }, NoBaseline},
		{"no stable for an objective", func(a *Answer) { a.Batch.Stable, a.Objective = Arm{}, true }, Ok},
		{"nobody", func(a *Answer) { a.Batch = Batch{} }, NoBaseline},
	} {
		t.Run(row.name, func(t *testing.T) {
			answer := whole
			row.change(&answer)
			if got := answer.State(); got != row.want {
				t.Errorf("%s, want %s", got, row.want)
			}
		})
	}
}

func TestReact(t *testing.T) {
	limited := Policy{
		OnFailed:       Reaction{Do: Hold, For: time.Hour, Then: Abort},
		OnInconclusive: Reaction{Do: Continue},
		OnError:        Reaction{Do: Hold, For: 10 * time.Minute, Then: Continue},
	}
	for _, row := range []struct {
		name    string
		policy  Policy
		verdict Verdict
		state   State
		held    time.Duration
		want    Action
		changes time.Duration
	}{
		{"harm", DefaultPolicy(), Failed, Ok, 0, Abort, 0},
		{"harm without figures", DefaultPolicy(), Failed, SourceError, time.Hour, Abort, 0},
		{"good", DefaultPolicy(), Passed, Stale, 0, Continue, 0},
		{"nothing yet", DefaultPolicy(), Undecided, Ok, time.Hour, Hold, 0},
		{"too little", DefaultPolicy(), Inconclusive, Ok, 100 * time.Hour, Hold, 0},
		{"no figures", DefaultPolicy(), Undecided, NoBaseline, 100 * time.Hour, Hold, 0},
		{"harm, held", limited, Failed, Ok, 20 * time.Minute, Hold, 40 * time.Minute},
		{"harm, held long enough", limited, Failed, Ok, time.Hour, Abort, 0},
		{"too little, and on", limited, Inconclusive, Ok, 0, Continue, 0},
		{"no figures, held", limited, Undecided, Partial, 9 * time.Minute, Hold, time.Minute},
		{"no figures, held long enough", limited, Undecided, NoCanaryTraffic, 11 * time.Minute, Continue, 0},
		{"nothing yet, with figures", limited, Undecided, Ok, time.Hour, Hold, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, changes := row.policy.React(row.verdict, row.state, row.held)
			if got != row.want || changes != row.changes {
				t.Errorf("%s, changes after %s; want %s, %s", got, changes, row.want, row.changes)
			}
		})
	}
}

func TestPolicyCheck(t *testing.T) {
	for _, row := range []struct {
		name     string
		reaction Reaction
		ok       bool
	}{
		{"abort", Reaction{Do: Abort}, true},
		{"hold", Reaction{Do: Hold}, true},
		{"hold and go on", Reaction{Do: Hold, For: time.Minute, Then: Continue}, true},
		{"nothing", Reaction{}, false},
		{"unknown", Reaction{Do: "Rollback"}, false},
		{"abort later", Reaction{Do: Abort, For: time.Minute}, false},
		{"hold, with no time", Reaction{Do: Hold, Then: Abort}, false},
		{"hold, with no end", Reaction{Do: Hold, For: time.Minute}, false},
		{"hold and hold", Reaction{Do: Hold, For: time.Minute, Then: Hold}, false},
		{"a time before", Reaction{Do: Hold, For: -time.Minute, Then: Abort}, false},
	} {
		for i := range 3 {
			policy := DefaultPolicy()
			*[]*Reaction{&policy.OnFailed, &policy.OnInconclusive, &policy.OnError}[i] = row.reaction
			if err := policy.Check(); (err == nil) != row.ok {
				t.Errorf("%s: error %v, want none: %v", row.name, err, row.ok)
			}
		}
	}
}
