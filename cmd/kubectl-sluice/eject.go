package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"
)

func newEject(e *environment) *cobra.Command {
	timeout := takeoverTimeout
	cmd := &cobra.Command{
		Use:   "eject NAME",
		Short: "Put a Deployment in the place of a Rollout, pods and all",
		Long: `Put a Deployment in the place of a Rollout, pods and all: none ends and no request is lost.

The Deployment is made first, and held; then autoscalers are pointed at it, the Rollout is deleted without its pods, which
leaves Services and routes as they were before it, and the Deployment adopts the pods of the stable revision. A Rollout
whose template is in a Deployment gives that its pods back, and goes. Whatever cuts this short, the same command goes on.`,
		Example:           `  kubectl sluice eject web`,
		GroupID:           groupChange,
		Args:              oneRollout,
		ValidArgsFunction: e.completeOneRollout,
		RunE: func(cmd *cobra.Command, args []string) error {
			if timeout <= 0 {
				return usage(cmd, "--timeout %s: write a duration above 0, such as 1m", timeout)
			}
			return e.eject(cmd.Context(), nameOf(args[0]), timeout)
		},
	}
	cmd.Flags().DurationVar(&timeout, "timeout", timeout, "How long each wait may take.")
	return cmd
}

func (e *environment) eject(ctx context.Context, name string, timeout time.Duration) error {
	t, err := e.target(name)
	if err != nil {
		return err
	}
	return t.explain(ctx, e.takeover(t.client, timeout).Eject(ctx, t.key))
}
