package scenario

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What is wrong is told by file and line, with what to write instead.
func TestParseSaysWhatToWrite(t *testing.T) {
	const head = "# It shows something.\nstrategy canary\nstep weight 20\n"
	tests := map[string]struct{ text, want string }{
		"an unknown phase":         {head + "release v1\nuntil phase Fine", `x.txt:5: "Fine" does not fit after "phase": write Healthy, Progressing, Paused or Degraded`},
		"an unknown verb":          {head + "releases v1", `x.txt:4: "releases" does not fit: write until, expect, always, never, time`},
		"no comment":               {"strategy canary\nstep weight 20\nrelease v1", `x.txt:1: it does not say what it shows`},
		"no strategy":              {"# It shows something.\nrelease v1", `x.txt:2: there is no strategy`},
		"no story":                 {head, `x.txt: nothing happens`},
		"a setting of another one": {"# It shows something.\nstrategy recreate\nsurge 1\nrelease v1", `x.txt:3: only canary and rollingUpdate have this`},
		"an unknown part":          {"# It shows something.\nstrategy canary\nstep weight 20 wait 3s\nrelease v1", `x.txt:3: step: "wait" does not fit: write weight, replicas, match, mirror, pause, experiment, hold or analysis`},
		"something missing":        {head + "release", `x.txt:4: after "release" something is missing: write a version such as v2`},
		"something too much":       {head + "release v1 v2", `x.txt:4: "v2" does not fit after "release v1": write nothing`},
		"a step that is not there": {head + "release v1\nchange step 2 weight 30", `x.txt:5: there is no step 2: write 1 to 1`},
		"an open quotation mark":   {head + "release v1\nexpect message has \"no", `write the words between two quotation marks`},
		"too long without a clock": {head + "release v1\ntime passes 1m", `x.txt: 1m0s pass, for which nobody waits: write needs clock`},
		"a need that follows":      {"# It shows something.\nneeds pods\nstrategy canary\nstep weight 20\nrelease v1", `x.txt:2: write needs clock`},
		"a set-up that is late":    {head + "release v1\nreplicas 3", `x.txt:5: "replicas" does not fit`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("x.txt", tt.text)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestParse(t *testing.T) {
	s, err := Parse("folder/x.txt", `# It shows
# something.
needs clock
strategy canary
replicas 3
step weight 20 hold
step weight 12.5 replicas 2

release v1
change step 2 weight 60 pause 5s
change step weight 80
change no step 1
analysis fails
time passes 10m
`)
	if err != nil {
		t.Fatal(err)
	}
	if s.Name != "x" || s.About != "It shows something." {
		t.Errorf("name %q, about %q", s.Name, s.About)
	}
	if diff := cmp.Diff([]Need{NeedClock, NeedVerdicts}, s.Needs); diff != "" {
		t.Error(diff)
	}
	if *s.Spec.Replicas != 3 || s.Spec.Traffic == nil {
		t.Errorf("the set-up is %+v", s.Spec)
	}
	if diff := cmp.Diff([]string{"20", "12.5"}, weights(s.Lines[0].Event)); diff != "" {
		t.Errorf("the first release: %s", diff)
	}
	if diff := cmp.Diff([]string{"60", "80"}, weights(s.Lines[3].Event)); diff != "" {
		t.Errorf("after the changes: %s", diff)
	}
}

func weights(e Event) []string {
	var out []string
	for _, step := range e.Spec.Strategy.Canary.Steps {
		out = append(out, step.Weight.String())
	}
	return out
}
