//go:build apiserver

package faults_test

import (
	"testing"
	"time"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/apiserver/live"
	"github.com/sluice-dev/sluice/test/apiserver/proxy"
)

// storm is how long a fault lasts.
const storm = 4 * time.Second

// Nothing that the API server or the way to it does for a while makes the controllers lose a step, an abort or a pause, or
// ask without end. What a person asks for in the middle happens afterwards.
func TestStorms(t *testing.T) {
	writes := []string{"create", "update", "patch", "delete"}
	tests := map[string]struct {
		faults []proxy.Fault
		// most is how many requests the storm may take, at the most.
		most int
	}{
		"writes of the route conflict":  {faults: []proxy.Fault{{Verbs: writes, Resources: []string{"httproutes"}, Answer: proxy.Conflict()}}, most: 80},
		"writes of the status conflict": {faults: []proxy.Fault{{Verbs: writes, Resources: []string{"rollouts/status"}, Answer: proxy.Conflict()}}, most: 80},
		"too many requests":             {faults: []proxy.Fault{{Answer: proxy.TooManyRequests(time.Second)}}, most: 80},
		"unavailable":                   {faults: []proxy.Fault{{Answer: proxy.Unavailable()}}, most: 80},
		"slow":                          {faults: []proxy.Fault{{Delay: time.Second}}, most: 80},
		"connections break":             {faults: []proxy.Fault{{Reset: true}}, most: 80},
		"answers are lost": {faults: []proxy.Fault{
			{Verbs: writes, Resources: []string{"httproutes"}, Times: 3, Lose: true},
			{Verbs: writes, Resources: []string{"replicasets"}, Times: 3, Lose: true},
			{Verbs: writes, Resources: []string{"rollouts/status"}, Times: 3, Lose: true},
		}, most: 120},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, p := behindProxy(t)
			atFirstStep(w)
			weather(w, p, tt.faults, tt.most, v1alpha1.ActionPromote)
			over := time.Now()
			w.Reaches("the second step", func(s *v1alpha1.RolloutStatus) bool { return s.State.Step > 0 })
			t.Logf("%.1f s after the storm, the promotion was heard of", time.Since(over).Seconds())
			w.Reaches("the last step", atLastStep)
			weather(w, p, tt.faults, tt.most, v1alpha1.ActionAbort)
			over = time.Now()
			w.Eventually("no traffic", func() (bool, string) { return w.Weight() == 0, w.Rollout().Status.Message })
			t.Logf("%.1f s after the storm, the abort had taken the traffic back", time.Since(over).Seconds())
			aborts(w)
			newTape(w).wantSafe()
		})
	}
}

// weather lets a storm blow, and gives a command in the middle of it.
func weather(w *live.World, p *proxy.Proxy, faults []proxy.Fault, most int, action string) {
	w.T.Helper()
	before := len(p.Requests(nil))
	for _, fault := range faults {
		end := p.Inject(fault)
		defer end()
	}
	p.Break() // what is open already would not notice
	elapse(storm / 4)
	w.Command(action)
	elapse(storm * 3 / 4)
	n := len(p.Requests(nil)) - before
	w.T.Logf("%d requests in %s of storm", n, storm)
	if n > most {
		w.T.Errorf("%d requests in %s of storm, want at most %d: %v", n, storm, most, p.Requests(nil)[before:])
	}
}
