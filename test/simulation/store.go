package simulation

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/rollout"
)

// Kit is what all worlds share, and what costs time to make.
type Kit struct {
	scheme     *runtime.Scheme
	conditions *analysis.Conditions
	indexes    map[schema.GroupVersionKind]map[string]client.IndexerFunc
}

// keptConditions is how many compiled conditions of metrics a kit keeps: more than all stories together have.
const keptConditions = 256

// NewKit makes one.
func NewKit() (*Kit, error) {
	k := &Kit{scheme: runtime.NewScheme(), indexes: map[schema.GroupVersionKind]map[string]client.IndexerFunc{}}
	for _, add := range []func(*runtime.Scheme) error{
		corev1.AddToScheme, appsv1.AddToScheme, discoveryv1.AddToScheme, gatewayv1.Install, v1alpha1.AddToScheme,
	} {
		if err := add(k.scheme); err != nil {
			return nil, err
		}
	}
	conditions, err := analysis.NewConditions(keptConditions)
	if err != nil {
		return nil, err
	}
	k.conditions = conditions
	for _, index := range rollout.Indexes() {
		gvk, err := apiutil.GVKForObject(index.Object, k.scheme)
		if err != nil {
			return nil, err
		}
		if k.indexes[gvk] == nil {
			k.indexes[gvk] = map[string]client.IndexerFunc{}
		}
		k.indexes[gvk][index.Name] = index.Values
	}
	return k, nil
}

// Verb is what a write does.
type Verb string

// The verbs.
const (
	VerbCreate Verb = "create"
	VerbUpdate Verb = "update"
	VerbStatus Verb = "status"
	VerbDelete Verb = "delete"
)

// Write is who writes, and under which conditions.
type Write struct {
	// By names the writer: "controller", "kubelet", "user".
	By string
	// Process is the controller that writes; nil for everybody else.
	Process *Process
	// Verb of the request. A deletion that has to wait for finalizers stays a deletion.
	Verb Verb
	// Manager is the field manager that the request names.
	Manager string
	// Conditional says that the request named the version or the UID of what it changes.
	Conditional bool
}

// Change is one committed write. Objects in it are shared by everybody and never changed.
type Change struct {
	Write
	// Version is the resourceVersion that it got.
	Version int64
	// At is when.
	At time.Time
	// Kind and Key name the object.
	Kind schema.GroupVersionKind
	Key  types.NamespacedName
	// Before is nil for what was created, After for what is gone.
	Before, After client.Object
	// shown is the object as a cache keeps it, once one has asked.
	shown client.Object
}

// String is "patch ReplicaSet web-abc".
func (c *Change) String() string { return fmt.Sprintf("%s %s %s", c.Verb, c.Kind.Kind, c.Key.Name) }

// table holds the objects of one kind, and everything that ever happened to them.
type table struct {
	objects map[types.NamespacedName]client.Object
	log     []*Change
}

// list is in the order of names.
func (t *table) list(namespace string) []client.Object {
	keys := slices.SortedFunc(maps.Keys(t.objects), compareKeys)
	out := make([]client.Object, 0, len(keys))
	for _, key := range keys {
		if namespace == "" || key.Namespace == namespace {
			out = append(out, t.objects[key])
		}
	}
	return out
}

func compareKeys(a, b types.NamespacedName) int {
	if c := strings.Compare(a.Namespace, b.Namespace); c != 0 {
		return c
	}
	return strings.Compare(a.Name, b.Name)
}

// table of a kind; it is made when it is first asked for.
func (s *Server) table(kind schema.GroupVersionKind) *table {
	t := s.tables[kind]
	if t == nil {
		t = &table{objects: map[types.NamespacedName]client.Object{}}
		s.tables[kind] = t
	}
	return t
}

// lookup gets one object of a type; the zero value when there is none.
func lookup[T client.Object](s *Server, kind schema.GroupVersionKind, key types.NamespacedName) T {
	obj, _ := s.table(kind).objects[key].(T)
	return obj
}

// listed are all objects of a type in a namespace, by name; in all of them when it is empty.
func listed[T client.Object](s *Server, kind schema.GroupVersionKind, namespace string) []T {
	var out []T
	for _, obj := range s.table(kind).list(namespace) {
		if typed, ok := obj.(T); ok {
			out = append(out, typed)
		}
	}
	return out
}

// kind is a kind of objects.
type kind = schema.GroupVersionKind

// Kinds that the world knows by name.
func kindRollout() kind {
	return v1alpha1.GroupVersion.WithKind(v1alpha1.RolloutKind)
}

func kindAnalysisRun() kind {
	return v1alpha1.GroupVersion.WithKind(v1alpha1.AnalysisRunKind)
}
func kindReplicaSet() kind { return appsv1.SchemeGroupVersion.WithKind("ReplicaSet") }
func kindDeployment() kind { return appsv1.SchemeGroupVersion.WithKind("Deployment") }
func kindService() kind    { return corev1.SchemeGroupVersion.WithKind("Service") }
func kindPod() kind        { return corev1.SchemeGroupVersion.WithKind("Pod") }
func kindConfigMap() kind  { return corev1.SchemeGroupVersion.WithKind(v1alpha1.KindConfigMap) }
func kindSecret() kind     { return corev1.SchemeGroupVersion.WithKind(v1alpha1.KindSecret) }

func kindSlice() kind {
	return discoveryv1.SchemeGroupVersion.WithKind("EndpointSlice")
}

func kindRoute() kind {
	return schema.GroupVersionKind{Group: gatewayGroup, Version: "v1", Kind: "HTTPRoute"}
}

const gatewayGroup = "gateway.networking.k8s.io"

// stored turns an object into the form in which the server keeps it: routes as they are written, with fields that Go does
// not know, and everything else as its Go type.
func (k *Kit) stored(obj client.Object) (schema.GroupVersionKind, client.Object, error) {
	loose, isLoose := obj.(*unstructured.Unstructured)
	gvk := obj.GetObjectKind().GroupVersionKind()
	if !isLoose {
		var err error
		if gvk, err = apiutil.GVKForObject(obj, k.scheme); err != nil {
			return gvk, nil, err
		}
	}
	switch {
	case gvk.Group == gatewayGroup && isLoose, gvk.Group != gatewayGroup && !isLoose:
		out, ok := obj.DeepCopyObject().(client.Object)
		if !ok {
			return gvk, nil, fmt.Errorf("%T is no object", obj)
		}
		return gvk, out, nil
	case gvk.Group == gatewayGroup:
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(obj)
		out := &unstructured.Unstructured{Object: content}
		out.SetGroupVersionKind(gvk)
		return gvk, out, err
	}
	out, err := k.empty(gvk)
	if err != nil {
		return gvk, nil, err
	}
	return gvk, out, runtime.DefaultUnstructuredConverter.FromUnstructured(loose.Object, out)
}

// empty makes an object of a kind, in the form in which the server keeps it.
func (k *Kit) empty(gvk schema.GroupVersionKind) (client.Object, error) {
	if gvk.Group == gatewayGroup {
		out := &unstructured.Unstructured{}
		out.SetGroupVersionKind(gvk)
		return out, nil
	}
	made, err := k.scheme.New(gvk)
	if err != nil {
		return nil, err
	}
	out, ok := made.(client.Object)
	if !ok {
		return nil, fmt.Errorf("%s is no kind of objects", gvk)
	}
	return out, nil
}

// present copies a stored object into one of a caller, which may be of another form.
func present(src, dst client.Object, gvk schema.GroupVersionKind) error {
	from, to := reflect.ValueOf(src.DeepCopyObject()), reflect.ValueOf(dst)
	if from.Type() == to.Type() {
		to.Elem().Set(from.Elem())
		dst.GetObjectKind().SetGroupVersionKind(gvk)
		return nil
	}
	if loose, ok := dst.(*unstructured.Unstructured); ok {
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(src)
		if err != nil {
			return err
		}
		loose.SetUnstructuredContent(content)
		loose.SetGroupVersionKind(gvk)
		return nil
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(src)
	if err != nil {
		return err
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(content, dst); err != nil {
		return err
	}
	dst.GetObjectKind().SetGroupVersionKind(gvk)
	return nil
}

// resource is the resource of a kind, for errors.
func resource(gvk schema.GroupVersionKind) schema.GroupResource {
	return schema.GroupResource{Group: gvk.Group, Resource: strings.ToLower(gvk.Kind) + "s"}
}

func notFound(gvk schema.GroupVersionKind, key types.NamespacedName) error {
	return apierrors.NewNotFound(resource(gvk), key.Name)
}
