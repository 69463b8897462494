//go:build apiserver

package controller_test

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/apiserver/live"
	"github.com/sluice-dev/sluice/test/builder"
)

// An edit of a ConfigMap is a release: the candidate reads the new content, stable the old one, from copies that the API server
// lets nobody change. Metadata of the ConfigMap is nobody's business, and a Rollout at rest asks for nothing.
func TestAnEditOfAConfigMapIsReleased(t *testing.T) {
	rollout := builder.Rollout("web").Replicas(2).Services("web").Routes("web").Canary(builder.Step().Weight("20").Hold()).
		TemplateJSON(`{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"web","image":"` + live.ImageV1 + `",` +
			`"envFrom":[{"configMapRef":{"name":"web-config"}}]}]}}`).
		With(func(r *v1alpha1.Rollout) {
			r.Spec.Configuration = &v1alpha1.Configuration{ConfigMaps: []v1alpha1.ConfigurationReference{{Name: "web-config"}}}
		}).Obj()
	original := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "web-config"}, Data: map[string]string{"greeting": "hello"}}
	w := start(t, append(live.Network(), original, rollout)...)
	stable := w.Reaches("healthy", live.Healthy).StableRevision
	live.Alter(w.World, "web-config", &corev1.ConfigMap{}, func(c *corev1.ConfigMap) { c.Annotations = map[string]string{"note": "x"} })
	live.Alter(w.World, "web-config", &corev1.ConfigMap{}, func(c *corev1.ConfigMap) { c.Data["greeting"] = "good day" })
	status := w.Reaches("the first step of the new content", live.Awaiting)
	if got := strings.Join(w.Told(v1alpha1.ReasonReleaseStarted), "\n"); !strings.Contains(got, "because ConfigMap web-config changed") {
		t.Errorf("told %q", got)
	}
	for hash, want := range map[string]string{stable: "hello", status.State.Candidate: "good day"} {
		kept := w.readBy(hash)
		if kept.Data["greeting"] != want {
			t.Errorf("revision %s reads %q, want %q", hash, kept.Data["greeting"], want)
		}
		kept.Data["greeting"] = "changed"
		if err := w.Client.Update(t.Context(), kept); !apierrors.IsInvalid(err) {
			t.Errorf("the copy %s can be changed: %v", kept.Name, err)
		}
	}
	w.Command(v1alpha1.ActionPromote)
	w.Reaches("healthy with the new content", func(s *v1alpha1.RolloutStatus) bool {
		return live.Healthy(s) && s.StableRevision == status.State.Candidate
	})
}

// readBy is the ConfigMap that the pods of a revision read.
func (w *world) readBy(hash string) *corev1.ConfigMap {
	w.T.Helper()
	var list appsv1.ReplicaSetList
	if err := w.Client.List(w.T.Context(), &list, client.InNamespace(w.Namespace),
		client.MatchingLabels{v1alpha1.LabelPodTemplateHash: hash}); err != nil || len(list.Items) != 1 {
		w.T.Fatalf("%d ReplicaSets of %s, %v", len(list.Items), hash, err)
	}
	out := &corev1.ConfigMap{}
	w.Get(list.Items[0].Spec.Template.Spec.Containers[0].EnvFrom[0].ConfigMapRef.Name, out)
	return out
}
