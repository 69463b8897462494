package simulation

import (
	"fmt"
	"reflect"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Objects are taken apart by reflection, into metadata, status and the rest, and a patch touches only the parts that it
// names: turning a whole Rollout into JSON and back for each status would be most of the time of a run.

// copyOf is a copy that shares nothing.
func copyOf[T client.Object](obj T) T {
	out, _ := obj.DeepCopyObject().(T)
	return out
}

// statusOf is the field Status of a typed object; invalid when it has none.
func statusOf(obj client.Object) reflect.Value {
	return reflect.ValueOf(obj).Elem().FieldByName("Status")
}

// setStatus gives an object the status of another one.
func setStatus(obj, from client.Object) {
	if loose, ok := obj.(*unstructured.Unstructured); ok {
		delete(loose.Object, "status")
		other, _ := from.(*unstructured.Unstructured)
		if status, found := other.Object["status"]; found {
			loose.Object["status"] = runtime.DeepCopyJSONValue(status)
		}
		return
	}
	if status := statusOf(obj); status.IsValid() {
		status.Set(statusOf(from))
	}
}

func dropStatus(obj client.Object) {
	if loose, ok := obj.(*unstructured.Unstructured); ok {
		delete(loose.Object, "status")
		return
	}
	if status := statusOf(obj); status.IsValid() {
		status.SetZero()
	}
}

// specDiffers says whether two objects differ in more than metadata and status.
func specDiffers(a, b client.Object) bool {
	if loose, ok := a.(*unstructured.Unstructured); ok {
		other, _ := b.(*unstructured.Unstructured)
		return !equality.Semantic.DeepEqual(loose.Object["spec"], other.Object["spec"])
	}
	x, y := reflect.ValueOf(a).Elem(), reflect.ValueOf(b).Elem()
	for i := range x.NumField() {
		switch x.Type().Field(i).Name {
		case "TypeMeta", "ObjectMeta", "Status":
		default:
			if !equality.Semantic.DeepEqual(x.Field(i).Interface(), y.Field(i).Interface()) {
				return true
			}
		}
	}
	return false
}

// patched applies a merge patch to a copy of an object. It says whether the patch named a version or a UID.
func patched(present client.Object, kind types.PatchType, data []byte) (out client.Object, conditional bool, err error) {
	if kind != types.MergePatchType {
		return nil, false, fmt.Errorf("patches of type %s are not served here, only merge patches", kind)
	}
	var fields map[string]any
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, false, err
	}
	metadata, _ := fields["metadata"].(map[string]any)
	conditional = metadata["resourceVersion"] != nil || metadata["uid"] != nil
	out = copyOf(present)
	if loose, ok := out.(*unstructured.Unstructured); ok {
		merge(loose.Object, fields)
		return out, conditional, nil
	}
	// The version that a patch names is a condition, and nothing else.
	if version, ok := metadata["resourceVersion"].(string); ok {
		out.SetResourceVersion(version)
		delete(metadata, "resourceVersion")
	}
	if len(metadata) == 0 {
		delete(fields, "metadata")
	}
	return out, conditional, mergeParts(out, fields)
}

// mergeParts merges changes into the parts of a typed object that they name.
func mergeParts(obj client.Object, fields map[string]any) error {
	value := reflect.ValueOf(obj).Elem()
	for name, change := range fields {
		part := value.FieldByName(partNames(name))
		if !part.IsValid() || part.Kind() != reflect.Struct {
			return fmt.Errorf("a patch of %q of %T is not served here", name, obj)
		}
		if err := mergeInto(part, change); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// partNames are the Go names of the parts of an object.
func partNames(name string) string {
	switch name {
	case "metadata":
		return "ObjectMeta"
	case "spec":
		return "Spec"
	case "status":
		return "Status"
	}
	return ""
}

// mergeInto merges a change into one part of a typed object.
func mergeInto(part reflect.Value, change any) error {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(part.Addr().Interface())
	if err != nil {
		return err
	}
	changes, ok := change.(map[string]any)
	if !ok {
		return fmt.Errorf("%v is no object", change)
	}
	merge(fields, changes)
	fresh := reflect.New(part.Type())
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(fields, fresh.Interface()); err != nil {
		return err
	}
	part.Set(fresh.Elem())
	return nil
}

// merge is a merge patch (RFC 7386): null takes away, objects are merged, and everything else is put in place.
func merge(into, changes map[string]any) {
	for key, change := range changes {
		nested, isObject := change.(map[string]any)
		switch {
		case change == nil:
			delete(into, key)
		case isObject:
			present, ok := into[key].(map[string]any)
			if !ok {
				present = map[string]any{}
				into[key] = present
			}
			merge(present, nested)
		default:
			into[key] = change
		}
	}
}
