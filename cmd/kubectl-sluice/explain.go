package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// explain turns errors of the API server into ones that say what to do.
func (t target) explain(ctx context.Context, err error) error {
	switch {
	case meta.IsNoMatchError(err):
		return notInstalled()
	case utilnet.IsConnectionRefused(err):
		return fmt.Errorf("no API server answers: see whether --context or --kubeconfig choose the right cluster: %w", err)
	case apierrors.IsNotFound(err) && !strings.Contains(err.Error(), "was deleted"):
		return t.notFound(ctx)
	default:
		return err
	}
}

func notInstalled() error {
	return fmt.Errorf("the cluster does not know Rollouts (%s): install Sluice with \"kubectl apply --server-side -f "+
		"install.yaml\"", v1alpha1.GroupVersion)
}

// notFound says which Rollouts there are that could have been meant. That they cannot be listed is no reason to fail in
// another way.
func (t target) notFound(ctx context.Context) error {
	where := fmt.Sprintf("there is no rollout %q in namespace %q", t.key.Name, t.key.Namespace)
	list := &v1alpha1.RolloutList{}
	if err := t.client.List(ctx, list, client.InNamespace(t.key.Namespace)); err != nil {
		return fmt.Errorf("%s", where)
	}
	names := make([]string, 0, len(list.Items))
	for i := range list.Items {
		names = append(names, list.Items[i].Name)
	}
	if near := nearest(t.key.Name, names); len(near) > 0 {
		return fmt.Errorf("%s; did you mean %s?", where, strings.Join(near, " or "))
	}
	if len(names) > 0 {
		return fmt.Errorf("%s; \"kubectl sluice list -n %s\" shows those there are", where, t.key.Namespace)
	}
	return fmt.Errorf("%s, and no other; \"kubectl sluice list -A\" looks in all namespaces", where)
}

// nearest are at most three names that resemble a name, the most alike first: those that contain it or are contained in
// it, and those that are a few letters away from it.
func nearest(name string, names []string) []string {
	type candidate struct {
		name     string
		distance int
	}
	var near []candidate
	for _, n := range names {
		d := distance(name, n)
		if d <= 1+len(name)/4 || strings.Contains(n, name) || strings.Contains(name, n) {
			near = append(near, candidate{n, d})
		}
	}
	slices.SortFunc(near, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), strings.Compare(a.name, b.name))
	})
	var out []string
	for _, c := range near[:min(len(near), 3)] {
		out = append(out, fmt.Sprintf("%q", c.name))
	}
	return out
}

// distance is the number of letters to add, drop or change to turn one name into the other (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}
