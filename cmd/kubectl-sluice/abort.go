package main

import (
	"github.com/spf13/cobra"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

func newAbort(e *environment) *cobra.Command {
	return steerer(e, v1alpha1.ActionAbort, &cobra.Command{
		Use:   "abort NAME",
		Short: "Send all traffic back to the stable revision",
		Long: `Send all traffic back to the stable revision, and end the release.

The spec stays as it is: the revision is not released again until a retry, or until another template takes its place.`,
		Example: `  kubectl sluice abort web`,
	})
}
