package routertest

import (
	"context"
	"errors"
	"strings"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/trafficrouting"
)

func (t trial) everyWeight() {
	t.w.Put(t.T, "shop", plain())
	for _, weight := range weights() {
		t.apply(weight, "shop")
		t.wantShare("shop", weight)
		if got := t.observe("shop").Weight; got != weight {
			t.Errorf("weight is %d, want %d", got, weight)
		}
	}
}

func (t trial) quiet() {
	t.w.Put(t.T, "shop", plain())
	for _, weight := range weights()[1:] {
		t.apply(weight, "shop")
		before := t.w.Writes()
		t.apply(weight, "shop")
		t.observe("shop")
		if n := t.w.Writes() - before; n != 0 {
			t.Errorf("%d writes for weight %d, which is there already", n, weight)
		}
	}
}

func (t trial) oneWrite() {
	t.w.Put(t.T, "shop", plain())
	t.w.Put(t.T, "api", Backend{Active, 80}, Backend{Standby, 20})
	for _, step := range []struct {
		weight     int32
		wantWrites int
	}{{200, 1}, {500, 2}, {0, 2}} {
		before := t.w.Writes()
		t.apply(step.weight, "shop", "api")
		if n := t.w.Writes() - before; n != step.wantWrites {
			t.Errorf("%d writes for weight %d, want %d", n, step.weight, step.wantWrites)
		}
	}
}

func (t trial) onlyWeights() {
	t.w.Put(t.T, "shop", plain())
	before := t.w.Surroundings(t.T, "shop")
	for _, weight := range weights() {
		t.apply(weight, "shop")
		if diff := cmp.Diff(before, t.w.Surroundings(t.T, "shop")); diff != "" {
			t.Errorf("weight %d changed more than weights (-before +after):\n%s", weight, diff)
		}
	}
}

func (t trial) outOfRange() {
	t.w.Put(t.T, "shop", plain())
	for _, weight := range []int32{trafficrouting.WeightUnknown, v1alpha1.MaxWeight + 1} {
		if err := t.w.Router().Apply(t.Context(), t.w.Target("shop"), trafficrouting.Wanted{Weight: weight}); err == nil {
			t.Errorf("weight %d was taken", weight)
		}
	}
	if t.w.Writes() != 0 {
		t.Errorf("%d writes", t.w.Writes())
	}
}

func (t trial) missingRoute() {
	t.w.Put(t.T, "shop", Backend{Active, 50}, Backend{Standby, 50})
	t.w.Put(t.T, "gone", plain())
	t.w.Remove(t.T, "gone")
	t.apply(0, "gone", "shop")
	t.wantShare("shop", 0)
	got := t.observe("gone", "shop")
	if got.Weight != trafficrouting.WeightUnknown || got.Accepted {
		t.Errorf("weight is %d, accepted %v with a route missing", got.Weight, got.Accepted)
	}
	t.wantReasons(got, v1alpha1.ReasonRouteNotFound)
}

func (t trial) withoutBackend() {
	t.w.Put(t.T, "shop", Backend{Other, 1})
	t.apply(200, "shop")
	if t.w.Writes() != 0 {
		t.Error("a route that does not name the active Service was written")
	}
	t.wantReasons(t.observe("shop"), v1alpha1.ReasonRouteWithoutBackend)
}

func (t trial) problemField() {
	t.w.Put(t.T, "shop", plain())
	t.w.Put(t.T, "blog", Backend{Other, 1})
	t.w.Report(t.T, "shop", Accepts)
	t.w.Report(t.T, "blog", Accepts)
	got := t.observe("shop", "gone", "blog")
	t.wantReasons(got, v1alpha1.ReasonRouteNotFound, v1alpha1.ReasonRouteWithoutBackend)
	for i, wantField := range []string{"[1]", "[2]"} {
		p := got.Problems[i]
		if !strings.HasPrefix(p.Field, "spec.traffic.") || !strings.HasSuffix(p.Field, wantField) {
			t.Errorf("field is %q, want one in spec.traffic with %s", p.Field, wantField)
		}
		if wantRoute := []string{"gone", "blog"}[i]; !strings.Contains(p.Message, wantRoute) {
			t.Errorf("message %q does not name the route %s", p.Message, wantRoute)
		}
	}
}

func (t trial) disagreement() {
	t.w.Put(t.T, "shop", Backend{Active, 80}, Backend{Standby, 20})
	t.w.Put(t.T, "api", plain())
	if got := t.observe("shop", "api").Weight; got != trafficrouting.WeightUnknown {
		t.Errorf("weight is %d of routes that disagree", got)
	}
	t.apply(200, "shop", "api")
	if got := t.observe("shop", "api").Weight; got != 200 {
		t.Errorf("weight is %d, want 200", got)
	}
}

func (t trial) contested() {
	t.w.Put(t.T, "shop", plain())
	for range 3 {
		t.apply(200, "shop")
		t.w.Overwrite(t.T, "shop", plain())
		if got := t.observe("shop").Weight; got != 0 {
			t.Errorf("weight is %d after another writer took it back", got)
		}
	}
	t.apply(200, "shop")
	t.wantShare("shop", 200)
}

func (t trial) conflict() {
	t.w.Put(t.T, "shop", plain())
	t.w.BeforeWrite(func(context.Context) { t.w.Overwrite(t.T, "shop", Backend{Active, 3}, Backend{Standby, 1}) })
	err := t.w.Router().Apply(t.Context(), t.w.Target("shop"), trafficrouting.Wanted{Weight: 500})
	if !apierrors.IsConflict(err) {
		t.Errorf("error is %v, want a conflict", err)
	}
	t.wantShare("shop", 250)
	t.apply(500, "shop")
	t.wantShare("shop", 500)
}

func (t trial) oldDecision() {
	t.w.Put(t.T, "shop", plain())
	target := t.w.Target("shop", "gone")
	target.Versions = t.observe("shop", "gone").Versions
	if len(target.Versions) != len(target.Routes) {
		t.Fatalf("%d routes have %d versions", len(target.Routes), len(target.Versions))
	}
	t.w.Overwrite(t.T, "shop", Backend{Active, 3}, Backend{Standby, 1})
	if err := t.w.Router().Apply(t.Context(), target, trafficrouting.Wanted{Weight: 500}); !apierrors.IsConflict(err) {
		t.Errorf("error is %v, want a conflict", err)
	}
	t.wantShare("shop", 250)
	if err := t.w.Router().Apply(t.Context(), target, trafficrouting.Wanted{Weight: 250}); err != nil {
		t.Errorf("a weight that is there already: %v", err)
	}
	target.Versions = t.observe("shop", "gone").Versions
	if err := t.w.Router().Apply(t.Context(), target, trafficrouting.Wanted{Weight: 500}); err != nil {
		t.Error(err)
	}
	t.wantShare("shop", 500)
}

func (t trial) conflictOnOne() {
	t.w.Put(t.T, "shop", Backend{Active, 1}, Backend{Standby, 1})
	t.w.Put(t.T, "api", Backend{Active, 1}, Backend{Standby, 1})
	t.w.BeforeWrite(func(context.Context) { t.w.Overwrite(t.T, "shop", Backend{Active, 3}, Backend{Standby, 1}) })
	err := t.w.Router().Apply(t.Context(), t.w.Target("shop", "api"), trafficrouting.Wanted{Weight: 0})
	if !apierrors.IsConflict(err) {
		t.Errorf("error is %v, want a conflict", err)
	}
	t.wantShare("api", 0)
}

func (t trial) failingRead() {
	t.w.Put(t.T, "shop", plain())
	down := errors.New("the server is down")
	t.w.Fail(down)
	got, err := t.w.Router().Observe(t.Context(), t.w.Target("shop"))
	if !errors.Is(err, down) || len(got.Problems) != 0 {
		t.Errorf("error is %v, want %v; problems %v", err, down, got.Problems)
	}
	if err := t.w.Router().Apply(t.Context(), t.w.Target("shop"), trafficrouting.Wanted{Weight: 200}); !errors.Is(err, down) {
		t.Errorf("error is %v, want %v", err, down)
	}
	t.w.Fail(nil)
	t.wantShare("shop", 0)
}

func (t trial) acceptance() {
	t.w.Put(t.T, "shop", plain())
	t.wantAccepted("nobody has reported", false, "shop")
	t.w.Report(t.T, "shop", Accepts)
	t.wantAccepted("the gateway accepts", true, "shop")
	t.apply(200, "shop")
	t.wantAccepted("it was written since", false, "shop")
	t.w.Report(t.T, "shop", Accepts)
	t.wantAccepted("the gateway has seen it", true, "shop")
	t.w.Report(t.T, "shop", Silent)
	t.wantAccepted("the gateway is gone", false, "shop")
}

func (t trial) unreported() {
	t.w.Put(t.T, "shop", plain())
	t.wantAccepted("nothing was written", true, "shop")
	t.apply(200, "shop")
	t.wantAccepted("a weight was written", true, "shop")
}

func (t trial) refusal() {
	t.w.Put(t.T, "shop", plain())
	t.w.Report(t.T, "shop", Refuses)
	got := t.observe("shop")
	t.wantReasons(got, v1alpha1.ReasonRouteNotAccepted)
	if got.Accepted || !strings.Contains(got.Problems[0].Message, RefusalMessage) {
		t.Errorf("accepted %v, message %q, want the message of the gateway: %q", got.Accepted, got.Problems[0].Message,
			RefusalMessage)
	}
	if got.Weight != 0 {
		t.Errorf("weight is %d, want what the route says: 0", got.Weight)
	}
}

func (t trial) refusedAbort() {
	t.w.Put(t.T, "shop", Backend{Active, 1}, Backend{Standby, 1})
	t.w.Report(t.T, "shop", Refuses)
	t.apply(0, "shop")
	t.wantShare("shop", 0)
}

func (t trial) acceptanceOfAll() {
	t.w.Put(t.T, "shop", plain())
	t.w.Put(t.T, "api", plain())
	t.w.Report(t.T, "shop", Accepts)
	t.wantAccepted("only shop was accepted", false, "shop", "api")
	t.wantAccepted("only shop was accepted", false, "api", "shop")
	t.w.Report(t.T, "api", Accepts)
	t.wantAccepted("both were accepted", true, "shop", "api")
}

func (t trial) noRoute() {
	got := t.observe()
	if got.Accepted || got.Weight != trafficrouting.WeightUnknown {
		t.Errorf("accepted %v, weight %d of no routes at all", got.Accepted, got.Weight)
	}
}

func (t trial) othersKeepTheirShare() {
	t.w.Put(t.T, "shop", Backend{Active, 5}, Backend{Other, 7})
	for _, weight := range weights() {
		t.apply(weight, "shop")
		t.wantShare("shop", weight)
		ours, others := int64(0), int64(0)
		for _, b := range t.w.Backends(t.T, "shop") {
			if b.Service == Other {
				others += b.Weight
			} else {
				ours += b.Weight
			}
		}
		if ours*7 != others*5 {
			t.Errorf("at weight %d the other Service has %d beside %d, want 7 beside 5", weight, others, ours)
		}
	}
}
