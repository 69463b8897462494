package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/command"
	"github.com/sluice-dev/sluice/controller/planner"
	"github.com/sluice-dev/sluice/controller/planner/forecast"
	"github.com/sluice-dev/sluice/controller/revision"
)

// living is a Rollout of the cluster, to be planned from where it is.
type living struct {
	*environment
	target
	rollout *v1alpha1.Rollout
	// seen says that the status of the Rollout speaks of this template.
	seen  bool
	found forecast.Start
}

// start reads what a forecast begins with. Of a Rollout at rest, next asks for the release of a template to come.
func (l *living) start(ctx context.Context, next bool) (forecast.Start, error) {
	r, s := l.rollout, &l.found.Snapshot
	spec, err := compiled(r)
	if err != nil {
		return l.found, err
	}
	s.Now, s.Spec, s.State = l.clock.Now().Truncate(time.Microsecond), spec, r.Status.State
	if pending, is := command.Pending(r); is {
		s.Command = pending
	}
	for _, read := range []func(context.Context) error{l.readRevisions, l.readServices, l.readAnalyses} {
		if err := read(ctx); err != nil {
			return l.found, err
		}
	}
	s.Route = planner.Route{Weight: l.standbyWeight(), Accepted: true}
	if state := l.rollout.Status.State; !state.GatesAt.IsZero() && state.Stage == v1alpha1.StageStepping && len(s.Spec.Steps) > 0 {
		s.Route.Overlay = s.Spec.Steps[s.Spec.StepAt(state.Step)].Overlay // its gates count, so that it is in force
	}
	if next && l.rests() {
		s.Target = forecast.SomeCandidate
	}
	l.found.Analyses, err = analysisTimes(&r.Spec, func(path string, ref v1alpha1.AnalysisTemplateReference) ([]v1alpha1.Metric, bool, error) {
		return l.metrics(ctx, path, ref)
	})
	return l.found, err
}

// rests says whether nothing will be released until the template changes.
func (l *living) rests() bool {
	s := &l.found.Snapshot
	switch s.State.Stage {
	case v1alpha1.StageIdle:
		return s.State.Stable != "" && s.Target == s.State.Stable
	case v1alpha1.StageAborted:
		return s.Target == s.State.Candidate
	case v1alpha1.StageInitial, v1alpha1.StageStepping, v1alpha1.StagePromoting, v1alpha1.StageRetreating:
	}
	return false
}

// readRevisions reads the ReplicaSets, and finds the revision that the template asks for.
func (l *living) readRevisions(ctx context.Context) error {
	b, err := belongingsOf(l.rollout)
	if err != nil {
		return err
	}
	if err := l.client.List(ctx, &b.replicaSets, b.selected...); err != nil {
		return err
	}
	s := &l.found.Snapshot
	var known []revision.Known
	for i := range b.replicaSets.Items {
		rs := &b.replicaSets.Items[i]
		hash := rs.Labels[v1alpha1.LabelPodTemplateHash]
		switch {
		case hash == "" || rs.DeletionTimestamp != nil || !metav1.IsControlledBy(rs, l.rollout):
		case rs.Labels[v1alpha1.LabelBaselineOf] != "":
			s.Baselines = append(s.Baselines, revisionOf(hash, rs))
		default:
			s.Revisions = append(s.Revisions, revisionOf(hash, rs))
			known = append(known, revision.Known{
				Hash: hash, Identity: rs.Annotations[v1alpha1.AnnotationIdentity], Number: v1alpha1.RevisionNumber(rs),
			})
		}
	}
	slices.SortFunc(s.Revisions, func(a, b planner.Revision) int {
		return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(a.Hash, b.Hash))
	})
	if s.Target = l.rollout.Status.UpdateRevision; !l.seen {
		s.Target, err = targetOf(l.rollout, known)
	}
	return err
}

func revisionOf(hash string, rs *appsv1.ReplicaSet) planner.Revision {
	return planner.Revision{
		Hash: hash, Number: v1alpha1.RevisionNumber(rs), Desired: ptr.Deref(rs.Spec.Replicas, 1), Created: rs.Status.Replicas,
		Ready: rs.Status.ReadyReplicas, Available: rs.Status.AvailableReplicas,
	}
}

// readServices reads which revisions the Services select.
func (l *living) readServices(ctx context.Context) error {
	services := l.rollout.Spec.Services
	if services == nil {
		return nil
	}
	var err error
	s := &l.found.Snapshot
	if s.Active, err = l.service(ctx, services.Active); err != nil {
		return err
	}
	if !s.Active.Found {
		return fmt.Errorf("rollout %q: spec.services.active: Service %q does not exist: create it, or name another one",
			l.rollout.Name, services.Active)
	}
	if s.Standby, err = l.service(ctx, services.StandbyName()); err != nil {
		return err
	}
	s.Baseline, err = l.service(ctx, revision.BaselineServiceName(l.rollout.Name))
	s.Baseline.Found = s.Baseline.Found && len(s.Baselines) > 0
	return err
}

func (l *living) service(ctx context.Context, name string) (planner.Service, error) {
	service := &corev1.Service{}
	err := l.client.Get(ctx, client.ObjectKey{Namespace: l.rollout.Namespace, Name: name}, service)
	if apierrors.IsNotFound(err) {
		return planner.Service{Name: name}, nil
	}
	if err != nil {
		return planner.Service{}, err
	}
	return planner.Service{Name: name, Found: true, Revision: service.Spec.Selector[v1alpha1.LabelPodTemplateHash]}, nil
}

// standbyWeight is the weight of the standby Service in the routes, from the share of the candidate that the status has.
// When both Services select the candidate, traffic is on its way from one to the other, and the promotion goes on from there.
func (l *living) standbyWeight() int32 {
	s, candidate := &l.found.Snapshot, l.found.Snapshot.State.Candidate
	share, err := v1alpha1.ParseWeight(intstr.Parse(l.rollout.Status.Weight))
	if err != nil || candidate == "" {
		return 0
	}
	switch {
	case s.Active.Revision == candidate && s.Standby.Revision != candidate:
		return planner.FullWeight - share
	case s.Standby.Revision == candidate:
		return share
	}
	return 0
}

// readAnalyses reads the AnalysisRuns of the release under way.
func (l *living) readAnalyses(ctx context.Context) error {
	b, err := belongingsOf(l.rollout)
	if err != nil {
		return err
	}
	if err := l.client.List(ctx, &b.analysisRuns, b.labelled...); err != nil {
		return err
	}
	s := &l.found.Snapshot
	l.found.Left = map[string]time.Duration{}
	for i := range b.analysisRuns.Items {
		run := &b.analysisRuns.Items[i]
		round, current := revision.Round(run.Name, s.State.Round, func(round int32) string {
			return revision.AnalysisRunName(l.rollout.Name, s.State.Candidate, s.State.Attempt, round, run.Spec.Gate)
		})
		if !current {
			continue
		}
		s.Analyses = append(s.Analyses, planner.Analysis{
			Name: run.Name, Gate: run.Spec.Gate, Round: round, Phase: run.Status.Phase, EndedAt: run.Status.CompletedAt.Time,
			Message: run.Status.Message,
		})
		if round == s.State.Round {
			l.found.Left[run.Spec.Gate] = forecast.LeastLeft(run, s.Now)
		}
	}
	return nil
}

// metrics are those of a template of the cluster. One that may not be read is not known.
func (l *living) metrics(ctx context.Context, path string, ref v1alpha1.AnalysisTemplateReference) ([]v1alpha1.Metric, bool, error) {
	var metrics []v1alpha1.Metric
	var err error
	if ref.Kind == v1alpha1.DefaultTemplateKind {
		template := &v1alpha1.AnalysisTemplate{}
		err = l.client.Get(ctx, client.ObjectKey{Namespace: l.rollout.Namespace, Name: ref.Name}, template)
		metrics = template.Spec.Metrics
	} else {
		template := &v1alpha1.ClusterAnalysisTemplate{}
		err = l.client.Get(ctx, client.ObjectKey{Name: ref.Name}, template)
		metrics = template.Spec.Metrics
	}
	switch {
	case apierrors.IsForbidden(err):
		return nil, false, nil
	case apierrors.IsNotFound(err):
		return nil, false, fmt.Errorf("rollout %q: %s: %s %q does not exist: create it, or name another one", l.rollout.Name, path,
			ref.Kind, ref.Name)
	}
	return metrics, err == nil, err
}

// metricsOf finds the metrics of a template that a field names, and says whether they are known.
type metricsOf func(path string, ref v1alpha1.AnalysisTemplateReference) (metrics []v1alpha1.Metric, known bool, err error)

// analysisTimes are the least times of the analyses that a spec asks for, by gate, as far as their templates are known.
func analysisTimes(spec *v1alpha1.RolloutSpec, find metricsOf) (map[string]time.Duration, error) {
	paths := map[string]string{
		planner.GateBackground:    "spec.strategy.canary.analysis",
		planner.GatePrePromotion:  "spec.strategy.blueGreen.prePromotionAnalysis",
		planner.GatePostPromotion: "spec.strategy.blueGreen.postPromotionAnalysis",
	}
	gates := []string{planner.GateBackground, planner.GatePrePromotion, planner.GatePostPromotion}
	if canary := spec.Strategy.Canary; canary != nil {
		for i := range canary.Steps {
			gates = append(gates, planner.StepGate(i))
			paths[planner.StepGate(i)] = fmt.Sprintf("spec.strategy.canary.steps[%d].analysis", i)
		}
	}
	times := map[string]time.Duration{}
	for _, gate := range gates {
		analysis := planner.GateAnalysis(spec, gate)
		if analysis == nil {
			continue
		}
		least, known, err := analysisTime(analysis, paths[gate], gate, find)
		if err != nil {
			return nil, err
		}
		if known {
			times[gate] = least
		}
	}
	return times, nil
}

// analysisTime is the least time of one analysis; it is not known unless all its templates are.
func analysisTime(analysis *v1alpha1.Analysis, path, gate string, find metricsOf) (least time.Duration, known bool, err error) {
	known = true
	for i, ref := range analysis.Templates {
		ref.Kind = ref.KindOrDefault()
		field := fmt.Sprintf("%s.templates[%d].name", path, i)
		metrics, found, err := find(field, ref)
		if err != nil {
			return 0, false, err
		}
		duration, ends := forecast.LeastDuration(metrics)
		if !ends && gate != planner.GateBackground {
			return 0, false, fmt.Errorf("%s: %s %q has a metric with an interval and without a count, which never ends: write its count",
				field, ref.Kind, ref.Name)
		}
		least, known = max(least, duration), known && found
	}
	return least, known, nil
}
