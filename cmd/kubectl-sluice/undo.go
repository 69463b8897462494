package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sluice-dev/sluice/controller/command"
)

func newUndo(e *environment) *cobra.Command {
	var number int64
	cmd := &cobra.Command{
		Use:   "undo NAME",
		Short: "Go back to an earlier revision",
		Long: `Go back to an earlier revision, by putting its template back into the spec.

Without --to-revision that is the stable revision while another one is being released or was aborted, and otherwise the
newest earlier revision that was promoted.`,
		Example: `  kubectl sluice undo web
  kubectl sluice undo web --to-revision 3`,
		GroupID:           groupChange,
		Args:              oneRollout,
		ValidArgsFunction: e.completeOneRollout,
		RunE: func(cmd *cobra.Command, args []string) error {
			if number < 0 {
				return usage(cmd, "--to-revision %d: revisions count from 1; \"kubectl sluice get %s\" shows them", number,
					nameOf(args[0]))
			}
			return e.undo(cmd.Context(), nameOf(args[0]), number)
		},
	}
	cmd.Flags().Int64Var(&number, "to-revision", command.Previous, "The number of the revision to go back to; 0 chooses the one before.")
	return cmd
}

func (e *environment) undo(ctx context.Context, name string, number int64) error {
	t, err := e.target(name)
	if err != nil {
		return err
	}
	revision, err := command.Undo(ctx, t.client, t.key, number)
	if err != nil {
		return t.explain(ctx, err)
	}
	fmt.Fprintf(e.Out, "rollout %q goes back to revision %s\n", name, revision)
	e.announce(ctx, t, revision.Hash)
	return nil
}
