package command

import (
	"context"
	"fmt"
	"time"

	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// FieldManager owns, in managedFields, what this package writes.
const FieldManager = "kubectl-sluice"

// Client reads Rollouts and what they own, and patches Rollouts. A client that reads from a cache is good enough: each
// write fails, and is tried again, when what was read is out of date.
type Client interface {
	client.Reader
	// Patch patches an object.
	Patch(ctx context.Context, obj client.Object, patch client.Patch, opts ...client.PatchOption) error
}

// Send writes a command for the revision that the Rollout shows, when Check allows it. The id tells this request from
// every other: 1 to 64 letters, digits, dots, colons, dashes or underscores. When the Rollout changes under the write,
// it is read and checked again; if another revision has taken the place of the first one seen, nothing is sent.
func Send(ctx context.Context, c Client, key client.ObjectKey, action, id string) (v1alpha1.Command, error) {
	var sent v1alpha1.Command
	err := edit(ctx, c, key, func(r *v1alpha1.Rollout) (client.Patch, error) {
		revision, err := Check(action, r)
		if err != nil {
			return nil, err
		}
		if sent.Revision != "" && sent.Revision != revision {
			return nil, refuse(Describe(r), "it was at revision %s a moment ago, so nothing was sent; look again with "+
				"\"kubectl sluice get %s\"", sent.Revision, r.Name)
		}
		sent = v1alpha1.Command{Action: action, Revision: revision, ID: id}
		if _, err := v1alpha1.ParseCommand(sent.String()); err != nil {
			return nil, err
		}
		return annotate(r, sent), nil
	})
	if err != nil {
		return v1alpha1.Command{}, err
	}
	return sent, nil
}

// annotate makes the patch that carries a command, good only for the very Rollout that was seen.
func annotate(r *v1alpha1.Rollout, command v1alpha1.Command) client.Patch {
	before := r.DeepCopy()
	if r.Annotations == nil {
		r.Annotations = map[string]string{}
	}
	r.Annotations[v1alpha1.AnnotationCommand] = command.String()
	return client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
}

// edit reads a Rollout and patches it with what change returns; a nil patch means that there is nothing to write. It
// starts over, a few times, when the API server answers that the Rollout has changed in between.
func edit(ctx context.Context, c Client, key client.ObjectKey, change func(*v1alpha1.Rollout) (client.Patch, error)) error {
	return retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		rollout := &v1alpha1.Rollout{}
		if err := c.Get(ctx, key, rollout); err != nil {
			return err
		}
		if rollout.DeletionTimestamp != nil {
			return beingDeleted(rollout)
		}
		patch, err := change(rollout)
		if err != nil || patch == nil {
			return err
		}
		return c.Patch(ctx, rollout, patch, client.FieldOwner(FieldManager))
	})
}

// Await waits until the controller has answered a command, and returns the answer. The error is ErrTimeout when it does
// not within timeout (0: no limit); the command then still stands, and is handled when the controller runs again.
func (f Follower) Await(ctx context.Context, key client.ObjectKey, sent v1alpha1.Command, timeout time.Duration,
) (v1alpha1.CommandStatus, error) {
	var answer v1alpha1.CommandStatus
	err := f.Follow(ctx, key, timeout, func(r *v1alpha1.Rollout) (bool, error) {
		if last := r.Status.LastCommand; last != nil && last.ID == sent.ID {
			answer = *last
			return true, nil
		}
		if now := r.Annotations[v1alpha1.AnnotationCommand]; now != sent.String() {
			return false, replaced(r, sent, now)
		}
		return false, nil
	})
	return answer, err
}

func replaced(r *v1alpha1.Rollout, sent v1alpha1.Command, now string) error {
	state := fmt.Sprintf("no answer to the %s of revision %s of rollout %q was seen", sent.Action, sent.Revision, r.Name)
	if now == "" {
		return refuse(state, "someone removed the annotation %s before the controller read it; send it again",
			v1alpha1.AnnotationCommand)
	}
	return refuse(state, "someone replaced it by %q before the controller read it; look again with "+
		"\"kubectl sluice get %s\"", now, r.Name)
}
