package live

import (
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// Healthy says that what the spec asks for is stable and available.
func Healthy(s *v1alpha1.RolloutStatus) bool { return s.Phase == v1alpha1.PhaseHealthy }

// Promoted says that the release has arrived.
func Promoted(s *v1alpha1.RolloutStatus) bool {
	return Healthy(s) && s.StableRevision == s.UpdateRevision
}

// Awaiting says that the release waits for a person.
func Awaiting(s *v1alpha1.RolloutStatus) bool { return Reason(s) == v1alpha1.ReasonAwaitingPromotion }

// Aborted says that the release has been aborted, and traffic is back.
func Aborted(s *v1alpha1.RolloutStatus) bool { return s.State.Stage == v1alpha1.StageAborted }

// Reason is the reason that people are told.
func Reason(s *v1alpha1.RolloutStatus) string {
	if c := meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionReady); c != nil {
		return c.Reason
	}
	return ""
}

// Rollout is the Rollout as it is now.
func (w *World) Rollout() *v1alpha1.Rollout {
	w.T.Helper()
	out := &v1alpha1.Rollout{}
	w.Get("web", out)
	return out
}

// List reads objects of the namespace of the test.
func (w *World) List(list client.ObjectList) {
	w.T.Helper()
	if err := w.Client.List(w.T.Context(), list, client.InNamespace(w.Namespace)); err != nil {
		w.T.Fatal(err)
	}
}

// Sizes are the sizes of the ReplicaSets by image.
func (w *World) Sizes() map[string]int32 {
	w.T.Helper()
	var list appsv1.ReplicaSetList
	w.List(&list)
	out := map[string]int32{}
	for _, rs := range list.Items {
		out[rs.Spec.Template.Spec.Containers[0].Image] += *rs.Spec.Replicas
	}
	return out
}

// SizesAre waits until the ReplicaSets have sizes.
func (w *World) SizesAre(want map[string]int32) {
	w.T.Helper()
	w.Eventually("the sizes", func() (bool, string) {
		diff := cmp.Diff(want, w.Sizes())
		return diff == "", diff
	})
}

// Weight is the share of the standby Service on the route in percent.
func (w *World) Weight() int32 {
	w.T.Helper()
	route := &gatewayv1.HTTPRoute{}
	w.Get("web", route)
	return WeightOf(route)
}

// WeightOf is the share of the standby Service in the first rule of a route, in percent.
func WeightOf(route *gatewayv1.HTTPRoute) int32 {
	weights := map[string]int32{}
	for _, ref := range route.Spec.Rules[0].BackendRefs {
		weights[string(ref.Name)] = ptr.Deref(ref.Weight, 1)
	}
	return weights["web-standby"] * 100 / (weights["web"] + weights["web-standby"])
}

// Selected is the revision that a Service selects; empty when it selects all.
func (w *World) Selected(service string) string {
	w.T.Helper()
	out := &corev1.Service{}
	w.Get(service, out)
	return out.Spec.Selector[v1alpha1.LabelPodTemplateHash]
}

// Told are the notes of the events with a reason.
func (w *World) Told(reason string) []string {
	w.T.Helper()
	var list eventsv1.EventList
	w.List(&list)
	var out []string
	for _, e := range list.Items {
		if e.Reason != reason || e.Regarding.Kind != v1alpha1.RolloutKind {
			continue
		}
		out = append(out, e.Note)
		if e.Series != nil {
			out = append(out, fmt.Sprintf("and %d times more", e.Series.Count-1))
		}
	}
	return out
}

// RequestLog notes the requests of the controllers, but for watches.
type RequestLog struct {
	mu    sync.Mutex
	lines []string
	warns []string
}

func (l *RequestLog) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		if !strings.Contains(req.URL.RawQuery, "watch=true") {
			l.mu.Lock()
			l.lines = append(l.lines, req.Method+" "+req.URL.Path)
			l.mu.Unlock()
		}
		response, err := next.RoundTrip(req)
		if err == nil {
			l.mu.Lock()
			l.warns = append(l.warns, response.Header.Values("Warning")...)
			l.mu.Unlock()
		}
		return response, err
	})
}

// Count is the number of requests so far.
func (l *RequestLog) Count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.lines)
}

// Since are the requests after the first n.
func (l *RequestLog) Since(n int) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.lines[n:]...)
}

// Warnings are those that the API server has sent with its answers, in lines.
func (l *RequestLog) Warnings() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.warns, "\n")
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (r roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return r(req) }
