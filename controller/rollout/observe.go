package rollout

import (
	"cmp"
	"context"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
	"github.com/sluice-dev/sluice/controller/revision"
	"github.com/sluice-dev/sluice/trafficrouting"
)

// world is one look at everything that a decision about a Rollout depends on: the snapshot that the planner sees, and
// the objects behind it, which the writes need.
type world struct {
	// rollout has the template and the selector of its workload, if it names one.
	rollout  *v1alpha1.Rollout
	snapshot planner.Snapshot
	// reference is spec.workloadRef, and workload the Deployment that it names; nil when there is none.
	reference *v1alpha1.WorkloadReference
	workload  *unstructured.Unstructured
	// template is the pod template for reading; nil when it cannot be decoded.
	template *corev1.PodTemplateSpec
	// replicaSets of the Rollout, by revision.
	replicaSets map[string]*appsv1.ReplicaSet
	// baselines are the ReplicaSets of fresh baselines, by their hashes, and baseline the Service that reaches one; nil when it
	// is not there, or somebody else's.
	baselines map[string]*appsv1.ReplicaSet
	baseline  *corev1.Service
	// identity of the template, which names its revision unless a ReplicaSet was adopted or a name was taken.
	identity string
	// orphans are ReplicaSets that nobody controls and that the selector selects, with the largest number first.
	orphans []*appsv1.ReplicaSet
	// active and standby are the Services; nil when they do not exist or the spec names none.
	active, standby *corev1.Service
	// claimed are those of its Services that another Rollout moves.
	claimed map[string]bool
	// shared says that something that stays names the standby Service: another Rollout, or a route that cannot be put back.
	shared bool
	// pods of the Rollout by revision, while a restart is asked for.
	pods map[string][]corev1.Pod
	// runs are all AnalysisRuns of the Rollout, the newest first.
	runs []v1alpha1.AnalysisRun
	// router and target share traffic by routes; router is nil when the spec names no routes, or the cluster serves none.
	router trafficrouting.Router
	target trafficrouting.Target
	// left are routes that the Rollout no longer has to do with, and that are not yet what they were.
	left []trafficrouting.Route
	// attached says that a route names the standby Service beside the active one.
	attached bool
	// source is what counts the requests that the routes send; empty when it is not known.
	source v1alpha1.MetricSource
	// ownsRoutes says that a route is the Rollout's own.
	ownsRoutes bool
	// configuration is what the template reads from ConfigMaps and Secrets.
	configuration settings
	// badCommand is the answer to a command that cannot be read; nil when there is none.
	badCommand *v1alpha1.CommandStatus
	// retry is when to look again at something that no watch tells of; 0 when there is no such thing.
	retry time.Duration
}

// observe reads everything, from the cache, and writes nothing. What there is no cache of is read from the
// API server, and only when it is needed: pods while a restart is asked for, or when a release has waited for them for some
// time; the content of ConfigMaps that have changed and of Secrets; and a ReplicaSet that may be adopted, as a whole.
func (r *Reconciler) observe(ctx context.Context, rollout *v1alpha1.Rollout) (*world, error) {
	w := &world{rollout: rollout}
	w.snapshot.Now = r.clock.Now().Truncate(time.Microsecond)
	w.snapshot.Since = r.shifts.since(client.ObjectKeyFromObject(rollout), r.since)
	w.snapshot.State = rollout.Status.State
	w.snapshot.LastReason, w.snapshot.LastMessage = lastReason(&rollout.Status), rollout.Status.Message
	w.observeCommand()
	if err := r.observeWorkload(ctx, w); err != nil {
		return nil, err
	}
	w.observeSpec(r.settle)
	for _, part := range []func(context.Context, *world) error{
		r.observeConfiguration,
		r.observeReplicaSets,
		r.observePods,
		r.observeHindrance,
		r.observeServices,
		r.observeBaseline,
		r.observeRoutes,
		r.observeAnalyses,
		r.observeProbe,
		r.observeTurn,
	} {
		if err := part(ctx, w); err != nil {
			return nil, err
		}
	}
	if rollout.DeletionTimestamp != nil {
		w.observeLeaving()
	}
	return w, nil
}

// observeSpec checks and compiles the spec. What is wrong with it should have been refused by the API server, and was not
// when it was stored before a rule existed. A spec that cannot be compiled still gets steps to plan with, those of an update
// without a strategy, so that pods and traffic are kept as they are while the problem is told.
func (w *world) observeSpec(settle time.Duration) {
	for _, err := range v1alpha1.ValidateRollout(w.rollout) {
		w.problem(v1alpha1.ReasonInvalidSpec, err.Field, err.ErrorBody())
	}
	spec := &w.rollout.Spec
	compiled, err := planner.Compile(spec, settle)
	if err != nil {
		if len(w.snapshot.Problems) == 0 {
			w.problem(v1alpha1.ReasonInvalidSpec, "", err.Error())
		}
		compiled, _ = planner.Compile(withoutStrategy(spec), settle)
	}
	w.snapshot.Spec = compiled
	if template, err := spec.PodTemplate(); err == nil && spec.WorkloadRef == nil {
		w.template = template
	}
}

// withoutStrategy is a spec that compiles.
func withoutStrategy(spec *v1alpha1.RolloutSpec) *v1alpha1.RolloutSpec {
	out := spec.DeepCopy()
	out.Strategy = v1alpha1.Strategy{RollingUpdate: &v1alpha1.RollingUpdateStrategy{}}
	return out
}

// observeTarget finds the revision that the template asks for. A template that has a ReplicaSet keeps its hash, also
// when a collision has changed the hash that a new ReplicaSet would get, or when the ReplicaSet was adopted and so has the
// hash that somebody else gave it.
func (w *world) observeTarget() {
	switch {
	case w.rollout.Spec.WorkloadRef != nil: // the workload is missing
		w.snapshot.Target = w.rollout.Status.UpdateRevision
	case w.configuration.unknown: // it stays as it is
		w.snapshot.Target = w.knownTarget()
	default:
		w.findTarget()
	}
}

// knownTarget is the revision to run while the contents that the template reads are not known: the one of it that there is,
// so that the stable template is a return at any time, or else what runs.
func (w *world) knownTarget() string {
	state := w.snapshot.State
	for _, hash := range []string{state.Candidate, state.Stable} {
		if rs, exists := w.replicaSets[hash]; exists && w.hasTemplate(rs) {
			return hash
		}
	}
	return cmp.Or(state.Candidate, state.Stable)
}

// hasTemplate says whether a ReplicaSet was made of the template, whatever contents it reads.
func (w *world) hasTemplate(rs *appsv1.ReplicaSet) bool {
	raw, err := w.rollout.Spec.Template.MarshalJSON()
	if err != nil {
		return false
	}
	now, err := revision.Hash(w.written(raw), 0)
	if err != nil {
		return false
	}
	then, err := revision.Hash([]byte(rs.Annotations[v1alpha1.AnnotationTemplate]), 0)
	return err == nil && then == now // without an annotation it was too long to be kept
}

// findTarget finds the revision of the template that there is.
func (w *world) findTarget() {
	raw, err := w.rollout.Spec.Template.MarshalJSON()
	state := w.snapshot.State
	if err == nil {
		w.snapshot.Target, w.identity, err = revision.Target(raw, w.known(), state.CollisionCount)
	}
	if err != nil {
		w.problem(v1alpha1.ReasonInvalidSpec, "spec.template", err.Error())
		w.snapshot.Target = state.Stable
	}
}

// known are the revisions that there are.
func (w *world) known() []revision.Known {
	out := make([]revision.Known, 0, len(w.replicaSets))
	for hash, rs := range w.replicaSets {
		out = append(out, revision.Known{
			Hash: hash, Identity: rs.Annotations[v1alpha1.AnnotationIdentity], Number: v1alpha1.RevisionNumber(rs),
		})
	}
	return out
}

// observeCommand reads the command in the annotation. One that cannot be read is answered under its whole text, so that
// the same request id, written rightly, is another request.
func (w *world) observeCommand() {
	last := w.rollout.Status.LastCommand
	if last != nil {
		w.snapshot.LastCommandID = last.ID
	}
	text := w.rollout.Annotations[v1alpha1.AnnotationCommand]
	if text == "" {
		return
	}
	command, err := v1alpha1.ParseCommand(text)
	if err == nil {
		w.snapshot.Command = command
		return
	}
	id := cut(text, maxCommandID)
	if last != nil && last.ID == id {
		return
	}
	w.badCommand = &v1alpha1.CommandStatus{
		ID: id, Action: cut(command.Action, maxCommandID), Message: cut(err.Error(), maxMessage), At: metaMicro(w.snapshot.Now),
	}
}

// lastReason is what people have been told: every condition but Available has the one reason.
func lastReason(status *v1alpha1.RolloutStatus) string {
	for _, c := range status.Conditions {
		if c.Type == v1alpha1.ConditionReady {
			return c.Reason
		}
	}
	return ""
}
