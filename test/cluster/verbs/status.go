package verbs

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

func newStatus() *cobra.Command {
	var t target
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show what runs and where; fails unless the cluster is healthy",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			m, c, err := t.work()
			if err != nil {
				return err
			}
			table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(table, "COMPONENT\tPID\tSTATE")
			for _, s := range m.Status(cmd.Context()) {
				fmt.Fprintf(table, "%s\t%d\t%s\n", s.Name, s.PID, s.State)
			}
			if err := table.Flush(); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout())
			if err := printEnv(cmd.OutOrStdout(), c, m.Settings()); err != nil {
				return err
			}
			if err := m.Healthy(cmd.Context()); err != nil {
				return fmt.Errorf("cluster %s is not healthy: %w; make it whole with: cluster up --name %s", c.Name, err, c.Name)
			}
			return nil
		},
	}
	t.addTo(cmd)
	return cmd
}
