package verbs

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
)

func newLogs() *cobra.Command {
	var t target
	var pathOnly bool
	cmd := &cobra.Command{
		Use:   "logs COMPONENT",
		Short: "Print a component's log",
		Args:  oneComponent,
		RunE: func(cmd *cobra.Command, args []string) error {
			m, c, err := t.work()
			if err != nil {
				return err
			}
			if err := m.CheckComponent(args[0]); err != nil {
				return err
			}
			path := c.Log(args[0])
			if pathOnly {
				_, err := fmt.Fprintln(cmd.OutOrStdout(), path)
				return err
			}
			file, err := os.Open(path)
			if err != nil {
				return err
			}
			defer file.Close()
			_, err = io.Copy(cmd.OutOrStdout(), file)
			return err
		},
	}
	t.addTo(cmd)
	cmd.Flags().BoolVar(&pathOnly, "path", false, "print the log's path instead, for instance to follow it")
	return cmd
}
