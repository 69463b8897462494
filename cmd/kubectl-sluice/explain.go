package main

import (
	"context"
	"errors"
	"fmt"
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
	case apierrors.IsNotFound(err):
		return t.notFound(ctx)
	default:
		return err
	}
}

// gone is the error for a Rollout that was there a moment ago.
func (t target) gone() error { return fmt.Errorf("rollout %q was deleted", t.key.Name) }

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
		return errors.New(where)
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
