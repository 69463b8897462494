package main

import (
	"context"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
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

// tree is a Rollout with all that is below it, to be read and shown.
type tree struct {
	*environment
	target
	wide bool
}

// once shows the tree as it is.
func (t *tree) once(ctx context.Context) error {
	snapshot, err := t.read(ctx)
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(t.Out, render.Tree(snapshot, render.View{Palette: t.screen.palette, Wide: t.wide}))
	return err
}

// read reads all that the tree shows.
func (t *tree) read(ctx context.Context) (render.Snapshot, error) {
	rollout := &v1alpha1.Rollout{}
	if err := t.client.Get(ctx, t.key, rollout); err != nil {
		return render.Snapshot{}, err
	}
	b, err := belongingsOf(rollout)
	if err != nil {
		return render.Snapshot{}, err
	}
	for _, kind := range b.kinds() {
		if err := t.client.List(ctx, kind.list, kind.scope...); err != nil {
			return render.Snapshot{}, err
		}
	}
	return render.Snapshot{
		Rollout:      rollout,
		ReplicaSets:  b.replicaSets.Items,
		Pods:         b.pods.Items,
		AnalysisRuns: b.analysisRuns.Items,
		Now:          t.clock.Now(),
	}, nil
}

// belongings are the objects below a Rollout, and where to find them.
type belongings struct {
	replicaSets        appsv1.ReplicaSetList
	pods               corev1.PodList
	analysisRuns       v1alpha1.AnalysisRunList
	selected, labelled []client.ListOption
}

func belongingsOf(r *v1alpha1.Rollout) (*belongings, error) {
	selector, err := command.Selector(r)
	if err != nil {
		return nil, fmt.Errorf("rollout %q: spec.selector: %w", r.Name, err)
	}
	namespace := client.InNamespace(r.Namespace)
	return &belongings{
		selected: []client.ListOption{namespace, client.MatchingLabelsSelector{Selector: selector}},
		labelled: []client.ListOption{namespace, client.MatchingLabels{v1alpha1.LabelRollout: revision.LabelValue(r.Name)}},
	}, nil
}

func (b *belongings) kinds() []watched {
	return []watched{{&b.replicaSets, b.selected}, {&b.pods, b.selected}, {&b.analysisRuns, b.labelled}}
}

// watch shows the tree again and again, until it is interrupted or the Rollout is gone.
func (t *tree) watch(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	rollout := &v1alpha1.Rollout{}
	if err := t.client.Get(ctx, t.key, rollout); err != nil {
		return err
	}
	b, err := belongingsOf(rollout)
	if err != nil {
		return err
	}
	self := watched{&v1alpha1.RolloutList{}, []client.ListOption{
		client.InNamespace(t.key.Namespace), client.MatchingFields{"metadata.name": t.key.Name},
	}}
	changes, err := t.watchAll(ctx, t.client, append(b.kinds(), self))
	if err != nil {
		return err
	}
	ticker := t.clock.NewTicker(redrawInterval)
	defer ticker.Stop()
	view := treeView{environment: t.environment, view: render.View{Palette: t.screen.palette, Wide: t.wide}}
	for {
		snapshot, err := t.readPatiently(ctx, &view)
		if err != nil {
			return err
		}
		if err := view.show(snapshot); err != nil {
			return err
		}
		if err := view.age(ctx, changes, ticker.C()); err != nil {
			return err
		}
	}
}

// readPatiently reads the tree, from an API server that may not answer for a while. The last tree stays where it is, with
// what is wrong below it.
func (t *tree) readPatiently(ctx context.Context, view *treeView) (render.Snapshot, error) {
	for warned := ""; ; {
		snapshot, err := t.read(ctx)
		switch {
		case err == nil:
			return snapshot, nil
		case apierrors.IsNotFound(err):
			return snapshot, t.gone()
		case command.Permanent(err):
			return snapshot, err
		}
		if err.Error() != warned {
			warned = err.Error()
			t.warnOfRetry(err)
			view.frame = render.Frame{}
		}
		if err := t.sleep(ctx, rewatchDelay); err != nil {
			return snapshot, err
		}
	}
}

// treeView shows trees one after another: in the same place of a terminal, and below each other elsewhere.
type treeView struct {
	*environment
	view     render.View
	snapshot render.Snapshot
	frame    render.Frame
	// shown is the last tree without its ages.
	shown string
}

// show shows a tree. Where there is no place to redraw, one that looks like the one before but for its ages is not shown.
func (v *treeView) show(s render.Snapshot) error {
	v.snapshot = s
	if v.screen.terminal {
		return v.redraw()
	}
	ageless := s
	ageless.Now = time.Time{}
	content := render.Tree(ageless, v.view)
	if content == v.shown {
		return nil
	}
	text := render.Tree(s, v.view)
	if v.shown != "" {
		text = "\n" + text
	}
	v.shown = content
	_, err := fmt.Fprint(v.Out, text)
	return err
}

// age lets the ages of the tree go on until something has changed, and a little longer, so that what changes together is
// shown together.
func (v *treeView) age(ctx context.Context, changes <-chan struct{}, ticks <-chan time.Time) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changes:
			return v.sleep(ctx, gatherDelay)
		case <-ticks:
			if err := v.redraw(); err != nil {
				return err
			}
		}
	}
}

// redraw draws the last tree again, as old as it is now.
func (v *treeView) redraw() error {
	if !v.screen.terminal {
		return nil
	}
	v.snapshot.Now = v.clock.Now()
	width, height := v.screen.size()
	v.view.Width = width
	_, err := fmt.Fprint(v.Out, v.frame.Next(render.Tree(v.snapshot, v.view), width, height))
	return err
}
