package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/cmd/kubectl-sluice/render"
	"github.com/sluice-dev/sluice/controller/planner/why"
)

func newWhy(e *environment) *cobra.Command {
	return &cobra.Command{
		Use:   "why NAME",
		Short: "Say what a Rollout waits for, since when, and what would move it",
		Long: `Say in one paragraph what a Rollout waits for, since when, and what would move it: with the pods and the traffic that there
are, what is left of pauses and of the progress deadline, and how far analyses have measured.`,
		Example:           `  kubectl sluice why web`,
		GroupID:           groupSee,
		Args:              oneRollout,
		ValidArgsFunction: e.completeOneRollout,
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := e.target(nameOf(args[0]))
			if err != nil {
				return err
			}
			return t.explain(cmd.Context(), e.why(cmd.Context(), t))
		},
	}
}

// why reads a Rollout and its AnalysisRuns, and says why. Who may not read the runs is told what the status says of them.
func (e *environment) why(ctx context.Context, t target) error {
	r := &v1alpha1.Rollout{}
	if err := t.client.Get(ctx, t.key, r); err != nil {
		return err
	}
	b, err := belongingsOf(r)
	if err != nil {
		return err
	}
	if err := t.client.List(ctx, &b.analysisRuns, b.labelled...); err != nil && !apierrors.IsForbidden(err) {
		return err
	}
	width := 0
	if e.screen.terminal {
		width, _ = e.screen.size()
	}
	paragraph := why.Paragraph(why.Look{Rollout: r, Runs: b.analysisRuns.Items, Now: e.clock.Now()})
	_, err = fmt.Fprint(e.Out, render.Paragraph(paragraph, width))
	return err
}
