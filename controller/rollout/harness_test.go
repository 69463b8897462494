package rollout

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/builder"
	"github.com/sluice-dev/sluice/test/dataplane"
	"github.com/sluice-dev/sluice/trafficrouting"
	"github.com/sluice-dev/sluice/trafficrouting/gatewayapi"
	"github.com/sluice-dev/sluice/trafficrouting/probe"
)

const (
	namespace = "shop"
	settle    = 2 * time.Second
	imageV1   = "registry.example/web:v1"
	imageV2   = "registry.example/web:v2"
	imageV3   = "registry.example/web:v3"
)

// harness is a Reconciler with everything around it: an API server, pods and a gateway that act at once, and a clock
// that stands still until it is told.
type harness struct {
	t        *testing.T
	base     client.WithWatch // without faults, and not counted
	plane    *dataplane.Plane
	clock    *clocktesting.FakePassiveClock
	recorder *events.FakeRecorder
	r        *Reconciler
	key      types.NamespacedName
	// writes of the Reconciler, "verb kind/name", in order.
	writes []string
	// fault is asked before each write of the Reconciler; it may perform the write itself. Nil means none.
	fault func(n int, write func() error) error
	// probe asks gateways for shares; nil for a controller that cannot.
	probe ProbeFunc
	// done counts the writes that were made.
	done int
	uids int
}

func newHarness(t *testing.T, objects ...client.Object) *harness {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		corev1.AddToScheme, appsv1.AddToScheme, discoveryv1.AddToScheme,
		gatewayv1.Install, autoscalingv2.AddToScheme, v1alpha1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	h := &harness{
		t: t, clock: clocktesting.NewFakePassiveClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)),
		recorder: events.NewFakeRecorder(1000), key: types.NamespacedName{Namespace: namespace, Name: "web"},
	}
	// A tracker that keeps no managed fields is several times as fast.
	tracker := clienttesting.NewObjectTracker(scheme, serializer.NewCodecFactory(scheme).UniversalDecoder())
	b := fake.NewClientBuilder().WithScheme(scheme).WithObjectTracker(tracker).
		WithStatusSubresource(&v1alpha1.Rollout{}, &v1alpha1.AnalysisRun{}, &appsv1.ReplicaSet{}, &corev1.Pod{}, &gatewayv1.HTTPRoute{}).
		WithInterceptorFuncs(interceptor.Funcs{Create: h.create, Delete: h.orphaning})
	for _, index := range Indexes() {
		b = b.WithIndex(index.Object, index.Name, index.Values)
	}
	h.base = b.Build()
	for _, obj := range objects {
		obj.SetNamespace(namespace)
		if err := h.base.Create(t.Context(), obj); err != nil {
			t.Fatal(err)
		}
	}
	h.plane = &dataplane.Plane{Client: h.base, Namespace: namespace, Now: h.clock.Now}
	h.restart()
	return h
}

// create does what an API server does and the fake one leaves out.
func (h *harness) create(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.CreateOption) error {
	h.uids++
	obj.SetUID(types.UID(fmt.Sprintf("uid-%d", h.uids)))
	if created := obj.GetCreationTimestamp(); created.IsZero() {
		obj.SetCreationTimestamp(metav1.NewTime(h.clock.Now().Truncate(time.Second)))
	}
	return c.Create(ctx, obj, opts...)
}

// restart makes a new Reconciler, which remembers nothing, as after a crash.
func (h *harness) restart() {
	counted := interceptor.NewClient(h.base, interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.CreateOption) error {
			return h.write("create", obj, func() error { return c.Create(ctx, obj, opts...) })
		},
		Delete: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.DeleteOption) error {
			return h.write("delete", obj, func() error { return c.Delete(ctx, obj, opts...) })
		},
		Patch: func(ctx context.Context, c client.WithWatch, obj client.Object, p client.Patch, opts ...client.PatchOption) error {
			return h.write("patch", obj, func() error { return c.Patch(ctx, obj, p, opts...) })
		},
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, obj client.Object, p client.Patch,
			opts ...client.SubResourcePatchOption,
		) error {
			return h.write(sub, obj, func() error { return c.SubResource(sub).Patch(ctx, obj, p, opts...) })
		},
	})
	h.r = New(Parts{
		Cache: h.base, Live: h.base, Client: counted, Recorder: h.recorder, Clock: h.clock, Settle: settle,
		Probe: func(questions []probe.Question, done func([]probe.Count)) func() { return h.probe(questions, done) },
		Routers: func(reader client.Reader, writer client.Writer) trafficrouting.Routers {
			return trafficrouting.Routers{GatewayAPI: gatewayapi.New(reader, writer, builder.RouteMapper())}
		},
	})
}

func (h *harness) write(verb string, obj client.Object, do func() error) error {
	h.writes = append(h.writes, fmt.Sprintf("%s %T/%s", verb, obj, obj.GetName()))
	counted := func() error {
		err := do()
		if err == nil {
			h.done++
		}
		return err
	}
	if h.fault == nil {
		return counted()
	}
	return h.fault(len(h.writes), counted)
}

// pass is one Reconcile.
func (h *harness) pass() (reconcile.Result, error) {
	h.t.Helper()
	return h.r.Reconcile(log.IntoContext(h.t.Context(), logr.Discard()), reconcile.Request{NamespacedName: h.key})
}

// settle lets the Reconciler and the world around it act, and short times pass, until nothing happens any more. An error
// of the Reconciler makes it try again, as the queue would.
func (h *harness) settle() {
	h.t.Helper()
	for range 400 {
		before, version := h.done, h.version()
		result, err := h.pass()
		if stepErr := h.plane.Step(h.t.Context()); stepErr != nil {
			h.t.Fatal(stepErr)
		}
		if err != nil {
			continue
		}
		idle := h.done == before && h.version() == version
		switch {
		case idle && (result.RequeueAfter == 0 || result.RequeueAfter > 10*time.Second):
			return
		case result.RequeueAfter > 0 && result.RequeueAfter <= 10*time.Second:
			h.clock.SetTime(h.clock.Now().Add(result.RequeueAfter))
		}
	}
	h.t.Fatalf("the rollout does not come to rest: %s; the last writes are %v", h.rollout().Status.Message,
		h.writes[max(0, len(h.writes)-20):])
}

// version changes with every change of the world.
func (h *harness) version() string {
	h.t.Helper()
	var pods corev1.PodList
	var sets appsv1.ReplicaSetList
	var routes gatewayv1.HTTPRouteList
	for _, list := range []client.ObjectList{&pods, &sets, &routes} {
		if err := h.base.List(h.t.Context(), list, client.InNamespace(namespace)); err != nil {
			h.t.Fatal(err)
		}
	}
	var out strings.Builder
	for _, pod := range pods.Items {
		out.WriteString(pod.Name + pod.ResourceVersion + " ")
	}
	for _, rs := range sets.Items {
		out.WriteString(rs.Name + rs.ResourceVersion + " ")
	}
	for _, route := range routes.Items {
		out.WriteString(route.Name + route.ResourceVersion + " ")
	}
	return out.String()
}

// elapse lets time pass, and then everything that it brings about.
func (h *harness) elapse(d time.Duration) {
	h.t.Helper()
	h.clock.SetTime(h.clock.Now().Add(d))
	h.settle()
}

func (h *harness) rollout() *v1alpha1.Rollout {
	h.t.Helper()
	out := &v1alpha1.Rollout{}
	h.get(h.key.Name, out)
	return out
}

func (h *harness) get(name string, obj client.Object) {
	h.t.Helper()
	if err := h.base.Get(h.t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, obj); err != nil {
		h.t.Fatal(err)
	}
}

// edit changes the Rollout as a person does.
func (h *harness) edit(change func(*v1alpha1.Rollout)) {
	h.t.Helper()
	rollout := h.rollout()
	spec := rollout.Spec.DeepCopy()
	change(rollout)
	if !equality.Semantic.DeepEqual(*spec, rollout.Spec) {
		rollout.Generation++
	}
	if err := h.base.Update(h.t.Context(), rollout); err != nil {
		h.t.Fatal(err)
	}
}

// release changes the image, as a person does.
func (h *harness) release(image string) {
	h.t.Helper()
	h.edit(func(r *v1alpha1.Rollout) { r.Spec.Template = builder.Rollout("web").Image(image).Obj().Spec.Template })
}

// command writes the annotation, as a person does.
func (h *harness) command(action, hash, id string) {
	h.t.Helper()
	h.edit(func(r *v1alpha1.Rollout) {
		if r.Annotations == nil {
			r.Annotations = map[string]string{}
		}
		r.Annotations[v1alpha1.AnnotationCommand] = v1alpha1.Command{Action: action, Revision: hash, ID: id}.String()
	})
}

// replicaSets are the ReplicaSets of the namespace by image, with their sizes.
func (h *harness) replicaSets() map[string]int32 {
	h.t.Helper()
	out := map[string]int32{}
	for _, rs := range h.listReplicaSets() {
		out[rs.Spec.Template.Spec.Containers[0].Image] += *rs.Spec.Replicas
	}
	return out
}

func (h *harness) listReplicaSets() []appsv1.ReplicaSet {
	h.t.Helper()
	var list appsv1.ReplicaSetList
	if err := h.base.List(h.t.Context(), &list, client.InNamespace(namespace)); err != nil {
		h.t.Fatal(err)
	}
	return list.Items
}

// replicaSetOf is the one ReplicaSet of an image.
func (h *harness) replicaSetOf(image string) *appsv1.ReplicaSet {
	h.t.Helper()
	var found []appsv1.ReplicaSet
	for _, rs := range h.listReplicaSets() {
		if rs.Spec.Template.Spec.Containers[0].Image == image {
			found = append(found, rs)
		}
	}
	if len(found) != 1 {
		h.t.Fatalf("%d ReplicaSets have the image %s, want 1", len(found), image)
	}
	return &found[0]
}

// weight is the weight of the standby Service on the route, in percent of the sum.
func (h *harness) weight() int32 {
	h.t.Helper()
	route := &gatewayv1.HTTPRoute{}
	h.get("web", route)
	weights := map[string]int32{}
	for _, ref := range route.Spec.Rules[0].BackendRefs {
		weight := int32(1)
		if ref.Weight != nil {
			weight = *ref.Weight
		}
		weights[string(ref.Name)] = weight
	}
	return weights["web-standby"] * 100 / (weights["web"] + weights["web-standby"])
}

// selected is the revision that a Service selects.
func (h *harness) selected(service string) string {
	h.t.Helper()
	out := &corev1.Service{}
	h.get(service, out)
	return out.Spec.Selector[v1alpha1.LabelPodTemplateHash]
}

// told are the events since the last call, "type reason message".
func (h *harness) told() []string {
	h.t.Helper()
	var out []string
	for {
		select {
		case e := <-h.recorder.Events:
			out = append(out, e)
		default:
			return out
		}
	}
}

// since runs a function and returns the writes that the Reconciler made in it.
func (h *harness) since(do func()) []string {
	h.t.Helper()
	before := len(h.writes)
	do()
	return slices.Clone(h.writes[before:])
}

// picture is the state of the world that counts, without names that follow from chance.
func (h *harness) picture() map[string]string {
	h.t.Helper()
	rollout := h.rollout()
	out := map[string]string{
		"phase": string(rollout.Status.Phase), "stage": string(rollout.Status.State.Stage),
		"stable": rollout.Status.StableRevision, "update": rollout.Status.UpdateRevision,
		"replicas": fmt.Sprint(rollout.Status.Replicas, rollout.Status.UpdatedReplicas, rollout.Status.AvailableReplicas),
		"active":   h.selected("web"),
		"sizes":    fmt.Sprint(h.replicaSets()),
		"sets":     fmt.Sprint(len(h.listReplicaSets())),
	}
	var outcomes []string
	for _, record := range rollout.Status.History {
		outcomes = append(outcomes, string(record.Outcome)+" "+record.Revision)
	}
	out["history"] = strings.Join(outcomes, ", ")
	return maps.Clone(out)
}

// unavailable is the error of a connection that broke: the write may have been made or not.
func unavailable() error {
	return apierrors.NewTimeoutError("the connection broke", 0)
}

// routed is a canary with a route: 20 %, a person, 50 %.
func routed() *builder.RolloutBuilder {
	return builder.Rollout("web").Namespace(namespace).Image(imageV1).Replicas(4).Services("web").Routes("web").
		Canary(builder.Step().Weight("20").Hold(), builder.Step().Weight("50"))
}

// network is what a user of routes has made.
func network() []client.Object {
	return []client.Object{
		builder.Service(namespace, "web", "web"),
		builder.HTTPRoute("web", "gateway").Namespace(namespace).Rule("/", "web").Obj(),
	}
}

// started is a harness with a Rollout at rest on v1.
func started(t *testing.T, rollout *builder.RolloutBuilder, objects ...client.Object) *harness {
	t.Helper()
	h := newHarness(t, append([]client.Object{rollout.Obj()}, objects...)...)
	h.settle()
	if got := h.rollout().Status; got.Phase != v1alpha1.PhaseHealthy {
		t.Fatalf("the first rollout is %s: %s", got.Phase, got.Message)
	}
	h.told()
	return h
}

// make creates an object, as a person does.
func (h *harness) make(obj client.Object) {
	h.t.Helper()
	obj.SetNamespace(namespace)
	obj.SetResourceVersion("")
	if err := h.base.Create(h.t.Context(), obj); err != nil {
		h.t.Fatal(err)
	}
}

// remove deletes an object, as a person does.
func (h *harness) remove(obj client.Object) {
	h.t.Helper()
	obj.SetNamespace(namespace)
	obj.SetResourceVersion("")
	if err := h.base.Delete(h.t.Context(), obj); err != nil {
		h.t.Fatal(err)
	}
}

// alter changes an object, as a person does.
func alter[T client.Object](h *harness, name string, obj T, change func(T)) {
	h.t.Helper()
	h.get(name, obj)
	change(obj)
	if err := h.base.Update(h.t.Context(), obj); err != nil {
		h.t.Fatal(err)
	}
}

// terminating is what the API server says in a namespace that is being deleted.
func terminating() error {
	err := apierrors.NewForbidden(schema.GroupResource{Resource: "replicasets"}, "web", errors.New("the namespace is being deleted"))
	err.ErrStatus.Details.Causes = append(err.ErrStatus.Details.Causes, metav1.StatusCause{Type: corev1.NamespaceTerminatingCause})
	return err
}
