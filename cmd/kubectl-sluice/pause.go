package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/command"
)

func newPause(e *environment) *cobra.Command {
	return &cobra.Command{
		Use:   "pause NAME",
		Short: "Hold a release where it is (spec.paused)",
		Long: `Hold a release where it is, by setting spec.paused.

No release starts and no weight rises until it is resumed. Scaling goes on, and an abort still works.`,
		Example:           `  kubectl sluice pause web`,
		GroupID:           groupSteer,
		Args:              oneRollout,
		ValidArgsFunction: e.completeOneRollout,
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.setPaused(cmd.Context(), nameOf(args[0]), command.Pause, "paused")
		},
	}
}

// setPaused pauses or resumes, and says so.
func (e *environment) setPaused(ctx context.Context, name string,
	set func(context.Context, command.Client, client.ObjectKey) (*v1alpha1.Rollout, error), done string,
) error {
	t, err := e.target(name)
	if err != nil {
		return err
	}
	r, err := set(ctx, t.client, t.key)
	if err != nil {
		return t.explain(ctx, err)
	}
	fmt.Fprintf(e.Out, "rollout %q %s%s\n", name, done, position(r))
	e.warnOfDeployer(r)
	return nil
}

// position says where a Rollout is: " at step 2/4 of revision x", " at revision y".
func position(r *v1alpha1.Rollout) string {
	state := r.Status.State
	switch {
	case state.Stage == v1alpha1.StageStepping && r.Status.Step != "":
		return fmt.Sprintf(" at step %s of revision %s", r.Status.Step, state.Candidate)
	case state.Candidate != "":
		return " at revision " + state.Candidate
	case state.Stable != "":
		return " at revision " + state.Stable
	default:
		return ""
	}
}

// warnOfDeployer warns that an edit of the spec may not last.
func (e *environment) warnOfDeployer(r *v1alpha1.Rollout) {
	if deployer := command.Deployer(r); deployer != "" {
		fmt.Fprintf(e.ErrOut, "Warning: %s deploys rollout %q and may revert this; change it there as well\n", deployer, r.Name)
	}
}
