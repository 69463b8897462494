package rollout

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
)

// record writes the status of a pass, in one patch, and only when it differs: a start of the controller, a resync or an
// edit that changes nothing for the machine writes nothing. The events of the pass come after the status, which is the
// record: an event without it would tell of something that may happen again.
func (r *Reconciler) record(ctx context.Context, w *world, plan planner.Plan) error {
	old := w.rollout.Status
	status := planner.Record(old, w.snapshot, plan, w.rollout.Generation)
	status.Strategy = w.rollout.Spec.StrategyName()
	status.Selector = w.counted().String()
	if plan.Record != nil && len(status.History) > 0 {
		status.History[0].Images = w.images(plan.Record.Revision)
	}
	status.Workload = w.workloadStatus(plan)
	status.Configuration = w.configurationStatus(plan)
	status.Routes = w.routesStatus()
	if w.badCommand != nil {
		status.LastCommand = w.badCommand
	}
	fit(&status)
	if equality.Semantic.DeepEqual(old, status) {
		return nil
	}
	written, err := r.writeStatus(ctx, w.rollout, status)
	if err != nil {
		return err
	}
	if old.Phase != status.Phase || w.snapshot.LastReason != plan.Why.Reason || old.State.Step != status.State.Step {
		log.FromContext(ctx).Info("rollout moved", "phase", status.Phase, "reason", plan.Why.Reason,
			"message", plan.Why.Message, "stage", status.State.Stage, "step", status.Step, "weight", status.Weight,
			"actions", plan.String())
	}
	r.tell(written, w, plan)
	return nil
}

// maxStatusMessage is the length that the API allows for status.message.
const maxStatusMessage = 2048

// maxScaleDowns is how many delays the API allows in status.state.scaleDowns.
const maxScaleDowns = 32

// fit cuts every sentence to what the API allows for it. One that is made of others, such as the message of an analysis
// within the reason for an abort, may be longer, and the API server would refuse the whole status: the release would
// never learn of its own abort. Of more delays than there is room for the newest stay; the pods of the others go now.
func fit(status *v1alpha1.RolloutStatus) {
	delays := status.State.ScaleDowns
	status.State.ScaleDowns = delays[max(0, len(delays)-maxScaleDowns):]
	status.Message = cut(status.Message, maxStatusMessage)
	status.State.Message = cut(status.State.Message, maxMessage)
	if status.LastCommand != nil {
		status.LastCommand.Message = cut(status.LastCommand.Message, maxMessage)
	}
	for i := range status.History {
		status.History[i].Message = cut(status.History[i].Message, maxMessage)
	}
}

// writeStatus patches what differs in the status, if the Rollout is still as it was observed.
func (r *Reconciler) writeStatus(ctx context.Context, rollout *v1alpha1.Rollout, status v1alpha1.RolloutStatus) (
	*v1alpha1.Rollout, error,
) {
	// The spec is left out: it does not differ, and is most of what would be compared.
	before := &v1alpha1.Rollout{ObjectMeta: metav1.ObjectMeta{
		Namespace: rollout.Namespace, Name: rollout.Name, ResourceVersion: rollout.ResourceVersion,
	}}
	changed := before.DeepCopy()
	before.Status, changed.Status = rollout.Status, status
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	return changed, r.writes.PatchStatus(ctx, changed, patch)
}

// recordCollision changes the hash of the target, because somebody else's ReplicaSet has its name. Nothing else is
// recorded: what the plan wanted did not happen. The error that comes back says that the pass ends here.
func (r *Reconciler) recordCollision(ctx context.Context, w *world, taken *collisionError) error {
	status := *w.rollout.Status.DeepCopy()
	status.State.CollisionCount++
	log.FromContext(ctx).Info("hash collision", "replicaSet", taken.name, "collisionCount", status.State.CollisionCount)
	if _, err := r.writeStatus(ctx, w.rollout, status); err != nil {
		return err
	}
	return taken
}

// images are the images of a revision: from its ReplicaSet, or from the template when it has none yet.
func (w *world) images(hash string) []string {
	if rs, ok := w.replicaSets[hash]; ok {
		return v1alpha1.Images(&rs.Spec.Template)
	}
	if hash == w.snapshot.Target && w.template != nil {
		return v1alpha1.Images(w.template)
	}
	return nil
}

// selectorOf is the selector of a Rollout; one that cannot be read, of which ValidateRollout tells, selects nothing.
func selectorOf(rollout *v1alpha1.Rollout) labels.Selector {
	parsed, err := metav1.LabelSelectorAsSelector(rollout.Spec.Selector)
	if err != nil {
		return labels.Nothing()
	}
	return parsed
}

// counted is the selector of the pods that the status counts: without those of fresh baselines, where there may be any.
func (w *world) counted() labels.Selector {
	selector := selectorOf(w.rollout)
	if len(w.baselines) == 0 && !w.rollout.Spec.Experiments() {
		return selector
	}
	none, err := labels.NewRequirement(v1alpha1.LabelBaselineOf, selection.DoesNotExist, nil)
	if err != nil {
		return selector
	}
	return selector.Add(*none)
}

func metaMicro(t time.Time) metav1.MicroTime { return metav1.NewMicroTime(t) }
