package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
	"github.com/sluice-dev/sluice/trafficrouting"
	"github.com/sluice-dev/sluice/trafficrouting/probe"
)

// ProbeFunc begins to ask questions, and does not wait: done is called once, by another goroutine or later, with a count for each.
// It is not called any more once end was.
type ProbeFunc func(questions []probe.Question, done func([]probe.Count)) (end func())

// AskBeside is the ProbeFunc that asks, one question after another, until ctx ends.
func AskBeside(ctx context.Context, ask func(context.Context, probe.Question) probe.Count) ProbeFunc {
	return func(questions []probe.Question, done func([]probe.Count)) func() {
		ctx, end := context.WithCancel(ctx)
		go func() {
			defer end()
			counts := make([]probe.Count, len(questions))
			for i, q := range questions {
				counts[i] = ask(ctx, q)
			}
			if ctx.Err() == nil {
				done(counts)
			}
		}()
		return end
	}
}

// probes remembers what probes have found, by Rollout. It is no memory that a decision needs: what is lost with the process is
// asked again.
type probes struct {
	begin ProbeFunc
	// wake has a Rollout looked at again.
	wake  func(types.NamespacedName)
	clock clock.PassiveClock

	mu sync.Mutex
	of map[types.NamespacedName]*underway
}

// underway is the last probe of a Rollout.
type underway struct {
	planner.Probe
	end func()
}

// last is the last probe of a Rollout; nil for none.
func (p *probes) last(rollout types.NamespacedName) *planner.Probe {
	p.mu.Lock()
	defer p.mu.Unlock()
	if u := p.of[rollout]; u != nil {
		out := u.Probe
		return &out
	}
	return nil
}

// forget ends the probe of a Rollout that has no use for it any more.
func (p *probes) forget(rollout types.NamespacedName) {
	p.mu.Lock()
	u := p.of[rollout]
	delete(p.of, rollout)
	p.mu.Unlock()
	u.stop()
}

func (u *underway) stop() {
	if u != nil && u.end != nil {
		u.end()
	}
}

// start puts a probe in the place of the last one, and remembers how that ended if it was about the same traffic.
func (p *probes) start(rollout types.NamespacedName, of planner.Probed) *underway {
	p.mu.Lock()
	defer p.mu.Unlock()
	last, u := p.of[rollout], &underway{Probe: planner.Probe{Of: of, Running: true}}
	if last != nil && last.Of.Same(of) {
		u.Failed, u.Message, u.EndedAt = last.Failed, last.Message, last.EndedAt
	}
	if p.of == nil {
		p.of = map[types.NamespacedName]*underway{}
	}
	p.of[rollout] = u
	last.stop()
	return u
}

// finish remembers what a probe has found, unless another has taken its place, and has the Rollout looked at.
func (p *probes) finish(rollout types.NamespacedName, u *underway, v probe.Verdict) {
	p.mu.Lock()
	current := p.of[rollout] == u
	if current {
		u.Running, u.Confirmed, u.Message, u.EndedAt = false, v.Confirmed, v.Message, p.clock.Now().Truncate(time.Microsecond)
		if !v.Confirmed {
			u.Failed++
		}
	}
	p.mu.Unlock()
	if current && p.wake != nil {
		p.wake(rollout)
	}
}

// observeProbe reads what is known of the probe that a release waits for, and ends one that none waits for.
func (r *Reconciler) observeProbe(_ context.Context, w *world) error {
	key, state := client.ObjectKeyFromObject(w.rollout), w.snapshot.State
	if state.Stage != v1alpha1.StageStepping || !state.GatesAt.IsZero() || w.rollout.DeletionTimestamp != nil {
		r.probes.forget(key)
		return nil
	}
	last := r.probes.last(key)
	if last != nil && (last.Of.Attempt != state.Attempt || last.Of.Step != state.Step || last.Of.Round != state.Round) {
		r.probes.forget(key)
		return nil
	}
	w.snapshot.Probe = last
	return nil
}

// probeShare begins a probe. What stands in its way is what it has found.
func (r *Reconciler) probeShare(ctx context.Context, w *world, a planner.ProbeShare) error {
	key := client.ObjectKeyFromObject(w.rollout)
	questions, err := r.questions(ctx, w, a)
	var none *trafficrouting.RouteError
	switch {
	case errors.As(err, &none):
		r.probes.finish(key, r.probes.start(key, a.Of), probe.Verdict{Message: none.Message})
		return nil
	case err != nil:
		return err
	}
	u := r.probes.start(key, a.Of)
	end := r.probes.begin(questions, func(counts []probe.Count) { r.probes.finish(key, u, judge(a.Of.Weight, questions, counts)) })
	r.probes.mu.Lock()
	defer r.probes.mu.Unlock()
	u.end = end
	return nil
}

// questions are those of a probe, one for each way in. The error is a *RouteError when there is none.
func (r *Reconciler) questions(ctx context.Context, w *world, a planner.ProbeShare) ([]probe.Question, error) {
	router, open := w.router.(trafficrouting.Open)
	if !open || r.probes.begin == nil || w.rollout.Spec.Traffic.Probe == nil {
		return nil, trafficrouting.Unusable("what serves the routes cannot be asked: remove traffic.probe")
	}
	doors, err := router.Doors(ctx, w.target, *w.rollout.Spec.Traffic.Probe)
	if err != nil {
		return nil, err
	}
	var out []probe.Question
	for _, door := range doors {
		out = append(out, probe.Question{
			Probe: *w.rollout.Spec.Traffic.Probe, Door: door, Requests: int(a.Requests), Candidate: a.Candidate, Stable: a.Stable,
		})
	}
	return out, nil
}

// judge takes the counts of all ways in together: each has to confirm the share.
func judge(weight int32, questions []probe.Question, counts []probe.Count) probe.Verdict {
	var verdicts []probe.Verdict
	for i, q := range questions {
		verdicts = append(verdicts, probe.Decide(weight, q.Requests, counts[i]))
	}
	i := slices.IndexFunc(verdicts, func(v probe.Verdict) bool { return !v.Confirmed })
	if i < 0 {
		return verdicts[0]
	}
	return probe.Verdict{Message: fmt.Sprintf("%s (%s)", verdicts[i].Message, questions[i].Door)}
}
