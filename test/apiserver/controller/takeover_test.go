//go:build apiserver

package controller_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/command"
	"github.com/sluice-dev/sluice/test/apiserver/live"
)

// deployment is one of four pods, written in short: the API server fills in the rest.
func deployment() *appsv1.Deployment {
	labels := map[string]string{"app": "web"}
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: appsv1.DeploymentSpec{
		Replicas: ptr.To[int32](4), Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: labels},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: live.ImageV1}}},
		},
	}}
}

// pods are the UIDs of the pods that are not being deleted.
func (w *world) pods() []string {
	w.T.Helper()
	var list corev1.PodList
	w.List(&list)
	var out []string
	for _, pod := range list.Items {
		if pod.DeletionTimestamp == nil {
			out = append(out, string(pod.UID))
		}
	}
	slices.Sort(out)
	return out
}

func (w *world) deployed() []string {
	w.T.Helper()
	w.Eventually("the Deployment has its pods", func() (bool, string) {
		d := &appsv1.Deployment{}
		w.Get("web", d)
		return d.Status.AvailableReplicas == 4 && d.Status.ObservedGeneration == d.Generation, fmt.Sprint(d.Status.AvailableReplicas)
	})
	return w.pods()
}

// The template that a ReplicaSet of a Deployment has got from the API server is found to be that of the Rollout, and the
// other way round.
func TestADeploymentIsTakenOverAndGivenBack(t *testing.T) {
	w := start(t, append(live.Network(), deployment())...)
	pods := w.deployed()
	take := command.Takeover{Client: w.Client, Clock: clock.RealClock{}, Timeout: live.Patience, Say: t.Logf}
	key := client.ObjectKey{Namespace: w.Namespace, Name: "web"}
	if err := take.Migrate(t.Context(), key, command.Migration{Active: "web", Route: "web", Strategy: routed().Obj().Spec.Strategy}); err != nil {
		t.Fatal(err)
	}
	w.Reaches("healthy", func(s *v1alpha1.RolloutStatus) bool { return live.Healthy(s) && w.Selected("web") == s.StableRevision })
	if diff := cmp.Diff(pods, w.pods()); diff != "" {
		t.Fatalf("pods were replaced: %s", diff)
	}
	if err := take.Eject(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(pods, w.deployed()); diff != "" {
		t.Errorf("pods were replaced: %s", diff)
	}
	if got := w.Selected("web"); got != "" {
		t.Errorf("web selects %q", got)
	}
}

// What kubectl set image does to a Deployment is released as a canary.
func TestAnImageOfADeploymentIsReleased(t *testing.T) {
	rollout := routed().Obj()
	rollout.Spec.Template, rollout.Spec.Selector = runtime.RawExtension{}, nil
	rollout.Spec.WorkloadRef = &v1alpha1.WorkloadReference{Name: "web", ScaleDown: v1alpha1.WorkloadScaleDownOnSuccess}
	w := start(t, append(live.Network(), deployment())...)
	w.deployed()
	w.Make(rollout)
	w.Eventually("the Deployment has no pods of its own", func() (bool, string) {
		d := &appsv1.Deployment{}
		w.Get("web", d)
		return *d.Spec.Replicas == 0, w.Rollout().Status.Message
	})
	if _, err := w.Kubectl(t, "", "set", "image", "deployment/web", "web="+live.ImageV2); err != nil {
		t.Fatal(err)
	}
	status := w.Reaches("a canary", live.Awaiting)
	if w.Weight() != 20 || status.Workload == nil || status.Workload.ObservedGeneration != 3 || *status.Workload.Replicas != 4 {
		t.Errorf("weight %d, workload %+v", w.Weight(), status.Workload)
	}
	// Who deletes the Rollout now, at 3 in the morning with v2 at 20 %, loses no request, gets rid of the Rollout, and gets a
	// Deployment that runs what it says. It says v2: that all callers come to v2 thereby is what nobody has in mind at that
	// hour. It cannot be v1 as long as the Deployment is the user's, so it is said, with the way out, before it happens.
	w.Remove(w.Rollout())
	w.Eventually("the Deployment has its pods back and serves", func() (bool, string) {
		d := &appsv1.Deployment{}
		w.Get("web", d)
		return d.Status.AvailableReplicas == 4 && w.Selected("web") == "", fmt.Sprint(d.Status.AvailableReplicas)
	})
	want := fmt.Sprintf("deployment web has the template of %s, and %s is stable: its pods get all traffic", status.UpdateRevision, status.State.Stable)
	w.Eventually("a warning", func() (bool, string) {
		told := strings.Join(w.Told(v1alpha1.ReasonLeaving), "\n")
		return strings.Contains(told, want), told
	})
}
