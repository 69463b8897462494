package nginx

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/trafficrouting"
)

const (
	// prefix is that of the annotations of ingress-nginx.
	prefix = "nginx.ingress.kubernetes.io/"
	// isCanary marks a canary Ingress.
	isCanary = prefix + "canary"
	// weightOf is what a canary Ingress gets of totalOf.
	weightOf = prefix + "canary-weight"
	totalOf  = prefix + "canary-weight-total"
	// total is what we write as the whole: a unit is a tenth of a percent.
	total = int64(v1alpha1.MaxWeight)
	// totalDefault is the whole where none is written.
	totalDefault = 100
	// class is how Ingresses named their class before they had a field for it.
	class = "kubernetes.io/ingress.class"
	// managedBy is the label by which ours are known, with manager as its value.
	managedBy = "app.kubernetes.io/managed-by"
	manager   = "sluice"
)

// copied says whether ingress-nginx reads an annotation of a canary Ingress, rather than of the Ingress that it is a canary of.
func copied(key string) bool {
	name, ok := strings.CutPrefix(key, prefix)
	return key == class || ok && (name == "load-balance" || strings.HasPrefix(name, "upstream-hash-by") ||
		strings.HasPrefix(name, "affinity") || strings.HasPrefix(name, "session-cookie-"))
}

// Split is the wanted state of an Ingress.
type Split struct {
	// Active and Standby are the names of two Services in the namespace of the Ingress.
	Active, Standby string
	// Canary is the name of the canary Ingress.
	Canary string
	// Weight is the share of the standby Service in tenths of a percent, 1 to 1000.
	Weight int32
}

// Render returns the canary Ingress as it should be beside an Ingress, and whether that differs from what it is. The current
// one is nil when there is none. Neither is changed. The error is a *trafficrouting.RouteError.
func Render(ingress, current *unstructured.Unstructured, s Split) (desired *unstructured.Unstructured, changed bool, err error) {
	spec, err := specFor(ingress, s)
	if err != nil {
		return nil, false, err
	}
	desired = &unstructured.Unstructured{Object: map[string]any{}}
	if current != nil {
		if !ours(ingress, current) {
			return nil, false, taken(s)
		}
		desired = current.DeepCopy()
	}
	desired.SetAPIVersion(ingress.GetAPIVersion())
	desired.SetKind(ingress.GetKind())
	desired.SetNamespace(ingress.GetNamespace())
	desired.SetName(s.Canary)
	desired.Object["spec"] = spec
	desired.SetLabels(merged(desired.GetLabels(), map[string]string{managedBy: manager}))
	desired.SetOwnerReferences([]metav1.OwnerReference{{
		APIVersion: ingress.GetAPIVersion(), Kind: ingress.GetKind(), Name: ingress.GetName(), UID: ingress.GetUID(),
	}})
	desired.SetAnnotations(annotationsFor(ingress, current, s.Weight))
	return desired, current == nil || !equality.Semantic.DeepEqual(current.Object, desired.Object), nil
}

// annotationsFor are the annotations of a canary Ingress: what others have written on it stays, and so does a weight that says
// the same in other numbers.
func annotationsFor(ingress, current *unstructured.Unstructured, weight int32) map[string]string {
	out := map[string]string{}
	if current != nil {
		out = maps.Clone(current.GetAnnotations())
		maps.DeleteFunc(out, func(key, _ string) bool { return copied(key) })
	}
	for key, value := range ingress.GetAnnotations() {
		if copied(key) {
			out[key] = value
		}
	}
	if current == nil || ShareOf(current) != weight {
		out[weightOf], out[totalOf] = strconv.Itoa(int(weight)), strconv.FormatInt(total, 10)
	}
	out[isCanary] = "true"
	return out
}

func merged(a, b map[string]string) map[string]string {
	out := map[string]string{}
	maps.Copy(out, a)
	maps.Copy(out, b)
	return out
}

// ShareOf is what a canary Ingress gets, in tenths of a percent; trafficrouting.WeightUnknown when it is no whole number of
// them, or cannot be read.
func ShareOf(canary *unstructured.Unstructured) int32 {
	annotations := canary.GetAnnotations()
	if annotations[isCanary] != "true" {
		return trafficrouting.WeightUnknown
	}
	whole, err := number(annotations[totalOf], totalDefault)
	if err != nil || whole <= 0 {
		return trafficrouting.WeightUnknown
	}
	weight, err := number(annotations[weightOf], 0)
	if err != nil || weight < 0 || weight > whole || weight*total%whole != 0 {
		return trafficrouting.WeightUnknown
	}
	return int32(weight * total / whole)
}

// number reads an annotation.
func number(text string, otherwise int64) (int64, error) {
	if text == "" {
		return otherwise, nil
	}
	return strconv.ParseInt(text, 10, 32)
}

// ours says whether a canary Ingress is one that we made beside an Ingress.
func ours(ingress, canary *unstructured.Unstructured) bool {
	return canary.GetLabels()[managedBy] == manager && slices.ContainsFunc(canary.GetOwnerReferences(),
		func(owner metav1.OwnerReference) bool {
			return owner.Kind == ingress.GetKind() && owner.Name == ingress.GetName() && owner.UID == ingress.GetUID()
		})
}

// taken is what is said of a name that somebody else has taken.
func taken(s Split) error {
	return trafficrouting.Unusable("Ingress %s, which is to share its requests, is somebody else's: delete it, or give the standby "+
		"Service another name", s.Canary)
}

// specFor is the spec of the canary Ingress: the class, and the paths that send requests to the active Service.
func specFor(ingress *unstructured.Unstructured, s Split) (map[string]any, error) {
	if ingress.GetAnnotations()[isCanary] == "true" {
		return nil, trafficrouting.Unusable("it is a canary itself: name the Ingress that it is a canary of")
	}
	spec, _, err := unstructured.NestedMap(ingress.Object, "spec")
	if err != nil {
		return nil, trafficrouting.Unusable("spec cannot be read: %v", err)
	}
	out := map[string]any{}
	if class, ok := spec["ingressClassName"]; ok {
		out["ingressClassName"] = class
	}
	found := false
	if backend, ok := spec["defaultBackend"].(map[string]any); ok && replace(backend, s) {
		out["defaultBackend"], found = backend, true
	}
	var rules []any
	for _, item := range listOf(spec["rules"]) {
		if rule, ok := ruleFor(item, s); ok {
			rules, found = append(rules, rule), true
		}
	}
	if len(rules) > 0 {
		out["rules"] = rules
	}
	if !found {
		return nil, trafficrouting.WithoutBackend("no path sends requests to the Service %[1]s, the active Service of the Rollout: "+
			"write %[1]s as the backend of the path that is to be shared", s.Active)
	}
	return out, nil
}

// ruleFor is a rule with those of its paths that send requests to the active Service; false when none does.
func ruleFor(item any, s Split) (map[string]any, bool) {
	rule, _ := item.(map[string]any)
	http, _ := rule["http"].(map[string]any)
	var paths []any
	for _, item := range listOf(http["paths"]) {
		path, ok := item.(map[string]any)
		if !ok {
			continue
		}
		path = runtime.DeepCopyJSON(path)
		if backend, ok := path["backend"].(map[string]any); ok && replace(backend, s) {
			paths = append(paths, path)
		}
	}
	if len(paths) == 0 {
		return nil, false
	}
	out := runtime.DeepCopyJSON(rule)
	out["http"] = map[string]any{"paths": paths}
	return out, true
}

// replace puts the standby Service into a backend of the active one, and says whether it was one.
func replace(backend map[string]any, s Split) bool {
	service, ok := backend["service"].(map[string]any)
	if !ok || service["name"] != s.Active {
		return false
	}
	service["name"] = s.Standby
	return true
}

func listOf(value any) []any {
	list, _ := value.([]any)
	return list
}
