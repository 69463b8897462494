package command

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// AnnotationTakeover is on an object that is taking the place of another one: the UID of that, and the replicas that it had,
// as "uid/replicas". It goes with the last step.
const AnnotationTakeover = "sluice.dev/takeover"

// takeoverGlance is how often a takeover looks whether what it waits for has come.
const takeoverGlance = 500 * time.Millisecond

// Takeover puts a Rollout in the place of a Deployment, or a Deployment in that of a Rollout, without ending a pod. Each step
// finds out by itself whether it has been done, so that a run that was cut short is taken up by the next one.
type Takeover struct {
	// Client reads and writes.
	Client client.Client
	// Clock measures waits.
	Clock clock.Clock
	// Timeout is how long each wait may take.
	Timeout time.Duration
	// Say is told of each step that was done, in one sentence.
	Say func(format string, args ...any)
}

// mark is the value of AnnotationTakeover.
type mark struct {
	uid      types.UID
	replicas int32
}

func (m mark) String() string { return fmt.Sprintf("%s/%d", m.uid, m.replicas) }

// markOf reads the mark of an object; false when it has none.
func markOf(object client.Object) (mark, bool) {
	uid, number, found := strings.Cut(object.GetAnnotations()[AnnotationTakeover], "/")
	replicas, err := strconv.ParseInt(number, 10, 32)
	return mark{uid: types.UID(uid), replicas: int32(replicas)}, found && err == nil
}

// until waits for a condition. What is missing is said in the error, which is ErrTimeout, with what to do.
func (t Takeover) until(ctx context.Context, what string, condition func() (bool, error)) error {
	deadline := t.Clock.Now().Add(t.Timeout)
	for {
		done, err := condition()
		if done || err != nil {
			return err
		}
		if !t.Clock.Now().Before(deadline) {
			return fmt.Errorf("%w after %s: %s; run the same command again to go on", ErrTimeout, t.Timeout, what)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.Clock.After(takeoverGlance):
		}
	}
}

// resize gives an object a number of replicas, if it is still as it was read.
func (t Takeover) resize(ctx context.Context, object client.Object, replicas int32) error {
	return t.patch(ctx, object, map[string]any{
		"metadata": map[string]any{"resourceVersion": object.GetResourceVersion()}, "spec": map[string]any{"replicas": replicas},
	})
}

// patch writes some fields of an object, which nobody else writes.
func (t Takeover) patch(ctx context.Context, object client.Object, fields map[string]any) error {
	data, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	return t.Client.Patch(ctx, object, client.RawPatch(types.MergePatchType, data), client.FieldOwner(FieldManager))
}

// remove deletes the very object that was read, if nobody has changed it since.
func (t Takeover) remove(ctx context.Context, object client.Object, propagation metav1.DeletionPropagation) error {
	uid, version := object.GetUID(), object.GetResourceVersion()
	return client.IgnoreNotFound(t.Client.Delete(ctx, object, client.Preconditions{UID: &uid, ResourceVersion: &version},
		client.PropagationPolicy(propagation)))
}

// get reads an object; false when it does not exist.
func (t Takeover) get(ctx context.Context, key client.ObjectKey, object client.Object) (bool, error) {
	err := t.Client.Get(ctx, key, object)
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	return err == nil, err
}

// scaled is what a HorizontalPodAutoscaler scales.
func scaled(apiVersion, kind, name string) autoscalingv2.CrossVersionObjectReference {
	return autoscalingv2.CrossVersionObjectReference{APIVersion: apiVersion, Kind: kind, Name: name}
}

func scaledDeployment(name string) autoscalingv2.CrossVersionObjectReference {
	return scaled(appsv1.SchemeGroupVersion.String(), "Deployment", name)
}

func scaledRollout(name string) autoscalingv2.CrossVersionObjectReference {
	return scaled(v1alpha1.GroupVersion.String(), v1alpha1.RolloutKind, name)
}

// scalers are the autoscalers that scale one object and are to scale another one. One that somebody else makes, such as a
// ScaledObject of KEDA, would be put back to the first: that is refused, with what to write there.
func (t Takeover) scalers(ctx context.Context, namespace string, from, to autoscalingv2.CrossVersionObjectReference) (
	[]autoscalingv2.HorizontalPodAutoscaler, error,
) {
	var list autoscalingv2.HorizontalPodAutoscalerList
	if err := t.Client.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("list the autoscalers of the namespace: %w", err)
	}
	found := slices.DeleteFunc(list.Items, func(hpa autoscalingv2.HorizontalPodAutoscaler) bool {
		ref := hpa.Spec.ScaleTargetRef
		return ref.Kind != from.Kind || ref.Name != from.Name
	})
	for i := range found {
		if owner := metav1.GetControllerOf(&found[i]); owner != nil {
			return nil, refuse(fmt.Sprintf("autoscaler %q belongs to %s %q, which would point it back at %s %q", found[i].Name, owner.Kind,
				owner.Name, strings.ToLower(from.Kind), from.Name),
				"write \"scaleTargetRef: {apiVersion: %s, kind: %s, name: %s}\" there, wait until the autoscaler has it, and run this again",
				to.APIVersion, to.Kind, to.Name)
		}
	}
	return found, nil
}

// repoint lets autoscalers that scale one object scale another one.
func (t Takeover) repoint(ctx context.Context, namespace string, from, to autoscalingv2.CrossVersionObjectReference) error {
	found, err := t.scalers(ctx, namespace, from, to)
	if err != nil {
		return err
	}
	for i := range found {
		hpa := &found[i]
		if err := t.patch(ctx, hpa, map[string]any{"spec": map[string]any{"scaleTargetRef": to}}); err != nil {
			return fmt.Errorf("point autoscaler %q at %s %q: %w", hpa.Name, to.Kind, to.Name, err)
		}
		t.Say("autoscaler %q scales %s %q now", hpa.Name, strings.ToLower(to.Kind), to.Name)
	}
	return nil
}

// controlled lists the ReplicaSets that an object controls, or, with an empty UID, nobody does, among those that a selector
// selects.
func (t Takeover) controlled(ctx context.Context, namespace string, selector *metav1.LabelSelector, uid types.UID) ([]appsv1.ReplicaSet, error) {
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return nil, err
	}
	var list appsv1.ReplicaSetList
	if err := t.Client.List(ctx, &list, client.InNamespace(namespace), client.MatchingLabelsSelector{Selector: parsed}); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(list.Items, func(rs appsv1.ReplicaSet) bool {
		owner := metav1.GetControllerOf(&rs)
		return owner == nil && uid != "" || owner != nil && owner.UID != uid
	}), nil
}

// withPods are those of some ReplicaSets that ask for pods.
func withPods(sets []appsv1.ReplicaSet) []appsv1.ReplicaSet {
	return slices.DeleteFunc(slices.Clone(sets), func(rs appsv1.ReplicaSet) bool { return ptr.Deref(rs.Spec.Replicas, 1) == 0 })
}

// asUnstructured is an object without what it leaves empty.
func asUnstructured(object any) (*unstructured.Unstructured, error) {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return nil, err
	}
	unstructured.RemoveNestedField(fields, "status")
	return &unstructured.Unstructured{Object: fields}, nil
}
