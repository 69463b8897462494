package main

import (
	"github.com/spf13/cobra"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

func newRetry(e *environment) *cobra.Command {
	return steerer(e, v1alpha1.ActionRetry, &cobra.Command{
		Use:     "retry NAME",
		Short:   "Release an aborted revision again, from its first step",
		Example: `  kubectl sluice retry web`,
	})
}
