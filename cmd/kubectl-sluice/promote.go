package main

import (
	"github.com/spf13/cobra"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

func newPromote(e *environment) *cobra.Command {
	var full, skipStep bool
	s := &sending{}
	cmd := &cobra.Command{
		Use:   "promote NAME",
		Short: "Let a release go on from the step where it waits",
		Long: `Let a release go on from the step where it waits.

It opens the pause of the current step, or decides an analysis that was inconclusive. An analysis that still runs goes on
and must pass; --skip-step does not wait for it, and --full skips all the steps that are left.`,
		Example: `  kubectl sluice promote web
  kubectl sluice promote web --full`,
		GroupID:           groupSteer,
		Args:              oneRollout,
		ValidArgsFunction: e.completeOneRollout,
		RunE: func(cmd *cobra.Command, args []string) error {
			action := v1alpha1.ActionPromote
			switch {
			case full && skipStep:
				return usage(cmd, "--full skips all steps and --skip-step one: give one of them")
			case full:
				action = v1alpha1.ActionPromoteFull
			case skipStep:
				action = v1alpha1.ActionSkipStep
			}
			return e.send(cmd.Context(), nameOf(args[0]), action, *s)
		},
	}
	cmd.Flags().BoolVar(&full, "full", false, "Skip all the steps that are left, with their pauses and analyses.")
	cmd.Flags().BoolVar(&skipStep, "skip-step", false, "Skip what is left of the current step, with its pause and analysis.")
	s.addFlags(cmd)
	return cmd
}
