package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/cmd/kubectl-sluice/render"
	"github.com/sluice-dev/sluice/controller/command"
	"github.com/sluice-dev/sluice/controller/revision"
)

const (
	// gatherDelay is how long changes are gathered before the tree is read again. A release changes pods, ReplicaSets
	// and the Rollout in bursts.
	gatherDelay = 250 * time.Millisecond
	// redrawInterval is how often a tree on a terminal is drawn again so that its ages go on.
	redrawInterval = time.Second
)

func newGet(e *environment) *cobra.Command {
	watch := false
	cmd := &cobra.Command{
		Use:   "get NAME",
		Short: "Show a Rollout with its revisions, ReplicaSets, pods and analyses",
		Long: `Show a Rollout with its revisions, ReplicaSets, pods and analyses.

With --watch, a terminal shows the tree as it changes; elsewhere each change adds a tree.`,
		Example: `  kubectl sluice get web
  kubectl sluice get web --watch
  kubectl sluice get web -o yaml`,
		GroupID:           groupSee,
		Args:              oneRollout,
		ValidArgsFunction: e.completeOneRollout,
	}
	o := newOutput(cmd, false)
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "Show the tree again whenever something changes.")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		show, err := o.printer(cmd)
		if err != nil {
			return err
		}
		t, err := e.rollout(nameOf(args[0]))
		if err != nil {
			return err
		}
		switch {
		case show != nil && watch:
			return usage(cmd, "--watch shows the tree: leave -o out, or use \"kubectl sluice list --watch -o ...\"")
		case show != nil:
			stored := rolloutAsStored()
			if err := t.client.Get(cmd.Context(), t.key, stored); err != nil {
				return t.explain(cmd.Context(), err)
			}
			return show(stored, e.Out)
		case watch:
			return t.explain(cmd.Context(), e.watchTree(cmd.Context(), t))
		}
		return e.tree(cmd.Context(), t)
	}
	return cmd
}

// tree shows a Rollout once.
func (e *environment) tree(ctx context.Context, t target) error {
	rollout := &v1alpha1.Rollout{}
	if err := t.client.Get(ctx, t.key, rollout); err != nil {
		return t.explain(ctx, err)
	}
	snapshot, err := e.snapshot(ctx, t, rollout)
	if err != nil {
		return t.explain(ctx, err)
	}
	_, err = fmt.Fprint(e.Out, render.Tree(snapshot, e.screen.palette))
	return err
}

// snapshot reads all that the tree of a Rollout shows.
func (e *environment) snapshot(ctx context.Context, t target, r *v1alpha1.Rollout) (render.Snapshot, error) {
	kinds, err := belongings(r)
	if err != nil {
		return render.Snapshot{}, err
	}
	for _, kind := range kinds {
		if err := t.client.List(ctx, kind.list, kind.scope...); err != nil {
			return render.Snapshot{}, err
		}
	}
	return render.Snapshot{
		Rollout:      r,
		ReplicaSets:  kinds[0].list.(*appsv1.ReplicaSetList).Items,
		Pods:         kinds[1].list.(*corev1.PodList).Items,
		AnalysisRuns: kinds[2].list.(*v1alpha1.AnalysisRunList).Items,
		Now:          e.clock.Now(),
	}, nil
}

// belongings are the kinds of objects below a Rollout, in the order of the tree.
func belongings(r *v1alpha1.Rollout) ([]watched, error) {
	selector, err := metav1.LabelSelectorAsSelector(r.Spec.Selector)
	if err != nil {
		return nil, fmt.Errorf("rollout %q: spec.selector: %w", r.Name, err)
	}
	selected := []client.ListOption{client.InNamespace(r.Namespace), client.MatchingLabelsSelector{Selector: selector}}
	labelled := []client.ListOption{
		client.InNamespace(r.Namespace), client.MatchingLabels{v1alpha1.LabelRollout: revision.LabelValue(r.Name)},
	}
	return []watched{
		{&appsv1.ReplicaSetList{}, selected},
		{&corev1.PodList{}, selected},
		{&v1alpha1.AnalysisRunList{}, labelled},
	}, nil
}

// watchTree shows a Rollout again and again, until it is interrupted or the Rollout is gone.
func (e *environment) watchTree(ctx context.Context, t target) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	rollout := &v1alpha1.Rollout{}
	if err := t.client.Get(ctx, t.key, rollout); err != nil {
		return err
	}
	kinds, err := belongings(rollout)
	if err != nil {
		return err
	}
	self := watched{&v1alpha1.RolloutList{}, []client.ListOption{
		client.InNamespace(t.key.Namespace), client.MatchingFields{"metadata.name": t.key.Name},
	}}
	changes, err := e.watchAll(ctx, t.client, append(kinds, self))
	if err != nil {
		return err
	}
	redraw := e.clock.NewTicker(redrawInterval)
	defer redraw.Stop()
	view := treeView{environment: e}
	for {
		if err := e.refresh(ctx, t, &view); err != nil {
			return err
		}
		if err := e.gather(ctx, changes, redraw.C(), &view); err != nil {
			return err
		}
	}
}

// refresh reads the tree and shows it. An API server that does not answer for a while leaves the last one in place.
func (e *environment) refresh(ctx context.Context, t target, view *treeView) error {
	rollout := &v1alpha1.Rollout{}
	err := t.client.Get(ctx, t.key, rollout)
	if apierrors.IsNotFound(err) {
		return fmt.Errorf("rollout %q was deleted", t.key.Name)
	}
	if err == nil {
		var snapshot render.Snapshot
		if snapshot, err = e.snapshot(ctx, t, rollout); err == nil {
			return view.show(snapshot)
		}
	}
	if command.Permanent(err) {
		return err
	}
	fmt.Fprintf(e.ErrOut, "Warning: %s; trying again\n", message(err))
	return e.sleep(ctx, rewatchDelay)
}

// gather returns when something has changed, a little later, so that what changes together is shown together. Meanwhile
// it lets the ages go on.
func (e *environment) gather(ctx context.Context, changes <-chan struct{}, redraw <-chan time.Time, view *treeView) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-redraw:
			if err := view.redraw(); err != nil {
				return err
			}
		case <-changes:
			return e.sleep(ctx, gatherDelay)
		}
	}
}

// treeView shows trees one after another: in the same place of a terminal, and below each other elsewhere.
type treeView struct {
	*environment
	snapshot render.Snapshot
	frame    render.Frame
	// shown is the last tree without its ages.
	shown string
}

// show shows a tree, unless it looks like the one before but for its ages, and there is no place to redraw.
func (v *treeView) show(s render.Snapshot) error {
	v.snapshot = s
	if v.screen.terminal {
		return v.redraw()
	}
	ageless := s
	ageless.Now = time.Time{}
	content := render.Tree(ageless, render.Monochrome)
	if content == v.shown {
		return nil
	}
	block(v.Out, render.Tree(s, v.screen.palette), v.shown == "")
	v.shown = content
	return nil
}

// redraw draws the last tree again, as old as it is now.
func (v *treeView) redraw() error {
	if !v.screen.terminal {
		return nil
	}
	v.snapshot.Now = v.clock.Now()
	width, height := v.screen.size()
	_, err := fmt.Fprint(v.Out, v.frame.Next(render.Tree(v.snapshot, v.screen.palette), width, height))
	return err
}
