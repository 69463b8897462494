package verbs

import (
	"github.com/spf13/cobra"

	"github.com/sluice-dev/sluice/test/cluster/lifecycle"
)

func newDown() *cobra.Command {
	var t target
	cmd := &cobra.Command{
		Use:   "down",
		Short: "Take the cluster down and leave nothing of it",
		Long: `Take the cluster down and leave nothing of it.

Ends the processes that were started and no others, and removes containers,
namespaces, control groups, data and logs. The programs that were built stay.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			c, err := t.layout()
			if err != nil {
				return err
			}
			return lifecycle.Down(c, newReport())
		},
	}
	t.addTo(cmd)
	return cmd
}
