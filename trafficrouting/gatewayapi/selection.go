package gatewayapi

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/trafficrouting"
)

// maxRoutes is how many routes one Rollout shares: each is one write at each step.
const maxRoutes = 32

// selection is the routes of a target, once its selectors have picked.
type selection struct {
	routes, left []trafficrouting.Route
	problems     []trafficrouting.Problem
}

// choose finds the routes of a target, with what is known of each, and those that were among them.
func (r *Router) choose(ctx context.Context, t trafficrouting.Target) (selection, error) {
	out := selection{routes: slices.Clone(t.Routes)}
	for _, selector := range t.Selectors {
		picked, err := r.pick(ctx, selector)
		if err != nil {
			return out, err
		}
		if len(picked) == 0 {
			out.problems = append(out.problems, nothingPicked(selector))
		}
		for _, route := range picked {
			if !slices.ContainsFunc(out.routes, route.Same) {
				out.routes = append(out.routes, route)
			}
		}
	}
	out.routes = t.Recalled(out.routes)
	out.limit()
	var err error
	out.routes, out.left, err = t.Parted(out.routes, func(known trafficrouting.Route) (bool, error) {
		route, err := r.read(ctx, known)
		return err == nil && route.GetUID() == known.UID && (Names(route, splitOf(t, known)) || owned(route, t.Owner)), err
	})
	return out, err
}

// pick is what a selector picks, by name. Nothing is picked of a kind that the cluster does not serve, nor what is on its
// way out.
func (r *Router) pick(ctx context.Context, s trafficrouting.Selector) ([]trafficrouting.Route, error) {
	gvk, err := r.kindOf(s.Kind)
	if err != nil {
		_, err := trafficrouting.Mend(err)
		return nil, err
	}
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(gvk)
	if err := r.reader.List(ctx, list, client.InNamespace(s.Namespace), client.MatchingLabels(s.Labels)); err != nil {
		return nil, fmt.Errorf("listing %ss of %s: %w", s.Kind, s.Namespace, err)
	}
	var out []trafficrouting.Route
	for i := range list.Items {
		if list.Items[i].GetDeletionTimestamp() == nil {
			out = append(out, trafficrouting.Route{
				Kind: s.Kind, Namespace: s.Namespace, Name: list.Items[i].GetName(), Rules: s.Rules, Field: s.Field,
			})
		}
	}
	slices.SortFunc(out, func(a, b trafficrouting.Route) int { return cmp.Compare(a.Name, b.Name) })
	return out, nil
}

func nothingPicked(s trafficrouting.Selector) trafficrouting.Problem {
	wanted := labels.FormatLabels(s.Labels)
	return trafficrouting.Problem{Reason: notFound("").Reason, Field: s.Field, Message: fmt.Sprintf(
		"no %s of the namespace %s has the labels %s: give them to the routes that serve the active Service", s.Kind, s.Namespace, wanted)}
}

// limit leaves out routes of which there is no room. Those that something is remembered of are the last to go, as the
// standby Service may have a share of them.
func (s *selection) limit() {
	if len(s.routes) <= maxRoutes {
		return
	}
	s.problems = append(s.problems, trafficrouting.Problem{
		Reason: unusable("").Reason, Field: s.routes[len(s.routes)-1].Field, Message: fmt.Sprintf(
			"%d routes are named or picked, and a Rollout shares at most %d: pick fewer, or share them between Rollouts", len(s.routes), maxRoutes),
	})
	slices.SortStableFunc(s.routes, func(a, b trafficrouting.Route) int {
		return cmp.Compare(len(b.Before), len(a.Before))
	})
	s.routes = s.routes[:maxRoutes]
}
