package simulation

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Server is the API server: the truth.
type Server struct {
	kit     *Kit
	now     func() time.Time
	version int64
	made    int
	tables  map[schema.GroupVersionKind]*table
	// committed is told of every change, after it.
	committed func(*Change)
}

func newServer(kit *Kit, now func() time.Time) *Server {
	return &Server{kit: kit, now: now, tables: map[schema.GroupVersionKind]*table{}, committed: func(*Change) {}}
}

// commit makes a change the truth.
func (s *Server) commit(w Write, gvk schema.GroupVersionKind, before, after client.Object) {
	s.version++
	some := after
	if some == nil {
		some = before
	}
	c := &Change{Write: w, Version: s.version, At: s.now(), Kind: gvk, Key: client.ObjectKeyFromObject(some), Before: before, After: after}
	t := s.table(gvk)
	if after == nil {
		delete(t.objects, c.Key)
	} else {
		after.SetResourceVersion(strconv.FormatInt(s.version, 10))
		t.objects[c.Key] = after
	}
	t.log = append(t.log, c)
	s.committed(c)
}

// create adds an object; the server keeps what it is given.
func (s *Server) create(w Write, gvk schema.GroupVersionKind, obj client.Object) error {
	s.made++
	if obj.GetName() == "" && obj.GetGenerateName() != "" {
		obj.SetName(obj.GetGenerateName() + suffix(s.made))
	}
	key := client.ObjectKeyFromObject(obj)
	if s.table(gvk).objects[key] != nil {
		return apierrors.NewAlreadyExists(resource(gvk), key.Name)
	}
	if rs, ok := obj.(*appsv1.ReplicaSet); ok {
		if err := validate(rs); err != nil {
			return err
		}
	}
	obj.SetUID(types.UID(fmt.Sprintf("uid-%d", s.made)))
	obj.SetGeneration(1)
	obj.SetDeletionTimestamp(nil)
	if created := obj.GetCreationTimestamp(); created.IsZero() || w.By != "user" {
		obj.SetCreationTimestamp(metav1.NewTime(s.now().Truncate(time.Second)))
	}
	obj.GetObjectKind().SetGroupVersionKind(gvk)
	dropStatus(obj)
	own(w, nil, obj)
	w.Verb = VerbCreate
	s.commit(w, gvk, nil, obj)
	return nil
}

// validate refuses a template that the API server lets nobody have: of its many rules the one that scenarios break.
func validate(rs *appsv1.ReplicaSet) error {
	for i, c := range rs.Spec.Template.Spec.Containers {
		if wrong := validation.IsDNS1123Label(c.Name); len(wrong) > 0 {
			at := field.NewPath("spec", "template", "spec", "containers").Index(i).Child("name")
			return apierrors.NewInvalid(kindReplicaSet().GroupKind(), rs.Name, field.ErrorList{field.Invalid(at, c.Name, wrong[0])})
		}
	}
	return nil
}

// sameVersion says whether a write was decided from what is there, as far as it says from what.
func sameVersion(obj, present client.Object) bool {
	version, uid := obj.GetResourceVersion(), obj.GetUID()
	return (version == "" || version == present.GetResourceVersion()) && (uid == "" || uid == present.GetUID())
}

// suffix is what the API server adds to a generated name: five characters.
func suffix(n int) string {
	const letters = "bcdfghjklmnpqrstvwxz2456789"
	out := make([]byte, 5)
	for i := range out {
		out[i] = letters[n%len(letters)]
		n /= len(letters)
	}
	return string(out)
}

// replace puts a new object in the place of the present one; its version, when it has one, must be that of the present.
// Of a write of the status only the status counts, and of every other write all but the status.
func (s *Server) replace(w Write, gvk schema.GroupVersionKind, obj client.Object) (client.Object, error) {
	key := client.ObjectKeyFromObject(obj)
	present := s.table(gvk).objects[key]
	if present == nil {
		return nil, notFound(gvk, key)
	}
	if !sameVersion(obj, present) {
		return nil, conflict(gvk, key.Name, "the object has been modified; please apply your changes to the latest version")
	}
	if w.Verb == VerbStatus {
		status := obj
		obj = copyOf(present)
		setStatus(obj, status)
	} else {
		keepSystem(obj, present)
		setStatus(obj, present)
	}
	obj.SetResourceVersion(present.GetResourceVersion())
	if equality.Semantic.DeepEqual(obj, present) {
		return present, nil
	}
	if w.Verb != VerbStatus && specDiffers(obj, present) {
		obj.SetGeneration(present.GetGeneration() + 1)
	}
	own(w, present, obj)
	if obj.GetDeletionTimestamp() != nil && len(obj.GetFinalizers()) == 0 && gvk != kindPod() {
		w.Verb = VerbDelete
		s.commit(w, gvk, present, nil)
		return obj, nil
	}
	s.commit(w, gvk, present, obj)
	return obj, nil
}

// remove deletes an object, or marks it when something holds it: a finalizer, what should become of its dependents, or,
// with pods, their time to end.
func (s *Server) remove(w Write, gvk schema.GroupVersionKind, key types.NamespacedName, opts client.DeleteOptions) error {
	present := s.table(gvk).objects[key]
	if present == nil {
		return notFound(gvk, key)
	}
	if p := opts.Preconditions; p != nil {
		w.Conditional = true
		if !meets(present, p) {
			return conflict(gvk, key.Name, "the precondition does not hold")
		}
	}
	w.Verb = VerbDelete
	finalizers := append(slices.Clone(present.GetFinalizers()), finalizersOf(opts)...)
	ends := gvk == kindPod() && (opts.GracePeriodSeconds == nil || *opts.GracePeriodSeconds > 0)
	if len(finalizers) == 0 && !ends {
		s.commit(w, gvk, present, nil)
		return nil
	}
	if present.GetDeletionTimestamp() != nil {
		return nil
	}
	marked := copyOf(present)
	at := metav1.NewTime(s.now())
	marked.SetDeletionTimestamp(&at)
	marked.SetFinalizers(finalizers)
	marked.SetGeneration(marked.GetGeneration() + 1)
	s.commit(w, gvk, present, marked)
	return nil
}

func meets(present client.Object, p *metav1.Preconditions) bool {
	return (p.UID == nil || *p.UID == present.GetUID()) &&
		(p.ResourceVersion == nil || *p.ResourceVersion == present.GetResourceVersion())
}

// finalizersOf are those that say what becomes of the dependents.
func finalizersOf(opts client.DeleteOptions) []string {
	switch ptr.Deref(opts.PropagationPolicy, metav1.DeletePropagationBackground) {
	case metav1.DeletePropagationOrphan:
		return []string{metav1.FinalizerOrphanDependents}
	case metav1.DeletePropagationForeground:
		return []string{metav1.FinalizerDeleteDependents}
	case metav1.DeletePropagationBackground:
	}
	return nil
}

// gone removes an object for good.
func (s *Server) gone(w Write, gvk schema.GroupVersionKind, key types.NamespacedName) {
	if present := s.table(gvk).objects[key]; present != nil {
		w.Verb = VerbDelete
		s.commit(w, gvk, present, nil)
	}
}

func conflict(gvk schema.GroupVersionKind, name, why string) error {
	return apierrors.NewConflict(resource(gvk), name, errors.New(why))
}

// keepSystem keeps what only the server writes.
func keepSystem(obj, present client.Object) {
	obj.SetUID(present.GetUID())
	obj.SetGeneration(present.GetGeneration())
	obj.SetCreationTimestamp(present.GetCreationTimestamp())
	obj.SetDeletionTimestamp(present.GetDeletionTimestamp())
	obj.SetManagedFields(present.GetManagedFields())
	obj.GetObjectKind().SetGroupVersionKind(present.GetObjectKind().GroupVersionKind())
}

// own notes who last wrote the selector of a Service, or the rules of a route: of all managed fields the only ones that
// somebody asks for.
func own(w Write, before, after client.Object) {
	switch object := after.(type) {
	case *corev1.Service:
		if old, ok := before.(*corev1.Service); !ok || !labels.Equals(old.Spec.Selector, object.Spec.Selector) {
			object.SetManagedFields(ownedBy(w, `{"f:spec":{"f:selector":{}}}`))
		}
	case *unstructured.Unstructured:
		if before == nil || specDiffers(before, after) {
			object.SetManagedFields(ownedBy(w, `{"f:spec":{"f:rules":{}}}`))
		}
	}
}

// ownedBy are managed fields of one writer.
func ownedBy(w Write, fields string) []metav1.ManagedFieldsEntry {
	return []metav1.ManagedFieldsEntry{{
		Manager: cmp.Or(w.Manager, w.By), Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: "v1", FieldsType: "FieldsV1",
		FieldsV1: metav1.NewFieldsV1(fields),
	}}
}
