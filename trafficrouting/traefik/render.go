package traefik

import (
	"errors"
	"fmt"
	"math"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-dev/sluice/trafficrouting"
	"github.com/sluice-dev/sluice/trafficrouting/inplace"
	"github.com/sluice-dev/sluice/trafficrouting/share"
)

// largest is the largest weight that is written. Traefik takes any that fits into 32 bits.
const largest = 1_000_000

// lists are the fields of the spec that have a list of services with weights.
func lists() []string { return []string{"weighted", "highestRandomWeight"} }

// TraefikService is the kind, for package inplace.
type TraefikService struct{}

// Lists are the lists of services of a TraefikService.
func (TraefikService) Lists(o *unstructured.Unstructured, s inplace.Split) ([]inplace.List, error) {
	var out []inplace.List
	var failed []error
	for _, field := range lists() {
		value, found, err := unstructured.NestedFieldNoCopy(o.Object, "spec", field)
		if err != nil {
			return nil, trafficrouting.Unusable("spec cannot be read: %v", err)
		}
		if !found || value == nil {
			continue
		}
		list, err := parse("spec."+field, value, s)
		if failed = append(failed, err); err == nil {
			out = append(out, list)
		}
	}
	return out, errors.Join(failed...)
}

// parse reads one list.
func parse(path string, value any, s inplace.Split) (inplace.List, error) {
	holder, ok := value.(map[string]any)
	if !ok {
		return inplace.List{}, trafficrouting.Unusable("%s is not an object: write services in it", path)
	}
	services, err := inplace.Objects(path+".services", holder["services"])
	if err != nil {
		return inplace.List{}, err
	}
	backends := make([]share.Backend, 0, len(services))
	for i, service := range services {
		b, err := backend(fmt.Sprintf("%s.services[%d]", path, i), service, s)
		if err != nil {
			return inplace.List{}, err
		}
		backends = append(backends, b)
	}
	out := inplace.List{
		Remembered: &share.Remembered{List: share.NewList(path+".services", form(s), backends)}, In: holder, Key: "services",
	}
	if weight, ok := out.Weight(); ok && weight == 0 && out.HasStandby() {
		out.Flaw = trafficrouting.Unusable("%s.services has the standby Service %s at weight 0: take it out, as Traefik answers no request "+
			"at all while a Service in the list has no endpoint; it is put in while it has a share", path, s.Standby)
	}
	return out, nil
}

// form is what Traefik asks of services.
func form(s inplace.Split) share.Form {
	return share.Form{
		Noun: "services", Largest: largest, Standby: s.Standby, Alone: true, Leaves: true,
		Rename: func(service map[string]any) { service["name"] = s.Standby },
	}
}

// backend reads one service. Without a weight it has the weight 1.
func backend(path string, service map[string]any, s inplace.Split) (share.Backend, error) {
	weight, found, err := unstructured.NestedInt64(service, "weight")
	if err != nil || weight < 0 || weight > math.MaxInt32 {
		return share.Backend{}, trafficrouting.Unusable("%s.weight is %v: write a whole number from 0 to %d", path, service["weight"],
			largest)
	}
	if !found {
		weight = 1
	}
	return share.Backend{Fields: service, Port: service["port"], Weight: weight, Role: s.Role(func(name string) bool {
		return refers(service, name, s.Namespace)
	})}, nil
}

// refers says whether an entry is a Service of the given name in the namespace of the object.
func refers(service map[string]any, name, namespace string) bool {
	text := func(key, otherwise string) string {
		if v, ok := service[key].(string); ok && v != "" {
			return v
		}
		return otherwise
	}
	return text("kind", "Service") == "Service" && text("namespace", namespace) == namespace && text("name", "") == name
}
