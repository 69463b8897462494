package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/cmd/kubectl-sluice/render"
	"github.com/sluice-dev/sluice/controller/command"
)

// waiting is how status waits.
type waiting struct {
	watch   bool
	pauseOK bool
	timeout time.Duration
}

func newStatus(e *environment) *cobra.Command {
	w := waiting{}
	cmd := &cobra.Command{
		Use:   "status NAME",
		Short: "Wait until a release is done, and say how it went",
		Long: `Wait until a release is done, and say on the way what happens, one line for each change.

It ends when the latest edit is released and the Rollout is Healthy (exit code 0), or when it is aborted or Degraded (1).
Pauses are waited through, unless --pause-ok is given. Exit code 124 says that neither came within --timeout or, with
--watch=false, that neither is the case now.`,
		Example: `  kubectl sluice status web --timeout 10m
  kubectl sluice status web --watch=false`,
		GroupID:           groupSee,
		Args:              oneRollout,
		ValidArgsFunction: e.completeOneRollout,
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.status(cmd.Context(), nameOf(args[0]), w)
		},
	}
	cmd.Flags().BoolVarP(&w.watch, "watch", "w", true, "Wait for the end of the release.")
	cmd.Flags().BoolVar(&w.pauseOK, "pause-ok", false, "Take a release that waits for a person or a time as done.")
	cmd.Flags().DurationVarP(&w.timeout, "timeout", "t", 0, "How long to wait; 0 is for ever.")
	return cmd
}

// status follows a Rollout to its end, or looks once.
func (e *environment) status(ctx context.Context, name string, w waiting) error {
	t, err := e.target(name)
	if err != nil {
		return err
	}
	code, lines := exitTimeout, printer{environment: e}
	look := func(r *v1alpha1.Rollout) (bool, error) {
		lines.print(r)
		var ended bool
		code, ended = verdict(r, w.pauseOK)
		return ended || !w.watch, nil
	}
	err = e.follower(t).Follow(ctx, t.key, w.timeout, look)
	switch {
	case errors.Is(err, command.ErrTimeout):
		return fmt.Errorf("rollout %q was not done within %s; \"kubectl sluice get %s\" shows what it waits for: %w", name, w.timeout,
			name, err)
	case apierrors.IsNotFound(err) && lines.last != "":
		return t.gone()
	case err != nil:
		return t.explain(ctx, err)
	case code != exitDone:
		return &exitError{code}
	}
	return nil
}

// verdict is the exit code for the state of a Rollout, and whether a release has come to its end there. What the
// controller has not seen yet, an edit or a command, means that it has not.
func verdict(r *v1alpha1.Rollout, pauseOK bool) (code int, ended bool) {
	if _, pending := command.Pending(r); pending || !command.Observed(r) {
		return exitTimeout, false
	}
	switch r.Status.Phase {
	case v1alpha1.PhaseHealthy:
		return exitDone, true
	case v1alpha1.PhaseDegraded:
		return exitFailed, !onTheWayBack(r)
	case v1alpha1.PhasePaused:
		if pauseOK {
			return exitDone, true
		}
	case v1alpha1.PhaseProgressing:
	}
	return exitTimeout, false
}

// onTheWayBack says whether an abort is still moving traffic, so that its end can be waited for. An abort that cannot go
// on by itself is not.
func onTheWayBack(r *v1alpha1.Rollout) bool {
	return r.Status.State.Stage == v1alpha1.StageRetreating &&
		!meta.IsStatusConditionTrue(r.Status.Conditions, v1alpha1.ConditionStalled)
}

// printer prints the line of a Rollout when it is not the one before.
type printer struct {
	*environment
	last string
}

func (p *printer) print(r *v1alpha1.Rollout) {
	line := render.Line(r, p.screen.palette)
	if !command.Observed(r) && r.Status.Phase != "" {
		line = "The controller has not looked at the latest edit yet"
	}
	if line != p.last {
		fmt.Fprintln(p.Out, line)
	}
	p.last = line
}
