package rollout

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
	"github.com/sluice-dev/sluice/controller/revision"
)

// gate is an analysis that the spec asks for.
type gate struct {
	name     string
	field    string
	analysis *v1alpha1.Analysis
}

// gates are all analyses that a spec asks for, in the order in which they run.
func gates(spec *v1alpha1.RolloutSpec) []gate {
	type named struct{ name, field string }
	var all []named
	switch {
	case spec.Strategy.Canary != nil:
		all = append(all, named{planner.GateBackground, "spec.strategy.canary.analysis"})
		for i := range spec.Strategy.Canary.Steps {
			all = append(all, named{planner.StepGate(i), fmt.Sprintf("spec.strategy.canary.steps[%d].analysis", i)})
		}
	case spec.Strategy.BlueGreen != nil:
		all = append(all, named{planner.GatePrePromotion, "spec.strategy.blueGreen.prePromotionAnalysis"},
			named{planner.GatePostPromotion, "spec.strategy.blueGreen.postPromotionAnalysis"})
	}
	var out []gate
	for _, n := range all {
		if a := planner.GateAnalysis(spec, n.name); a != nil {
			out = append(out, gate{name: n.name, field: n.field, analysis: a})
		}
	}
	return out
}

// observeAnalyses reads the AnalysisRuns of the Rollout, and tries whether those that are still to come can be made.
func (r *Reconciler) observeAnalyses(ctx context.Context, w *world) error {
	var list v1alpha1.AnalysisRunList
	if err := r.cache.List(ctx, &list, client.InNamespace(w.rollout.Namespace),
		client.MatchingFields{indexController: string(w.rollout.UID)}); err != nil {
		return fmt.Errorf("listing AnalysisRuns: %w", err)
	}
	w.runs = slices.DeleteFunc(list.Items, func(run v1alpha1.AnalysisRun) bool {
		return run.DeletionTimestamp != nil || !metav1.IsControlledBy(&run, w.rollout)
	})
	slices.SortFunc(w.runs, func(a, b v1alpha1.AnalysisRun) int {
		if olderThan(&b, &a) {
			return -1
		}
		return 1
	})
	state := w.snapshot.State
	for _, run := range w.runs {
		round, current := revision.Round(run.Name, state.Round, func(round int32) string {
			return revision.AnalysisRunName(w.rollout.Name, state.Candidate, state.Attempt, round, run.Spec.Gate)
		})
		if current {
			w.snapshot.Analyses = append(w.snapshot.Analyses, planner.Analysis{
				Name: run.Name, Gate: run.Spec.Gate, Round: round, Phase: run.Status.Phase, EndedAt: run.Status.CompletedAt.Time,
				Message: run.Status.Message, Compares: analysis.Compares(run.Spec), Told: toldOf(run.Spec.Shifts),
				FaultyAt: faultyAt(run.Status),
			})
		}
	}
	slices.SortFunc(w.snapshot.Analyses, func(a, b planner.Analysis) int {
		return cmp.Or(cmp.Compare(a.Gate, b.Gate), cmp.Compare(a.Round, b.Round))
	})
	return r.tryGates(ctx, w)
}

// faultyAt is since when a run that has not ended lacks figures; zero when it has some.
func faultyAt(status v1alpha1.AnalysisRunStatus) time.Time {
	ready := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady)
	if status.Phase.Ended() || ready == nil || ready.Status != metav1.ConditionFalse {
		return time.Time{}
	}
	return ready.LastTransitionTime.Time
}

// toldOf is the share of the candidate at which an AnalysisRun was last told that traffic rests. One that was told of nothing,
// by a version that did not, is taken to have been told that traffic moves, so that it hears where it rests.
func toldOf(shifts []v1alpha1.TrafficShift) int32 {
	if len(shifts) == 0 {
		return planner.WeightUnknown
	}
	weight, err := v1alpha1.ParseWeight(intstr.FromString(shifts[len(shifts)-1].Weight))
	if err != nil {
		return planner.WeightUnknown
	}
	return weight
}

// tryGates resolves the analysis of each gate as if it began now, so that what is wrong with one is told when the spec
// or the template is written, and not in the middle of a release.
func (r *Reconciler) tryGates(ctx context.Context, w *world) error {
	for _, g := range gates(&w.rollout.Spec) {
		_, problem, err := r.resolve(ctx, w, g, w.snapshot.Target)
		if err != nil {
			return err
		}
		if problem != nil {
			w.snapshot.Problems = append(w.snapshot.Problems, *problem)
		}
	}
	return nil
}

// resolve makes the spec of the AnalysisRun of a gate. What a person must mend is a problem and not an error.
func (r *Reconciler) resolve(ctx context.Context, w *world, g gate, candidate string) (v1alpha1.AnalysisRunSpec,
	*planner.Problem, error,
) {
	request := analysis.Request{
		Conditions: r.conditions, Args: g.analysis.Args, Gate: g.name, Rollout: w.rollout.Name, Namespace: w.rollout.Namespace,
		Fields: analysis.FieldsOf(w.rollout), CandidateHash: candidate, StableHash: w.snapshot.State.Stable,
		ActiveService: w.snapshot.Active.Name, StandbyService: w.snapshot.Standby.Name, Source: w.source,
	}
	if planner.HasBaseline(&w.rollout.Spec, g.name) {
		request.BaselineHash = planner.BaselineOf(request.StableHash, w.snapshot.State.Attempt)
		request.BaselineService = w.snapshot.Baseline.Name
	}
	if request.StableHash == "" {
		// Before the first release there is no stable revision, and no gate either: the first release has no steps.
		request.StableHash = candidate
	}
	for i, ref := range g.analysis.Templates {
		template, err := r.template(ctx, w.rollout.Namespace, ref)
		if apierrors.IsNotFound(err) {
			return v1alpha1.AnalysisRunSpec{}, &planner.Problem{
				Reason: v1alpha1.ReasonTemplateNotFound, Field: fmt.Sprintf("%s.templates[%d].name", g.field, i),
				Message: fmt.Sprintf("%s %q does not exist: create it, or name another one", ref.KindOrDefault(), ref.Name),
			}, nil
		}
		if err != nil {
			return v1alpha1.AnalysisRunSpec{}, nil, fmt.Errorf("reading %s %s: %w", ref.KindOrDefault(), ref.Name, err)
		}
		request.Templates = append(request.Templates, template)
	}
	spec, err := analysis.Resolve(request)
	if err != nil {
		return v1alpha1.AnalysisRunSpec{}, &planner.Problem{
			Reason: v1alpha1.ReasonTemplateInvalid, Field: g.field, Message: oneLine(err),
		}, nil
	}
	return spec, nil, nil
}

// template reads an AnalysisTemplate or a ClusterAnalysisTemplate.
func (r *Reconciler) template(ctx context.Context, namespace string, ref v1alpha1.AnalysisTemplateReference) (
	analysis.Template, error,
) {
	out := analysis.Template{Kind: ref.KindOrDefault(), Name: ref.Name}
	if out.Kind == v1alpha1.DefaultTemplateKind {
		var template v1alpha1.AnalysisTemplate
		err := r.cache.Get(ctx, client.ObjectKey{Namespace: namespace, Name: ref.Name}, &template)
		out.Spec = template.Spec
		return out, err
	}
	var template v1alpha1.ClusterAnalysisTemplate
	err := r.cache.Get(ctx, client.ObjectKey{Name: ref.Name}, &template)
	out.Spec = template.Spec
	return out, err
}
