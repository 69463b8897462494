package command

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// Pause sets spec.paused and returns the Rollout as it is then. A Rollout that is paused already is a Refusal.
func Pause(ctx context.Context, c Client, key client.ObjectKey) (*v1alpha1.Rollout, error) {
	return setPaused(ctx, c, key, true)
}

// Resume clears spec.paused and returns the Rollout as it is then. A Rollout that is not paused is a Refusal.
func Resume(ctx context.Context, c Client, key client.ObjectKey) (*v1alpha1.Rollout, error) {
	return setPaused(ctx, c, key, false)
}

func setPaused(ctx context.Context, c Client, key client.ObjectKey, paused bool) (*v1alpha1.Rollout, error) {
	var result *v1alpha1.Rollout
	err := edit(ctx, c, key, func(r *v1alpha1.Rollout) (client.Patch, error) {
		if err := checkPaused(r, paused); err != nil {
			return nil, err
		}
		before := r.DeepCopy()
		r.Spec.Paused = paused
		result = r
		return client.MergeFrom(before), nil
	})
	if err != nil {
		return nil, err
	}
	return result, nil
}

// checkPaused refuses a pause or a resume that would change nothing. A release that waits at the pause of a step is not
// paused in this sense, and needs a promote.
func checkPaused(r *v1alpha1.Rollout, paused bool) error {
	switch {
	case paused && r.Spec.Paused:
		return refuse(Describe(r)+pausedAlready(r), "to let it go on use \"kubectl sluice resume %s\"", r.Name)
	case !paused && !r.Spec.Paused && r.Status.State.Stage == v1alpha1.StageStepping && waitsForPerson(r):
		return refuse(Describe(r)+", and spec.paused is not set", "it waits at a step; to let it go on use "+
			"\"kubectl sluice promote %s\"", r.Name)
	case !paused && !r.Spec.Paused:
		return refuse(Describe(r)+", and spec.paused is not set", "there is nothing to resume; \"kubectl sluice get %s\" "+
			"shows what it does", r.Name)
	}
	return nil
}

// pausedAlready completes the state of a Rollout, unless the state says so itself.
func pausedAlready(r *v1alpha1.Rollout) string {
	if r.Status.State.Stage == v1alpha1.StageStepping {
		return ""
	}
	return ", and paused"
}
