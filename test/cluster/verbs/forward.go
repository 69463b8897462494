package verbs

import (
	"github.com/spf13/cobra"

	"github.com/sluice-dev/sluice/test/cluster/forward"
)

// newForward is the component that leads from the host into the cluster. Only
// the launcher itself runs it.
func newForward() *cobra.Command {
	return &cobra.Command{
		Use:    "forward ADDRESS...",
		Hidden: true,
		Args:   cobra.MinimumNArgs(1),
		RunE:   func(cmd *cobra.Command, targets []string) error { return forward.Serve(cmd.Context(), targets) },
	}
}
