package alb

import (
	"errors"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-dev/sluice/trafficrouting"
	"github.com/sluice-dev/sluice/trafficrouting/inplace"
	"github.com/sluice-dev/sluice/trafficrouting/share"
)

const (
	// actions is what the annotations of actions begin with; the name of the action follows.
	actions = "alb.ingress.kubernetes.io/actions."
	// useAnnotation is the port of a backend that is an action.
	useAnnotation = "use-annotation"
	// largest is the largest weight of a target group.
	largest = 999
	// place is the field of an entry that says which target group it is.
	place = "place"
)

// Action is the kind, for package inplace: an Ingress, and one action of it, the only rule of the Split.
type Action struct{}

// Lists is the list of target groups of the action.
func (Action) Lists(o *unstructured.Unstructured, s inplace.Split) ([]inplace.List, error) {
	name := s.Active
	if len(s.Rules) > 0 {
		name = s.Rules[0]
	}
	key := actions + name
	text, ok := o.GetAnnotations()[key]
	if !ok {
		return nil, trafficrouting.WithoutBackend("it has no annotation %s: write one of the type forward, with %s at weight 100 and %s at "+
			"weight 0", key, s.Active, s.Standby)
	}
	action, err := parseAction(text)
	if err != nil {
		return nil, trafficrouting.Unusable("annotation %s cannot be read: %v", key, err)
	}
	if !strings.EqualFold(action.kind, "forward") {
		return nil, trafficrouting.Unusable("annotation %s is of the type %q: write forward", key, action.kind)
	}
	backends := make([]share.Backend, 0, len(action.groups))
	for i, group := range action.groups {
		if group.weight < 0 || group.weight > largest {
			return nil, trafficrouting.Unusable("annotation %s: target group %d has no weight from 0 to %d: write one", key, i, largest)
		}
		backends = append(backends, share.Backend{
			Fields: map[string]any{place: int64(i), "weight": group.weight}, Port: group.port, Weight: group.weight,
			Role: s.Role(func(service string) bool { return group.service == service }),
		})
	}
	form := share.Form{Noun: "target groups", Largest: largest, Standby: s.Standby}
	holder := map[string]any{}
	list := inplace.List{
		Remembered: &share.Remembered{List: share.NewList("annotation "+key, form, backends)}, In: holder, Key: "targetGroups",
		Dangles: true,
	}
	list.Flaw = flaw(o, name, list, s)
	list.Commit = func() error { return write(o, key, action, holder[list.Key]) }
	return []inplace.List{list}, nil
}

// flaw is what keeps an action from being given weight; nil when there is nothing.
func flaw(o *unstructured.Unstructured, name string, list inplace.List, s inplace.Split) error {
	if !list.Paired() {
		return trafficrouting.Unusable("annotation %s%s has %s without %s: write %[4]s beside it, at weight 0, so that its target group "+
			"has pods before it has requests", actions, name, s.Active, s.Standby)
	}
	if !uses(o, name) {
		return trafficrouting.Unusable("no path uses the action %s: write it as the name of the service of a backend, with the port %s",
			name, useAnnotation)
	}
	return nil
}

// uses says whether a backend of an Ingress is an action.
func uses(o *unstructured.Unstructured, name string) bool {
	spec, _, _ := unstructured.NestedMap(o.Object, "spec")
	if isAction(spec["defaultBackend"], name) {
		return true
	}
	rules, _ := spec["rules"].([]any)
	for _, rule := range rules {
		fields, _ := rule.(map[string]any)
		paths, _, _ := unstructured.NestedSlice(fields, "http", "paths")
		for _, path := range paths {
			fields, _ := path.(map[string]any)
			if isAction(fields["backend"], name) {
				return true
			}
		}
	}
	return false
}

func isAction(backend any, name string) bool {
	fields, _ := backend.(map[string]any)
	service, _, _ := unstructured.NestedString(fields, "service", "name")
	port, _, _ := unstructured.NestedString(fields, "service", "port", "name")
	return service == name && port == useAnnotation
}

// write puts the entries that are left of an action, with their weights, into its annotation.
func write(o *unstructured.Unstructured, key string, a action, entries any) error {
	weights := map[int]int64{}
	list, _ := entries.([]any)
	for _, entry := range list {
		fields, _ := entry.(map[string]any)
		i, ok := fields[place].(int64)
		weight, whole := fields["weight"].(int64)
		if !ok || !whole {
			return errors.New("a target group that was not there before")
		}
		weights[int(i)] = weight
	}
	annotations := o.GetAnnotations()
	annotations[key] = a.with(weights)
	o.SetAnnotations(annotations)
	return nil
}
