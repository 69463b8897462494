//go:build apiserver

package faults_test

import (
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/apiserver/env"
	"github.com/sluice-dev/sluice/test/apiserver/live"
)

// clusterWide makes an object that has no namespace, and deletes it after the test: it would act on every other one.
func clusterWide(w *live.World, obj client.Object) {
	w.T.Helper()
	if err := w.Client.Create(w.T.Context(), obj); err != nil {
		w.T.Fatal(err)
	}
	w.T.Cleanup(func() {
		if err := w.Client.Delete(w.T.Context(), obj); client.IgnoreNotFound(err) != nil && w.T.Context().Err() == nil {
			w.T.Error(err)
		}
	})
}

// here are the objects of the namespace of a world.
func here(w *live.World) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": w.Namespace}}
}

// creationOf is a rule for objects that are made, and changed.
func creationOf(group, version, resource string) admissionregistrationv1.RuleWithOperations {
	return admissionregistrationv1.RuleWithOperations{
		Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create, admissionregistrationv1.Update},
		Rule: admissionregistrationv1.Rule{
			APIGroups: []string{group}, APIVersions: []string{version}, Resources: []string{resource},
		},
	}
}

// rewriting is a policy that changes the pod template of every ReplicaSet of a namespace: the image comes from a mirror, and
// there is a label more. It ends when nothing is left to change.
func rewriting(w *live.World) []client.Object {
	name := "rewrite-" + w.Namespace
	policy := &admissionregistrationv1.MutatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionregistrationv1.MutatingAdmissionPolicySpec{
			MatchConstraints: &admissionregistrationv1.MatchResources{
				NamespaceSelector: here(w),
				ResourceRules:     []admissionregistrationv1.NamedRuleWithOperations{{RuleWithOperations: creationOf("apps", "v1", "replicasets")}},
			},
			FailurePolicy:      ptr.To(admissionregistrationv1.Fail),
			ReinvocationPolicy: admissionregistrationv1.NeverReinvocationPolicy,
			Mutations: []admissionregistrationv1.Mutation{{
				PatchType: admissionregistrationv1.PatchTypeJSONPatch,
				JSONPatch: &admissionregistrationv1.JSONPatch{Expression: `
					object.spec.template.spec.containers[0].image.startsWith("mirror.example/") ? [] : [
						JSONPatch{op: "add", path: "/spec/template/metadata/labels/team", value: "shop"},
						JSONPatch{op: "replace", path: "/spec/template/spec/containers/0/image",
							value: "mirror.example/" + object.spec.template.spec.containers[0].image}
					]`},
			}},
		},
	}
	binding := &admissionregistrationv1.MutatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       admissionregistrationv1.MutatingAdmissionPolicyBindingSpec{PolicyName: name},
	}
	return []client.Object{policy, binding}
}

// A policy that rewrites templates does not make another revision of them: one release, one ReplicaSet, also for a
// controller that starts later.
func TestTemplatesThatAreRewritten(t *testing.T) {
	t.Parallel()
	w := live.New(t, env.Start(t), live.Network()...)
	for _, obj := range rewriting(w) {
		clusterWide(w, obj)
	}
	w.Eventually("the policy", func() (bool, string) {
		probe := &appsv1.ReplicaSet{}
		must(t, json.Unmarshal([]byte(`{"metadata": {"name": "probe"}, "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "probe"}},
			"template": {"metadata": {"labels": {"app": "probe"}}, "spec": {"containers": [{"name": "web", "image": "x"}]}}}}`), probe))
		probe.Namespace = w.Namespace
		must(t, w.Client.Create(t.Context(), probe, client.DryRunAll))
		image := probe.Spec.Template.Spec.Containers[0].Image
		return image == "mirror.example/x", image
	})
	w.Make(canary().Obj())
	w.StartHardyPlane()
	w.StartControllers()
	atFirstStep(w)
	w.Stop()
	w.StartControllers()
	w.Command(v1alpha1.ActionPromoteFull)
	w.Reaches("promoted", live.Promoted)
	w.SizesAre(map[string]int32{"mirror.example/" + live.ImageV1: 0, "mirror.example/" + live.ImageV2: 5})
	var sets appsv1.ReplicaSetList
	w.List(&sets)
	if len(sets.Items) != 2 {
		t.Errorf("%d ReplicaSets after two releases, want 2", len(sets.Items))
	}
	// The template before, as it was written: the ReplicaSet that is there comes back.
	w.Release(live.ImageV1)
	w.Reaches("the first step back", live.Awaiting)
	w.Command(v1alpha1.ActionAbort)
	w.Reaches("aborted", live.Aborted)
	w.List(&sets)
	if len(sets.Items) != 2 {
		t.Errorf("%d ReplicaSets after going back, want 2", len(sets.Items))
	}
	newTape(w).wantSafe()
}

// webhook is a server that agrees to everything, unless it is broken.
type webhook struct {
	broken atomic.Bool
	asked  atomic.Int32
}

func (h *webhook) ServeHTTP(out http.ResponseWriter, req *http.Request) {
	h.asked.Add(1)
	if h.broken.Load() {
		http.Error(out, "out of order", http.StatusInternalServerError)
		return
	}
	var review admissionv1.AdmissionReview
	if err := json.NewDecoder(req.Body).Decode(&review); err != nil {
		http.Error(out, err.Error(), http.StatusBadRequest)
		return
	}
	review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: true}
	review.Request = nil
	out.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(out).Encode(review) // the API server tells of it
}

// startWebhook asks a webhook for every ReplicaSet and every route of a world, and takes no answer for a no.
func startWebhook(w *live.World) *webhook {
	w.T.Helper()
	h := &webhook{}
	server := httptest.NewTLSServer(h)
	w.T.Cleanup(server.Close)
	clusterWide(w, &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "agree-" + w.Namespace},
		Webhooks: []admissionregistrationv1.ValidatingWebhook{{
			Name: "agree.example.com",
			ClientConfig: admissionregistrationv1.WebhookClientConfig{
				URL:      &server.URL,
				CABundle: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
			},
			NamespaceSelector: here(w),
			Rules: []admissionregistrationv1.RuleWithOperations{
				creationOf("apps", "v1", "replicasets"), creationOf("gateway.networking.k8s.io", "v1", "httproutes"),
			},
			FailurePolicy:           ptr.To(admissionregistrationv1.Fail),
			SideEffects:             ptr.To(admissionregistrationv1.SideEffectClassNone),
			AdmissionReviewVersions: []string{"v1"},
		}},
	})
	return h
}

// A webhook that is broken is told by its name, and everything goes on when it is back: a release, and an abort.
func TestAWebhookIsBroken(t *testing.T) {
	t.Parallel()
	w := world(t, env.Start(t))
	h := startWebhook(w)
	w.StartControllers()
	w.Reaches("healthy", live.Healthy)
	w.Eventually("the webhook", func() (bool, string) {
		route := live.Route()
		w.Get("web", route)
		must(t, w.Client.Update(t.Context(), route, client.DryRunAll))
		return h.asked.Load() > 0, "not asked"
	})
	h.broken.Store(true)
	w.Release(live.ImageV2)
	told(w, v1alpha1.ReasonReplicaSetRefused, `"agree.example.com"`, "it is asked again every")
	h.broken.Store(false)
	w.Reaches("the first step", live.Awaiting)

	h.broken.Store(true)
	w.Command(v1alpha1.ActionAbort)
	told(w, v1alpha1.ReasonWriteRefused, `"agree.example.com"`)
	before := h.asked.Load()
	elapse(storm)
	// The data plane does not ask it: it writes the status of routes and ReplicaSets, which the rules leave out.
	if n := h.asked.Load() - before; n > 8 {
		t.Errorf("the broken webhook was asked %d times in %s", n, storm)
	}
	h.broken.Store(false)
	aborts(w)
	newTape(w).wantSafe()
}

// told waits until the status tells of something in certain words.
func told(w *live.World, reason string, words ...string) {
	w.T.Helper()
	w.Reaches("told of "+reason, func(s *v1alpha1.RolloutStatus) bool {
		for _, word := range words {
			if !strings.Contains(s.Message, word) {
				return false
			}
		}
		return live.Reason(s) == reason
	})
	w.T.Log(w.Rollout().Status.Message)
}
