package command_test

import (
	"errors"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/command"
)

// referring is a Rollout whose template is that of the Deployment web, and an earlier revision of it.
func referring() (rollout *v1alpha1.Rollout, deployment *appsv1.Deployment, earlier *appsv1.ReplicaSet) {
	labels := map[string]string{"app": "web"}
	rollout = &v1alpha1.Rollout{ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "shop", UID: "1", Generation: 1}}
	rollout.Spec.WorkloadRef = &v1alpha1.WorkloadReference{Name: "web"}
	rollout.Status = v1alpha1.RolloutStatus{
		ObservedGeneration: 1, Selector: "app=web", UpdateRevision: "new", StableRevision: "new",
		State: v1alpha1.RolloutState{Stable: "new"},
	}
	deployment = &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "shop"}, Spec: appsv1.DeploymentSpec{
		Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: labels},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "shop/web:v2"}}},
		},
	}}
	earlier = &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{
		Name: "web-old", Namespace: "shop", Labels: map[string]string{"app": "web", v1alpha1.LabelPodTemplateHash: "old"},
		Annotations: map[string]string{
			v1alpha1.AnnotationRevisionNumber: "1",
			v1alpha1.AnnotationTemplate:       `{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"app","image":"shop/web:v1"}]}}`,
		},
		OwnerReferences: []metav1.OwnerReference{{Kind: "Rollout", Name: "web", UID: "1", Controller: ptr.To(true)}},
	}}
	return rollout, deployment, earlier
}

// imageOf is the image of the Deployment; the Rollout has no template before and after.
func imageOf(t *testing.T, c client.Reader) string {
	t.Helper()
	d := &appsv1.Deployment{}
	if err := c.Get(t.Context(), web(), d); err != nil {
		t.Fatal(err)
	}
	if raw := get(t, c).Spec.Template; raw.Raw != nil || raw.Object != (runtime.RawExtension{}).Object {
		t.Errorf("the Rollout has got a template: %s", raw.Raw)
	}
	return d.Spec.Template.Spec.Containers[0].Image
}

func TestTheTemplateOfADeploymentIsChangedThere(t *testing.T) {
	rollout, deployment, earlier := referring()
	c := server(t, interceptor.Funcs{}, rollout, deployment, earlier)
	changes, err := command.SetImages(t.Context(), c, web(), []command.Image{{Container: "app", Image: "shop/web:v3"}})
	if err != nil || len(changes) != 1 || changes[0].From != "shop/web:v2" {
		t.Fatalf("changes %v, %v", changes, err)
	}
	if got := imageOf(t, c); got != "shop/web:v3" {
		t.Errorf("the Deployment has %s", got)
	}
	if _, err := command.Undo(t.Context(), c, web(), 1); err != nil {
		t.Fatal(err)
	}
	if got := imageOf(t, c); got != "shop/web:v1" {
		t.Errorf("after the undo the Deployment has %s", got)
	}
}

func TestTheDeploymentOfATemplateIsMissing(t *testing.T) {
	rollout, _, earlier := referring()
	c := server(t, interceptor.Funcs{}, rollout, earlier)
	_, err := command.SetImages(t.Context(), c, web(), []command.Image{{Container: "app", Image: "shop/web:v3"}})
	var refusal *command.Refusal
	if !errors.As(err, &refusal) || !strings.Contains(err.Error(), `deployment "web"`) {
		t.Errorf("got %v, want a refusal that names the deployment", err)
	}
	if revisions, err := command.Revisions(t.Context(), c, rollout); err != nil || len(revisions) != 1 {
		t.Errorf("revisions %v, %v, want them by the selector of the status", revisions, err)
	}
}
