package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/demo/view"
	"github.com/sluice-dev/sluice/test/demo/workload"
	"github.com/sluice-dev/sluice/test/load/stats"
)

// releaseLimit is how long one release may take. It takes a fraction of that.
const releaseLimit = 4 * time.Minute

// story is the demonstration while it runs.
type story struct {
	cluster   *cluster
	options   options
	screen    *screen
	startedAt time.Time
	// loading says that the load has begun, and endsAt when it ends by itself.
	loading bool
	endsAt  time.Time
	// results of the releases so far. The tally of the last one is open until the next begins.
	results []view.Result
	begunAt stats.Tally
	// faultyAtAbort is how many requests had reached the faulty version when its abort was seen, and afterAbort how many
	// reached it after that.
	faultyAtAbort int64
	afterAbort    int64
}

// release is one chapter.
type release struct {
	version  workload.Version
	strategy v1alpha1.Strategy
	title    string
}

func (r release) strategyName() string {
	spec := v1alpha1.RolloutSpec{Strategy: r.strategy}
	return spec.StrategyName()
}

func releases() []release {
	canary := workload.Canary(scaleDownDelay, canaryWeights()...)
	return []release{
		{workload.Version{Name: "v2"}, canary, "v2: a canary with an analysis at each step"},
		{workload.Version{Name: faulty, ErrorRate: 0.2}, canary, "v3: a canary that answers one request in five with an error"},
		{workload.Version{Name: "v4"}, workload.BlueGreen(scaleDownDelay), "v4: blue/green, with an analysis after the switch"},
	}
}

// tell runs all chapters.
func (s *story) tell(ctx context.Context) error {
	if err := s.install(ctx); err != nil {
		return err
	}
	if err := s.startLoad(ctx); err != nil {
		return err
	}
	for _, r := range releases() {
		if err := s.release(ctx, r); err != nil {
			return fmt.Errorf("release of %s: %w", r.version.Name, err)
		}
	}
	return s.closeTally(ctx)
}

// install makes a fresh namespace with the app, its route, and version v1.
func (s *story) install(ctx context.Context) error {
	s.chapter("v1: the first version")
	if err := s.cluster.clear(ctx); err != nil {
		return err
	}
	settings := s.options.Settings
	first := settings.Rollout(workload.Version{Name: "v1"}, releases()[0].strategy)
	for _, object := range []client.Object{
		settings.NamespaceObject(), settings.Gateway(), settings.Route(), settings.Service(), settings.AnalysisTemplate(),
		first,
	} {
		if err := s.cluster.Create(ctx, object); err != nil {
			return err
		}
	}
	result := view.Result{Version: "v1"}
	if err := s.follow(ctx, &result); err != nil {
		return err
	}
	s.results = append(s.results, result)
	return s.cluster.checkPrometheus(ctx)
}

// startLoad sends steady load through the gateway, and waits until it is answered and measured.
func (s *story) startLoad(ctx context.Context) error {
	target := s.options.gateway
	if target == "" {
		var err error
		if target, err = s.cluster.address(ctx); err != nil {
			return err
		}
	}
	s.chapter(fmt.Sprintf("%.0f requests/s through the gateway at %s", s.options.rate, target))
	load := workload.Load{Target: target, Rate: s.options.rate, Fresh: 0.1, Duration: loadFor}
	if err := s.cluster.Create(ctx, s.options.LoadPod(load)); err != nil {
		return err
	}
	if err := s.cluster.until(ctx, "the load", time.Minute, s.loadIsAnswered); err != nil {
		return err
	}
	s.loading = true
	o, err := s.cluster.observe(ctx, true)
	if err != nil {
		return err
	}
	return s.cluster.checkMetrics(ctx, o.rollout.Status.StableRevision)
}

// loadIsAnswered says that every request of the last two seconds was.
func (s *story) loadIsAnswered(ctx context.Context) (bool, error) {
	report, err := s.cluster.load(ctx)
	if err != nil {
		return false, errors.Join(err, s.whyNoLoad(ctx))
	}
	s.endsAt = report.EndsAt
	lately := report.Last(2).All
	if lately.Requests == 0 || lately.Bad() > 0 {
		return false, fmt.Errorf("%d of %d requests failed: %s", lately.Bad(), lately.Requests, lastFailure(report))
	}
	return true, nil
}

// whyNoLoad says why the pod of the load does not run.
func (s *story) whyNoLoad(ctx context.Context) error {
	pod := &corev1.Pod{}
	key := client.ObjectKey{Namespace: s.options.Namespace, Name: workload.LoadName}
	if err := s.cluster.Get(ctx, key, pod); err != nil {
		return err
	}
	if stuck := (observed{pods: []corev1.Pod{*pod}}).stuck(); len(stuck) > 0 {
		return errors.New(stuck[0])
	}
	return nil
}

func lastFailure(report stats.Report) string {
	if n := len(report.Failures); n > 0 {
		return report.Failures[n-1].Message
	}
	return "nothing was answered yet"
}

// release changes the Rollout as a user would, in one edit, and follows it to its end.
func (s *story) release(ctx context.Context, r release) error {
	if err := s.closeTally(ctx); err != nil {
		return err
	}
	s.chapter(r.title)
	rollout := &v1alpha1.Rollout{}
	key := client.ObjectKey{Namespace: s.options.Namespace, Name: workload.Name}
	if err := s.cluster.Get(ctx, key, rollout); err != nil {
		return err
	}
	before := rollout.DeepCopy()
	rollout.Spec.Template = s.options.Template(r.version)
	rollout.Spec.Strategy = r.strategy
	if err := s.cluster.Patch(ctx, rollout, client.MergeFrom(before)); err != nil {
		return err
	}
	result := view.Result{Version: r.version.Name, Strategy: r.strategyName()}
	if err := s.follow(ctx, &result); err != nil {
		return err
	}
	s.results = append(s.results, result)
	return nil
}

// closeTally ends the count of the last release, and begins that of the next.
func (s *story) closeTally(ctx context.Context) error {
	report, err := s.cluster.load(ctx)
	if err != nil {
		return err
	}
	if last := len(s.results) - 1; last > 0 {
		s.results[last].Tally = report.Total.Minus(s.begunAt)
		s.report(s.results[last], report)
	}
	s.begunAt = report.Total
	if s.faultyAtAbort > 0 {
		s.afterAbort = report.Total.Versions[faulty].Requests - s.faultyAtAbort
	}
	return nil
}

// report says in one line how a release went, and how requests failed if any did.
func (s *story) report(r view.Result, report stats.Report) {
	style := view.Good
	if r.OtherFailures(faulty) > 0 {
		style = view.Bad
		for _, f := range report.Failures {
			s.screen.say(view.Bad, fmt.Sprintf("    %d times: %s", f.Count, f.Message))
		}
	}
	s.screen.say(style, fmt.Sprintf("    %s: %s after %s. %d requests, %d answered with an error by %s itself, %d failed otherwise",
		r.Version, r.Outcome, r.Took.Round(time.Second), r.Tally.All.Requests, r.Tally.Versions[faulty].AppErrors, faulty,
		r.OtherFailures(faulty)))
}

// follow shows a release until it has ended and nothing is left of it but stable pods, and fills in how it ended.
func (s *story) follow(ctx context.Context, result *view.Result) error {
	var last observed
	title := strings.TrimSpace(result.Version + " " + result.Strategy)
	err := s.cluster.until(ctx, title, releaseLimit, func(ctx context.Context) (bool, error) {
		o, err := s.cluster.observe(ctx, s.loading)
		if err != nil {
			return false, err
		}
		last = o
		s.screen.show(o.view(title, s.cluster.clock.Since(s.startedAt)))
		record, over := o.outcome()
		if !over {
			return false, nil
		}
		if s.faultyAtAbort == 0 && result.Version == faulty {
			s.faultyAtAbort = o.load.Total.Versions[faulty].Requests
		}
		result.Outcome, result.Reason = record.Outcome, record.Reason
		result.Took = record.EndedAt.Sub(record.StartedAt.Time)
		return o.settled(), nil
	})
	if err != nil && last.rollout != nil {
		return fmt.Errorf("%w; the Rollout says: %s; %s", err, last.rollout.Status.Message, orNothing(last.stuck()))
	}
	return err
}

// chapter writes a heading that stays.
func (s *story) chapter(title string) { s.screen.say(view.Strong, "\n==> "+title) }
