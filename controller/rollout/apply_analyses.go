package rollout

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
	"github.com/sluice-dev/sluice/controller/revision"
)

// keptAttempts is how many releases of a Rollout keep their AnalysisRuns: as many as its history has records.
const keptAttempts = 10

// performOnAnalyses carries out one action on AnalysisRuns.
func (r *Reconciler) performOnAnalyses(ctx context.Context, w *world, action planner.Action) error {
	switch a := action.(type) {
	case planner.StartAnalysis:
		return r.startAnalysis(ctx, w, a)
	case planner.StopAnalysis:
		return r.stopAnalysis(ctx, w, a)
	case planner.TellShift:
		return r.tellShift(ctx, w, a)
	}
	return fmt.Errorf("there is no way to %s", action)
}

// startAnalysis creates the AnalysisRun of a gate. Its name follows from the release and the gate, so that a gate is
// measured once however often this is repeated.
func (r *Reconciler) startAnalysis(ctx context.Context, w *world, a planner.StartAnalysis) error {
	all := gates(&w.rollout.Spec)
	i := slices.IndexFunc(all, func(g gate) bool { return g.name == a.Gate })
	if i < 0 {
		return fmt.Errorf("the spec has no analysis for gate %s", a.Gate)
	}
	spec, problem, err := r.resolve(ctx, w, all[i], a.Revision)
	if err != nil {
		return err
	}
	if problem != nil {
		return &refused{problem: *problem}
	}
	if err := r.endow(ctx, w, a, &spec); err != nil {
		return err
	}
	run := &v1alpha1.AnalysisRun{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: w.rollout.Namespace,
			Name:      revision.AnalysisRunName(w.rollout.Name, a.Revision, a.Attempt, a.Round, a.Gate),
			Labels: map[string]string{
				v1alpha1.LabelRollout:  revision.LabelValue(w.rollout.Name),
				v1alpha1.LabelRevision: a.Revision,
				v1alpha1.LabelAttempt:  strconv.Itoa(int(a.Attempt)),
			},
			OwnerReferences: []metav1.OwnerReference{ownerOf(w.rollout)},
		},
		Spec: spec,
	}
	err = r.writes.Create(ctx, run)
	if apierrors.IsAlreadyExists(err) {
		return r.existingRun(ctx, w, run.Name)
	}
	return err
}

// endow gives a run what it shares with the others of its release: its part of the odds of a false abort, what they have
// seen, and where traffic rests. Gates that cannot be resolved are told of as problems, and have no part.
func (r *Reconciler) endow(ctx context.Context, w *world, a planner.StartAnalysis, spec *v1alpha1.AnalysisRunSpec) error {
	if !analysis.Compares(*spec) {
		return nil
	}
	release := analysis.Release{Weights: w.snapshot.Spec.WeightsFrom(w.snapshot.Spec.Background)}
	for _, g := range gates(&w.rollout.Spec) {
		planned, problem, err := r.resolve(ctx, w, g, a.Revision)
		if err != nil {
			return err
		}
		if problem == nil {
			release.Planned = append(release.Planned, planned)
		}
	}
	for _, run := range w.runs {
		if slices.ContainsFunc(w.snapshot.Analyses, func(current planner.Analysis) bool { return current.Name == run.Name }) {
			release.Earlier = append(release.Earlier, run)
		}
	}
	release.Endow(spec)
	spec.Shifts = []v1alpha1.TrafficShift{shiftTo(w.snapshot.Now, a.Weight)}
	return nil
}

// mostShifts is how many shifts an AnalysisRun holds. The last place is kept for traffic that moves: what cannot be told any
// more is counted by nobody.
const mostShifts = 128

// shiftTo is a shift to a weight in tenths of a percent, or to none while traffic moves.
func shiftTo(at time.Time, weight int32) v1alpha1.TrafficShift {
	shift := v1alpha1.TrafficShift{At: metav1.NewMicroTime(at)}
	if weight != planner.WeightUnknown {
		shift.Weight = v1alpha1.FormatWeight(weight)
	}
	return shift
}

// tellShift adds a shift to an AnalysisRun. A shift belongs after the last one also when the clock was put back.
func (r *Reconciler) tellShift(ctx context.Context, w *world, a planner.TellShift) error {
	i := slices.IndexFunc(w.runs, func(run v1alpha1.AnalysisRun) bool { return run.Name == a.Name })
	if i < 0 {
		return nil
	}
	shifts := slices.Clone(w.runs[i].Spec.Shifts)
	if len(shifts) >= mostShifts || len(shifts) == mostShifts-1 && a.Weight != planner.WeightUnknown {
		return nil
	}
	shift := shiftTo(w.snapshot.Now, a.Weight)
	if n := len(shifts); n > 0 && !shift.At.After(shifts[n-1].At.Time) {
		shift.At = metav1.NewMicroTime(shifts[n-1].At.Add(time.Microsecond))
	}
	return r.patch(ctx, &w.runs[i], map[string]any{"spec": map[string]any{"shifts": append(shifts, shift)}})
}

// existingRun finds out whose the AnalysisRun is that has the name of ours. That of a Rollout of the same name that was
// deleted says nothing about this one.
func (r *Reconciler) existingRun(ctx context.Context, w *world, name string) error {
	existing := &v1alpha1.AnalysisRun{}
	if err := r.live.Get(ctx, client.ObjectKey{Namespace: w.rollout.Namespace, Name: name}, existing); err != nil {
		return client.IgnoreNotFound(err)
	}
	if metav1.IsControlledBy(existing, w.rollout) {
		return onItsWay("AnalysisRun", existing)
	}
	return &refused{problem: planner.Problem{Reason: v1alpha1.ReasonWriteRefused, Message: fmt.Sprintf(
		"AnalysisRun %q exists and does not belong to this Rollout: delete it", name)}}
}

// stopAnalysis asks an AnalysisRun to end without a verdict.
func (r *Reconciler) stopAnalysis(ctx context.Context, w *world, a planner.StopAnalysis) error {
	i := slices.IndexFunc(w.runs, func(run v1alpha1.AnalysisRun) bool { return run.Name == a.Name })
	if i < 0 || w.runs[i].Spec.Terminate {
		return nil
	}
	return r.patch(ctx, &w.runs[i], map[string]any{"spec": map[string]any{"terminate": true}})
}

// forgetOldRuns deletes the AnalysisRuns of releases beyond the last ten. Those of the release under way stay, and so
// does a run that is still measuring: the planner stops it first.
func (r *Reconciler) forgetOldRuns(ctx context.Context, w *world) error {
	var attempts []string
	for i := range w.runs {
		run := &w.runs[i]
		attempt := run.Labels[v1alpha1.LabelRevision] + "/" + run.Labels[v1alpha1.LabelAttempt]
		if !slices.Contains(attempts, attempt) {
			attempts = append(attempts, attempt)
		}
		current := slices.ContainsFunc(w.snapshot.Analyses, func(a planner.Analysis) bool { return a.Name == run.Name })
		if len(attempts) <= keptAttempts || current || !run.Status.Phase.Ended() {
			continue
		}
		if err := r.remove(ctx, run); err != nil {
			return explainAs(planner.Problem{Reason: v1alpha1.ReasonWriteRefused}, "delete the old AnalysisRun "+run.Name, err)
		}
	}
	return nil
}
