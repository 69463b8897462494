package gatewayapi

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/trafficrouting"
)

// A route that is made of a template is at any time the template with the weights, the matches and the mirrors of the moment in
// it, whatever it was before: nothing has to be remembered of it. Its spec is the template's as a whole; of labels and annotations
// those that the template names, and others are left to whoever wrote them.

// Plain is the route that a template makes while the standby Service has no share of its requests.
func Plain(kind schema.GroupVersionKind, route trafficrouting.Route) *unstructured.Unstructured {
	out := &unstructured.Unstructured{Object: map[string]any{}}
	out.SetGroupVersionKind(kind)
	out.SetNamespace(route.Namespace)
	out.SetName(route.Name)
	out.SetLabels(route.Template.Labels)
	out.SetAnnotations(route.Template.Annotations)
	if route.Template.Spec != nil {
		out.Object["spec"] = runtime.DeepCopyJSON(route.Template.Spec)
	}
	return out
}

// Flaw says why a plain route cannot carry every weight and every one of some overlays. The error is a *RouteError; nil when it can.
func Flaw(plain *unstructured.Unstructured, s Split, overlays []v1alpha1.Overlay) error {
	s.Before = nil
	weight, err := Weight(plain, s)
	if err != nil {
		return err
	}
	if weight != 0 {
		return unusable("gives the Service %[1]s requests, which are for a release to give: take %[1]s out of spec.rules of the template, or "+
			"write the weight 0", s.Standby)
	}
	fits, err := Laid(plain, s, append([]v1alpha1.Overlay{{}}, overlays...))
	if err == nil && !slices.Contains(fits, 0) {
		err = unusable("names the Service %[1]s beside weights, which is for match and mirror of a step to do: take %[1]s out of spec.rules of "+
			"the template", s.Standby)
	}
	if err == nil {
		_, err = Accepted(plain) // its parents; nothing has been reported of it
	}
	return err
}

// CheckTemplates finds templates of a Rollout of which no route can be made that carries every step, without a cluster.
func CheckTemplates(r *v1alpha1.Rollout) []trafficrouting.Problem {
	if r.Spec.Services == nil {
		return nil
	}
	overlays, _ := r.Spec.Overlays()
	var out []trafficrouting.Problem
	for _, route := range trafficrouting.RoutesOf(r.Namespace, &r.Spec) {
		if route.Template == nil {
			continue
		}
		split := Split{Active: r.Spec.Services.Active, Standby: r.Spec.Services.StandbyName(), Rules: route.Rules}
		kind := schema.GroupVersionKind{Group: gatewayv1.GroupName, Version: versions()[0], Kind: route.Kind}
		err := ours(route.Kind)
		if err == nil {
			err = Flaw(Plain(kind, route), split, overlays)
		}
		problems, _ := trafficrouting.Mend(err) // of a flaw there is no other error
		for _, p := range problems {
			out = append(out, trafficrouting.Problem{Reason: p.Reason, Field: route.Field, Message: p.Message})
		}
	}
	return out
}

// made is what becomes of a route.
type made struct {
	// desired is the route as it should be.
	desired *unstructured.Unstructured
	// differing are the paths of what differs from what it is, as LastWriter takes them.
	differing [][]string
}

// Make makes of a route what its template and the Split ask for, and says whether that differs from what it is. The route that is
// passed is not changed, nor is the plain one. The error is a *RouteError, as that of Render for the plain one.
func Make(route, plain *unstructured.Unstructured, s Split) (desired *unstructured.Unstructured, changed bool, err error) {
	out, err := remake(route, plain, s)
	return out.desired, len(out.differing) > 0, err
}

func remake(route, plain *unstructured.Unstructured, s Split) (made, error) {
	s.Before = nil
	wanted, _, err := Render(plain, s)
	if err != nil {
		return made{}, err
	}
	out := made{desired: route.DeepCopy()}
	for _, field := range follow(out.desired.Object, specFields(wanted.Object)) {
		out.differing = append(out.differing, []string{"f:spec", "f:" + field})
	}
	slices.SortFunc(out.differing, slices.Compare)
	out.named("labels", plain.GetLabels(), out.desired.GetLabels(), out.desired.SetLabels)
	out.named("annotations", plain.GetAnnotations(), out.desired.GetAnnotations(), out.desired.SetAnnotations)
	return out, nil
}

// named gives a route the labels or annotations that a template names, and takes out those that an earlier one did.
func (m *made) named(field string, wanted, now map[string]string, set func(map[string]string)) {
	path := func(key string) []string { return []string{"f:metadata", "f:" + field, "f:" + key} }
	var differing [][]string
	if now == nil {
		now = map[string]string{}
	}
	for key, value := range wanted {
		if present, there := now[key]; !there || present != value {
			now[key] = value
			differing = append(differing, path(key))
		}
	}
	for key := range now {
		if _, named := wanted[key]; !named && trafficrouting.Ours(m.desired.GetManagedFields(), path(key)...) {
			delete(now, key)
			differing = append(differing, path(key))
		}
	}
	if len(differing) > 0 {
		slices.SortFunc(differing, slices.Compare)
		m.differing = append(m.differing, differing...)
		set(now)
	}
}

// writer is who last wrote what differs of a route, or else its rules, when it was none of ours.
func (m *made) writer(route *unstructured.Unstructured) string {
	for _, path := range append(slices.Clone(m.differing), []string{"f:spec", "f:rules"}) {
		if by := trafficrouting.LastWriter(route.GetManagedFields(), path...); by != "" {
			return by
		}
	}
	return ""
}

// owned says whether an owner controls a route.
func owned(route *unstructured.Unstructured, owner *metav1.OwnerReference) bool {
	now := metav1.GetControllerOfNoCopy(route)
	return owner != nil && now != nil && now.UID == owner.UID
}

// own makes an owner the one that controls a route, and says whether it was not. A Rollout of the same name that is gone, and that
// the garbage collector has yet to notice, makes room for it. The error is a *RouteError for a route that something else controls.
func own(route *unstructured.Unstructured, owner *metav1.OwnerReference) (changed bool, err error) {
	now := metav1.GetControllerOf(route)
	switch {
	case owner == nil || now != nil && equality.Semantic.DeepEqual(now, owner):
		return false, nil
	case now != nil && (!alikeOwners(now, owner) || now.Name != owner.Name):
		return false, controlled(now)
	}
	disown(route)
	route.SetOwnerReferences(append(route.GetOwnerReferences(), *owner))
	return true, nil
}

func controlled(by *metav1.OwnerReference) error {
	return unusable("is controlled by %s %s, which would take back what is written to it: write another name, or let that one go first",
		by.Kind, by.Name)
}

// disown takes out what controls a route.
func disown(route *unstructured.Unstructured) {
	refs := slices.DeleteFunc(route.GetOwnerReferences(), func(ref metav1.OwnerReference) bool {
		return ref.Controller != nil && *ref.Controller
	})
	if len(refs) == 0 {
		refs = nil
	}
	route.SetOwnerReferences(refs)
}

// rival is the error of a route that another Rollout makes; nil for any other.
func rival(route *unstructured.Unstructured, owner *metav1.OwnerReference) error {
	now := metav1.GetControllerOfNoCopy(route)
	if owner == nil || now == nil || now.UID == owner.UID || !alikeOwners(now, owner) {
		return nil
	}
	return controlled(now)
}

// alikeOwners says whether two owners are of one kind, in whatever version.
func alikeOwners(a, b *metav1.OwnerReference) bool {
	ofA, errA := schema.ParseGroupVersion(a.APIVersion)
	ofB, errB := schema.ParseGroupVersion(b.APIVersion)
	return errA == nil && errB == nil && ofA.Group == ofB.Group && a.Kind == b.Kind
}
