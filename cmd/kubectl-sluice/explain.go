package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// explain turns errors of the API server into ones that say what to do.
func (t target) explain(ctx context.Context, err error) error {
	switch {
	case meta.IsNoMatchError(err):
		return notInstalled()
	case unreachable(err):
		return fmt.Errorf("no API server answers: see whether --context or --kubeconfig choose the right cluster: %w", err)
	case apierrors.IsNotFound(err):
		return t.notFound(ctx)
	default:
		return err
	}
}

// unreachable says whether there was no connection: refused, no such host, no route, or no answer in time. A connection
// that was made, and not trusted, is not meant.
func unreachable(err error) bool {
	var network *net.OpError
	var request *url.Error
	return errors.As(err, &network) || errors.As(err, &request) && request.Timeout()
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
	names, err := t.namesOf(ctx, &v1alpha1.RolloutList{}, client.InNamespace(t.key.Namespace))
	if err != nil {
		return errors.New(where)
	}
	if near := nearest(t.key.Name, names); len(near) > 0 {
		return fmt.Errorf("%s; did you mean %s?", where, strings.Join(near, " or "))
	}
	if len(names) > 0 {
		return fmt.Errorf("%s; \"kubectl sluice list -n %s\" shows those there are", where, t.key.Namespace)
	}
	return fmt.Errorf("%s, and no other; \"kubectl sluice list -A\" looks in all namespaces", where)
}

// namesOf are the names of the objects of a kind.
func (t target) namesOf(ctx context.Context, list client.ObjectList, scope ...client.ListOption) ([]string, error) {
	if err := t.client.List(ctx, list, scope...); err != nil {
		return nil, err
	}
	var names []string
	err := meta.EachListItem(list, func(o runtime.Object) error {
		names = append(names, o.(client.Object).GetName())
		return nil
	})
	return names, err
}
