package simulation

import (
	"context"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/builder"
	"github.com/sluice-dev/sluice/trafficrouting"
	"github.com/sluice-dev/sluice/trafficrouting/gatewayapi"
	"github.com/sluice-dev/sluice/trafficrouting/probe"
)

// probing is how long a probe takes.
const probing = 300 * time.Millisecond

// open is the router of the product with a way in to every route: there are no Gateways here.
type open struct{ *gatewayapi.Router }

// Doors implements trafficrouting.Open. The path names the route.
func (open) Doors(_ context.Context, t trafficrouting.Target, _ v1alpha1.TrafficProbe) ([]trafficrouting.Door, error) {
	var out []trafficrouting.Door
	for _, route := range t.Routes {
		out = append(out, trafficrouting.Door{Through: route.String(), Host: route.Namespace, Path: route.Name})
	}
	return out, nil
}

// probe answers by the share that the gateway serves by when the probe ends; an answer to a process that is gone is lost.
func (p *Process) probe(questions []probe.Question, done func([]probe.Count)) (end func()) {
	ended := false
	p.world.after(probing, func(w *World) {
		if ended || !slices.Contains(w.processes, p) {
			return
		}
		var counts []probe.Count
		for _, q := range questions {
			share := w.env.programmed[types.NamespacedName{Namespace: q.Door.Host, Name: q.Door.Path}]
			candidate := q.Requests * int(share) / int(v1alpha1.MaxWeight)
			counts = append(counts, probe.Count{Candidate: candidate, Stable: q.Requests - candidate})
		}
		done(counts)
	})
	return func() { ended = true }
}

// lateShare is a share that the gateway does not serve by before a time.
type lateShare struct {
	weight int32
	at     time.Time
}

// lateFor is how long a slow gateway still takes to serve by a weight of a route.
func (e *environment) lateFor(route types.NamespacedName, weight int32) time.Duration {
	if e.slow == 0 || weight <= e.programmed[route] || weight == v1alpha1.MaxWeight {
		delete(e.late, route)
		return 0
	}
	if late, known := e.late[route]; !known || late.weight != weight {
		e.late[route] = lateShare{weight, e.world.now.Add(e.slow)}
	}
	return e.late[route].at.Sub(e.world.now)
}

// probedCanary is a canary whose steps ask for a probe: one with a person, one with nothing, and one with a pause.
func probedCanary() *builder.RolloutBuilder {
	return web().Services("web").Routes("web").Canary(
		builder.Step().Weight("20").Hold(), builder.Step().Weight("30"), builder.Step().Weight("50").Pause(time.Minute),
	).With(func(r *v1alpha1.Rollout) { r.Spec.Traffic.Probe = &v1alpha1.TrafficProbe{RevisionHeader: "X-Pod"} })
}

// slowly lets the gateway serve by greater shares long after it has reported them, and after the settle time.
func slowly(w *World) { w.env.slow = 7 * time.Second }

// probedStory is told to a gateway that accepts a route long before it serves by it.
func probedStory() Story {
	return Story{
		Name: "gates wait for a probe of a gateway that is slow", Key: Web(), Objects: with(probedCanary(), network()...), Prepare: slowly,
		Sparse: true,
		Steps: []Step{
			release(imageV2), wait(time.Minute), steer(v1alpha1.ActionPromote), settled(),
			release(imageV3), steer(v1alpha1.ActionAbort), settled(),
		},
	}
}

func probed(l *look) string {
	if !l.gatesBegin() {
		return ""
	}
	before, _, _ := l.states()
	steps := l.before.spec.Steps
	step := steps[min(int(before.Step), len(steps)-1)]
	if step.Probe == 0 || l.before.programmed == step.Weight {
		return ""
	}
	return fmt.Sprintf("the gates of step %d begin at weight %d, and the gateway serves by %d", before.Step+1, step.Weight, l.before.programmed)
}

// gatesBegin says that the gates of a step begin with this write, or are passed at once, and no person said so.
func (l *look) gatesBegin() bool {
	before, after, ok := l.states()
	if !ok || before.Stage != v1alpha1.StageStepping || before.Attempt != after.Attempt || !before.GatesAt.IsZero() {
		return false
	}
	_, leaves := l.leaves()
	return (!after.GatesAt.IsZero() || leaves) && !l.promoted(before) && after.PromotedAt.IsZero()
}
