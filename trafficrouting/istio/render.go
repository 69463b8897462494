package istio

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-dev/sluice/trafficrouting"
	"github.com/sluice-dev/sluice/trafficrouting/inplace"
	"github.com/sluice-dev/sluice/trafficrouting/share"
)

const (
	// largest is the largest weight that is written. Istio takes any that fits into 32 bits; Envoy wants the same of the sum
	// of all in an entry.
	largest = 1_000_000
	// named is the list whose entries have names.
	named = "http"
)

// lists are the fields of the spec whose entries have destinations.
func lists() []string { return []string{named, "tls", "tcp"} }

// VirtualService is the kind, for package inplace.
type VirtualService struct{}

// Lists are the lists of destinations of a VirtualService that are managed.
func (VirtualService) Lists(o *unstructured.Unstructured, s inplace.Split) ([]inplace.List, error) {
	var out []inplace.List
	var failed []error
	missing := slices.Clone(s.Rules)
	for _, field := range lists() {
		entries, err := entriesOf(o, field)
		failed = append(failed, err)
		for i, entry := range entries {
			name := nameOf(field, entry)
			if !s.Names(name) {
				continue
			}
			missing = slices.DeleteFunc(missing, func(rule string) bool { return rule == name })
			list, err := parse(fmt.Sprintf("spec.%s[%d]", field, i), entry, s)
			if failed = append(failed, err); err == nil {
				out = append(out, list)
			}
		}
	}
	if len(missing) > 0 {
		failed = append(failed, trafficrouting.Unusable("no entry of spec.http has the name %q: name one that there is, or leave "+
			"routes out", missing[0]))
	}
	return out, errors.Join(failed...)
}

// entriesOf are the entries of one list of a VirtualService.
func entriesOf(o *unstructured.Unstructured, field string) ([]map[string]any, error) {
	value, _, err := unstructured.NestedFieldNoCopy(o.Object, "spec", field)
	if err != nil {
		return nil, trafficrouting.Unusable("spec.%s cannot be read: %v", field, err)
	}
	return inplace.Objects("spec."+field, value)
}

// nameOf is the name of an entry; those of other lists than spec.http have none.
func nameOf(field string, entry map[string]any) string {
	if field != named {
		return ""
	}
	name, _ := entry["name"].(string)
	return name
}

// parse reads the destinations of one entry.
func parse(path string, entry map[string]any, s inplace.Split) (inplace.List, error) {
	routes, err := inplace.Objects(path+".route", entry["route"])
	if err != nil {
		return inplace.List{}, err
	}
	backends := make([]share.Backend, 0, len(routes))
	for i, route := range routes {
		b, err := backend(fmt.Sprintf("%s.route[%d]", path, i), route, s, len(routes) == 1)
		if err != nil {
			return inplace.List{}, err
		}
		backends = append(backends, b)
	}
	name, _ := entry["name"].(string)
	out := inplace.List{
		Remembered: &share.Remembered{List: share.NewList(path, form(s), backends), Name: name}, In: entry, Key: "route",
	}
	if len(s.Rules) > 0 && !out.Managed() {
		return inplace.List{}, trafficrouting.WithoutBackend("%s sends no requests to the Service %s, the active Service of the "+
			"Rollout: add it, with a weight above 0, or name another route", path, s.Active)
	}
	if i := slices.IndexFunc(backends, hasSubset); i >= 0 && !out.HasStandby() {
		out.Flaw = trafficrouting.Unusable("%s.route[%d].destination.subset: the standby Service %s has no subset: remove it, as "+
			"the two Services tell the versions apart", path, i, s.Standby)
	}
	return out, nil
}

// form is what Istio asks of destinations.
func form(s inplace.Split) share.Form {
	return share.Form{
		Noun: "destinations", Largest: largest, Standby: s.Standby, Alone: true,
		Rename: func(route map[string]any) {
			if destination, ok := route["destination"].(map[string]any); ok {
				destination["host"] = s.Standby + strings.TrimPrefix(hostOf(route), s.Active)
			}
		},
	}
}

// backend reads one destination. One that is alone gets everything, and one of several without a weight gets nothing.
func backend(path string, route map[string]any, s inplace.Split, alone bool) (share.Backend, error) {
	weight, _, err := unstructured.NestedInt64(route, "weight")
	if err != nil || weight < 0 || weight > math.MaxInt32 {
		return share.Backend{}, trafficrouting.Unusable("%s.weight is %v: write a whole number from 0 to %d", path, route["weight"], largest)
	}
	if alone {
		weight = max(weight, 1)
	}
	port, _, _ := unstructured.NestedFieldNoCopy(route, "destination", "port", "number")
	return share.Backend{Fields: route, Role: s.Role(func(service string) bool {
		return refers(hostOf(route), service, s.Namespace)
	}), Port: port, Weight: weight}, nil
}

// hostOf is the host of a destination.
func hostOf(route map[string]any) string {
	host, _, _ := unstructured.NestedString(route, "destination", "host")
	return host
}

// hasSubset says whether a backend is a subset of the active Service.
func hasSubset(b share.Backend) bool {
	subset, _, _ := unstructured.NestedString(b.Fields, "destination", "subset")
	return b.Role == share.Active && subset != ""
}

// refers says whether a host is a Service in the namespace of the VirtualService. A short name is looked up there, and the
// domain of a cluster has any name.
func refers(host, service, namespace string) bool {
	rest, ok := strings.CutPrefix(host, service)
	if !ok || rest == "" {
		return ok
	}
	local := "." + namespace
	return rest == local || rest == local+".svc" || strings.HasPrefix(rest, local+".svc.")
}
