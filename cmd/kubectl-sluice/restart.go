package main

import (
	"github.com/spf13/cobra"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

func newRestart(e *environment) *cobra.Command {
	return steerer(e, v1alpha1.ActionRestart, &cobra.Command{
		Use:   "restart NAME",
		Short: "Replace every pod, a few at a time",
		Long: `Replace every pod, a few at a time.

The template stays as it is, so this is no release: it takes no steps, and moves no traffic between revisions.`,
		Example: `  kubectl sluice restart web`,
	})
}
