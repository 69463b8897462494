package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/runtime"
)

func newGet(e *environment) *cobra.Command {
	watch := false
	cmd := &cobra.Command{
		Use:   "get NAME",
		Short: "Show a Rollout with its revisions, ReplicaSets, pods and analyses",
		Long: `Show a Rollout with its revisions, ReplicaSets, pods and analyses.

With --watch, a terminal shows the tree as it changes; elsewhere each change adds a tree. With -o wide, pods have their
addresses and nodes, analyses what they say, and the releases that have ended stand below the tree.`,
		Example: `  kubectl sluice get web
  kubectl sluice get web --watch
  kubectl sluice get web -o yaml`,
		GroupID:           groupSee,
		Args:              oneRollout,
		ValidArgsFunction: e.completeOneRollout,
	}
	o := newOutput(cmd)
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "Show the tree again whenever something changes.")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		show, err := o.printer(cmd)
		if err != nil {
			return err
		}
		if show != nil && watch {
			return usage(cmd, "--watch shows the tree: leave -o out, or use \"kubectl sluice list --watch -o ...\"")
		}
		t, err := e.target(nameOf(args[0]))
		if err != nil {
			return err
		}
		tree := tree{environment: e, target: t, wide: o.isWide()}
		switch {
		case show != nil:
			err = e.stored(cmd.Context(), t, show)
		case watch:
			err = tree.watch(cmd.Context())
		default:
			err = tree.once(cmd.Context())
		}
		return t.explain(cmd.Context(), err)
	}
	return cmd
}

// stored shows a Rollout as the API server has it.
func (e *environment) stored(ctx context.Context, t target, show func(runtime.Object, io.Writer) error) error {
	rollout := rolloutAsStored()
	if err := t.client.Get(ctx, t.key, rollout); err != nil {
		return err
	}
	return show(rollout, e.Out)
}
