package main

import (
	"github.com/spf13/cobra"

	"github.com/sluice-dev/sluice/controller/command"
)

func newResume(e *environment) *cobra.Command {
	return &cobra.Command{
		Use:   "resume NAME",
		Short: "Let a paused Rollout go on (spec.paused)",
		Long: `Let a paused Rollout go on, by clearing spec.paused.

A release that waits at the pause of a step is not paused in this sense; "kubectl sluice promote" lets it go on.`,
		Example:           `  kubectl sluice resume web`,
		GroupID:           groupSteer,
		Args:              oneRollout,
		ValidArgsFunction: e.completeOneRollout,
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.setPaused(cmd.Context(), nameOf(args[0]), command.Resume, "resumed")
		},
	}
}
