package simulation

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/revision"
	"github.com/sluice-dev/sluice/test/builder"
)

// Namespace of all stories.
const Namespace = "shop"

// Images of the stories.
const (
	imageV1 = "registry.example/web:v1"
	imageV2 = "registry.example/web:v2"
	imageV3 = "registry.example/web:v3"
)

// Web is the Rollout of all stories.
func Web() types.NamespacedName { return types.NamespacedName{Namespace: Namespace, Name: "web"} }

func release(image string) Step {
	return Step{"release " + image, func(w *World) error { w.Release(Web(), image); return nil }}
}

func steer(action string) Step {
	return Step{action, func(w *World) error { w.Steer(Web(), action); return nil }}
}

func wait(d time.Duration) Step {
	return Step{"wait " + d.String(), func(w *World) error { return w.Elapse(d) }}
}

func scale(n int32) Step {
	return Step{"scale", func(w *World) error { w.Scale(Web(), n); return nil }}
}

// web starts the Rollout of a story.
func web() *builder.RolloutBuilder {
	return builder.Rollout("web").Namespace(Namespace).Image(imageV1).Replicas(4)
}

// routed is a canary with a route: 20 %, a person, 50 %, a minute.
func routed() *builder.RolloutBuilder {
	return web().Services("web").Routes("web").
		Canary(builder.Step().Weight("20").Hold(), builder.Step().Weight("50").Pause(time.Minute))
}

// overlaid is a canary with a route whose first step has a header for the candidate and no weight; the second adds copies and
// a share, and the third takes the header off.
func overlaid() *builder.RolloutBuilder {
	return web().Services("web").Routes("web").Canary(
		builder.Step().Weight("0").Header("x-canary", "yes").Hold(),
		builder.Step().Weight("20").Mirror(10).Pause(time.Minute),
		builder.Step().Weight("50").Header("", ""))
}

// network is what a user of routes has made.
func network() []client.Object {
	return []client.Object{
		builder.Service(Namespace, "web", "web"),
		builder.HTTPRoute("web", "gateway").Namespace(Namespace).Rule("/", "web").Obj(),
	}
}

// with is a Rollout and what it needs.
func with(b *builder.RolloutBuilder, objects ...client.Object) []client.Object {
	return append(objects, b.Obj())
}

// rate is an AnalysisTemplate.
func rate() client.Object {
	return builder.AnalysisTemplate("rate", builder.Metric("rate", "up").Every(time.Second).Count(3)).Namespace(Namespace).Obj()
}

// measured is a canary with an analysis at its step.
func measured() *builder.RolloutBuilder {
	return web().Services("web").Routes("web").Canary(builder.Step().Weight("20").Analysis("rate"), builder.Step().Weight("50"))
}

// taken is a ReplicaSet of another Rollout under the name that the revision of an image would have.
func taken(image string) client.Object {
	hash, err := revision.Hash(web().Image(image).Obj().Spec.Template.Raw, 0)
	if err != nil {
		panic(err) // the builder makes templates that can be read
	}
	labels := map[string]string{"app": "another", v1alpha1.LabelPodTemplateHash: hash}
	return &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: Namespace, Name: revision.ReplicaSetName("web", hash), Labels: labels,
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.RolloutKind, Name: "another", UID: "another",
				Controller: ptr.To(true),
			}},
		},
		Spec: appsv1.ReplicaSetSpec{
			Replicas: ptr.To[int32](0), Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "another", Image: "registry.example/another:v1"}}},
			},
		},
	}
}

// leave deletes the Rollout and leaves what it owns.
func leave() Step {
	return Step{"delete the Rollout without its pods", func(w *World) error { return w.Delete(Web(), true) }}
}

// Stories are those that the language of test/scenarios has no words for, and one for each way of releasing.
func Stories() []Story {
	all := append(append(routedStories(), otherStories()...), configuredStories()...)
	for i := range all {
		all[i].Key = Web()
	}
	return all
}

// settled is the time after which nothing of an earlier release is left.
func settled() Step { return wait(v1alpha1.DefaultScaleDownDelay + time.Minute) }

func routedStories() []Story {
	return []Story{
		{
			Name: "a canary by route is promoted, and the next one aborted", Objects: with(routed(), network()...),
			Steps: []Step{
				release(imageV2), steer(v1alpha1.ActionPromote), settled(),
				release(imageV3), steer(v1alpha1.ActionAbort), settled(),
			},
		},
		{
			Name: "a canary by route fails its analysis", Objects: with(measured(), append(network(), rate())...),
			Verdicts: map[string]Verdict{imageV2 + "/step-1": {Phase: v1alpha1.AnalysisFailed}},
			Steps:    []Step{release(imageV2), settled(), release(imageV3), settled()},
		},
		{
			Name: "a canary by route is superseded, and then the stable template comes back", Objects: with(routed(), network()...),
			Steps: []Step{release(imageV2), release(imageV3), steer(v1alpha1.ActionPromote), release(imageV1), settled()},
		},
		{
			Name: "a canary whose stable shrinks", Objects: with(routed().With(func(r *v1alpha1.Rollout) {
				r.Spec.Strategy.Canary.StableCapacity = v1alpha1.StableCapacityProportional
			}), network()...),
			Steps: []Step{release(imageV2), scale(6), steer(v1alpha1.ActionPromote), steer(v1alpha1.ActionAbort), settled()},
		},
		{
			Name: "a canary of matches and copies is promoted, and the next ones aborted", Objects: with(overlaid(), network()...),
			Sparse: true,
			Steps: []Step{
				release(imageV2), steer(v1alpha1.ActionPromote), settled(),
				release(imageV3), steer(v1alpha1.ActionAbort), release(imageV1), steer(v1alpha1.ActionPromote), steer(v1alpha1.ActionAbort),
				settled(),
			},
		},
		contestedMatch(), keptClients(), probedStory(),
		{
			Name: "a canary makes its route, whose template changes at a step", Objects: with(templated(), builder.Service(Namespace, "web", "web")),
			Sparse: true,
			Steps: []Step{
				release(imageV2), traffic("another template", templated("shop.example.com")), steer(v1alpha1.ActionPromote), settled(),
				release(imageV3), traffic("the first template", templated()), steer(v1alpha1.ActionAbort), settled(),
			},
		},
		{
			Name: "a route is taken over at a step, and given up at the next", Objects: with(routed(), network()...), Sparse: true,
			Steps: []Step{
				release(imageV2), traffic("a template", templated("shop.example.com")), steer(v1alpha1.ActionPromote),
				traffic("no template", routed()), settled(),
			},
		},
	}
}

// templated is a canary like routed that makes its route, with hosts.
func templated(hosts ...gatewayv1.Hostname) *builder.RolloutBuilder {
	route := builder.HTTPRoute("web", "gateway").Rule("/", "web").Template()
	if len(hosts) > 0 {
		host, err := json.Marshal(hosts)
		if err != nil {
			panic(err) // a list of texts can be written
		}
		route.Spec.Raw = []byte(strings.Replace(string(route.Spec.Raw), "{", fmt.Sprintf(`{"hostnames":%s,`, host), 1))
	}
	return routed().Templates(route)
}

// traffic gives the Rollout the traffic of another one.
func traffic(name string, of *builder.RolloutBuilder) Step {
	return Step{name, func(w *World) error {
		w.Change(Web(), func(r *v1alpha1.Rollout) { r.Spec.Traffic = of.Obj().Spec.Traffic })
		return nil
	}}
}

// keptClients is a release of which clients keep a cookie, promoted, then one that is aborted, tried again and returned from.
func keptClients() Story {
	return Story{
		Name: "a canary whose clients keep a cookie", Objects: with(routed().With(func(r *v1alpha1.Rollout) {
			r.Spec.Strategy.Canary.Sticky = &v1alpha1.Sticky{Cookie: "web-cohort"}
		}), network()...), Sparse: true,
		Steps: []Step{
			release(imageV2), steer(v1alpha1.ActionPromote), settled(), release(imageV3), steer(v1alpha1.ActionAbort),
			steer(v1alpha1.ActionRetry), release(imageV2), settled(),
		},
	}
}

// contestedMatch is a release whose generated rule somebody takes out.
func contestedMatch() Story {
	return Story{
		Name: "somebody takes the matches of a canary out", Objects: with(overlaid(), network()...), Sparse: true,
		Steps: []Step{
			release(imageV2),
			{"somebody takes them out", func(w *World) error { putBack(w); return nil }},
			steer(v1alpha1.ActionPromote), steer(v1alpha1.ActionAbort), settled(),
		},
	}
}

// putBack writes a route as its owner did, as a tool does that knows nothing of a release.
func putBack(w *World) {
	edit(w, "gitops", kindRoute(), Web(), func(route *unstructured.Unstructured) {
		was, _ := network()[1].(*gatewayv1.HTTPRoute)
		spec, err := runtime.DefaultUnstructuredConverter.ToUnstructured(was)
		if err == nil {
			route.Object["spec"] = spec["spec"]
		}
	})
}

func otherStories() []Story {
	return []Story{
		{
			Name: "blue/green by selector, there and back", Objects: with(web().Services("web").BlueGreen(), builder.Service(Namespace, "web", "web")),
			Steps: []Step{release(imageV2), settled(), release(imageV1), settled()},
		},
		{
			Name: "blue/green by route", Objects: with(web().Routes("web").BlueGreen(), network()...),
			Steps: []Step{release(imageV2), settled()},
		},
		{
			Name: "a canary by the number of pods", Objects: with(web().Services("web").
				Canary(builder.Step().Weight("25").Hold(), builder.Step().Weight("50")), builder.Service(Namespace, "web", "web")),
			Steps: []Step{release(imageV2), scale(6), steer(v1alpha1.ActionPromote), settled(), release(imageV3), steer(v1alpha1.ActionAbort), settled()},
		},
		{
			Name:    "somebody else's ReplicaSets have the names of both revisions",
			Objects: with(routed(), append(network(), taken(imageV1), taken(imageV2))...),
			Steps:   []Step{release(imageV2), steer(v1alpha1.ActionPromote), settled(), release(imageV1), settled()},
		},
		{
			Name: "the Rollout is deleted at a step, and its pods stay", Objects: with(routed(), network()...),
			Steps: []Step{release(imageV2), leave()},
		},
		{
			Name: "a rolling update", Objects: with(web().RollingUpdate("1", "1")),
			Steps: []Step{release(imageV2), settled()},
		},
		{
			Name: "recreate", Objects: with(web().Replicas(2).Recreate()),
			Steps: []Step{release(imageV2), settled()},
		},
		{
			Name: "pods that are never ready", Objects: with(routed().ProgressDeadline(2*time.Minute), network()...),
			Startup: map[string]time.Duration{imageV2: Never},
			Steps:   []Step{release(imageV2), wait(10 * time.Minute)},
		},
	}
}
