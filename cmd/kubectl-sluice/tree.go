package main

import (
	"context"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/cmd/kubectl-sluice/render"
	"github.com/sluice-dev/sluice/controller/command"
	"github.com/sluice-dev/sluice/controller/revision"
)

// tree is a Rollout with all that is below it, to be read and shown.
type tree struct {
	*environment
	target
	wide bool
}

// once shows the tree as it is.
func (t *tree) once(ctx context.Context) error {
	draw, err := t.draw(ctx)
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(t.Out, draw(t.clock.Now(), 0))
	return err
}

// draw reads the tree, and says how it looks.
func (t *tree) draw(ctx context.Context) (picture, error) {
	snapshot, err := t.read(ctx)
	if err != nil {
		return nil, err
	}
	return func(now time.Time, width int) string {
		snapshot.Now = now
		return render.Tree(snapshot, render.View{Palette: t.screen.palette, Wide: t.wide, Width: width})
	}, nil
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
	rollout := &v1alpha1.Rollout{}
	if err := t.client.Get(ctx, t.key, rollout); err != nil {
		return err
	}
	b, err := belongingsOf(rollout)
	if err != nil {
		return err
	}
	return t.watchPicture(ctx, t.client, moving{
		draw: t.draw, kinds: append(b.kinds(), only(t.key, &v1alpha1.RolloutList{})), gone: t.gone,
	})
}

// only is the one object of a kind with a name.
func only(key client.ObjectKey, list client.ObjectList) watched {
	return watched{list, []client.ListOption{client.InNamespace(key.Namespace), client.MatchingFields{"metadata.name": key.Name}}}
}
