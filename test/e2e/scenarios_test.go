//go:build e2e

package e2e

import (
	"context"
	"os"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"k8s.io/utils/clock"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/demo/workload"
	"github.com/sluice-dev/sluice/test/load/stats"
	"github.com/sluice-dev/sluice/test/scenario"
	"github.com/sluice-dev/sluice/test/scenario/objects"
)

// chosen are the scenarios that are played on the cluster unless SCENARIOS=all asks for every one that can be.
func chosen() []string {
	return []string{
		"abort-at-last-step", "bluegreen-by-route", "canary-by-ratio", "canary-by-route", "canary-proportional-abort",
		"edit-the-weight-of-this-step", "recreate", "restart-at-rest", "scale-at-a-step", "supersede-at-first-step",
	}
}

// The scenarios of test/scenarios are played with real pods and a real gateway. Those that promise that no traffic is lost
// are held to it by a load: no request fails, and none is answered by a version that is never to have traffic.
func TestScenarios(t *testing.T) {
	t.Parallel()
	all, err := scenario.Load(os.DirFS("../scenarios"))
	if err != nil {
		t.Fatal(err)
	}
	played := 0
	for _, s := range all {
		if lacking := s.Lacking(scenario.NeedValidation); len(lacking) > 0 {
			t.Logf("%s is left out: it needs %v", s.Name, lacking)
			continue
		}
		if os.Getenv("SCENARIOS") != "all" && !slices.Contains(chosen(), s.Name) {
			t.Logf("%s is left out: SCENARIOS=all plays it", s.Name)
			continue
		}
		played++
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			p := &player{env: newEnv(t, s.Name), watched: s}
			p.world = objects.New(p.env, p.Namespace, p.maker())
			if err := scenario.Run(t.Context(), p, s); err != nil {
				t.Error(err)
			}
			p.judge()
		})
	}
	t.Logf("%d of %d scenarios are played on the cluster", played, len(all))
}

// player plays a scenario in the namespace of a test.
type player struct {
	*env
	world    *objects.World
	watched  *scenario.Scenario
	releases int
	// from is when the load was first answered.
	from stats.Tally
}

// maker makes what newEnv has made, with versions of the sample app.
func (p *player) maker() objects.Maker {
	return objects.Maker{
		Service: func() *corev1.Service { return p.Service() },
		Route:   func() *gatewayv1.HTTPRoute { return p.Route() },
		Analysis: func() *v1alpha1.AnalysisTemplate {
			template := p.AnalysisTemplate()
			template.Name = scenario.Template
			return template
		},
		Rollout: func(version string) *v1alpha1.Rollout {
			return p.Rollout(workload.Version{Name: version}, v1alpha1.Strategy{})
		},
		Version: workload.VersionOf,
	}
}

// Setup makes what newEnv has not made.
func (p *player) Setup(context.Context, v1alpha1.RolloutSpec) error {
	p.create(p.maker().Analysis())
	return nil
}

// Do makes an event happen, and begins the load before the second release.
func (p *player) Do(ctx context.Context, e scenario.Event) error {
	if e.Kind == scenario.Release {
		p.releases++
	}
	if p.releases == 2 && len(p.loads) == 0 && p.promises("never traffic is lost") {
		if p.rollout(ctx).Spec.UsesRoutes() {
			p.load()
		} else {
			p.loadService()
		}
		p.from = p.mark()
	}
	_, err := p.world.Do(ctx, e)
	return err
}

// Watch lets the world go on.
func (p *player) Watch(ctx context.Context, limit time.Duration, enough func(scenario.Picture) bool) error {
	return p.world.Watch(ctx, objects.Pace{Clock: clock.RealClock{}, Glance: poll, Grace: time.Minute, Patience: patience}, limit, enough)
}

// promises says whether the scenario has a rule.
func (p *player) promises(rule string) bool {
	return slices.ContainsFunc(p.watched.Lines, func(line scenario.Line) bool { return line.Text == rule })
}

// judge holds what the load has counted against the rules of the scenario.
func (p *player) judge() {
	p.t.Helper()
	if len(p.loads) == 0 {
		return
	}
	p.noFailures(p.from)
	for version, tally := range p.since(p.from).Versions {
		if p.promises("never traffic reaches "+version) && tally.Requests > 0 {
			p.t.Errorf("%d requests were answered by %s, which is never to have traffic", tally.Requests, version)
		}
	}
}
