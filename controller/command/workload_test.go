package command_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
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

// undoable is what an undo of a Rollout with a Deployment and configuration has to do with: the revision to go back to was made
// with another content of the ConfigMap web than the one that the controller has seen since.
func undoable(tracked *v1alpha1.Configuration) []client.Object {
	rollout, deployment, earlier := referring()
	rollout.Spec.Configuration = tracked
	rollout.Status.Configuration = []v1alpha1.ConfigurationStatus{{Kind: v1alpha1.KindConfigMap, Name: "web", Hash: "h2"}}
	earlier.Annotations[v1alpha1.AnnotationConfiguration] = `{"ConfigMap/web":"h1"}`
	return []client.Object{rollout, deployment, earlier}
}

func TestUndoPinsTheContentInTheRolloutOfADeployment(t *testing.T) {
	for name, tracked := range map[string]*v1alpha1.Configuration{
		"tracked":     {ConfigMaps: []v1alpha1.ConfigurationReference{{Name: "web"}}},
		"not tracked": nil,
	} {
		t.Run(name, func(t *testing.T) {
			var patched []string
			c := server(t, interceptor.Funcs{Patch: func(ctx context.Context, c client.WithWatch, object client.Object, patch client.Patch,
				opts ...client.PatchOption,
			) error {
				patched = append(patched, object.GetObjectKind().GroupVersionKind().Kind)
				return c.Patch(ctx, object, patch, opts...)
			}}, undoable(tracked)...)
			if _, err := command.Undo(t.Context(), c, web(), 1); err != nil {
				t.Fatal(err)
			}
			if got := imageOf(t, c); got != "shop/web:v1" {
				t.Errorf("the Deployment has %s", got)
			}
			if got := get(t, c).Spec.Configuration; got == nil || len(got.ConfigMaps) != 1 || got.ConfigMaps[0].Version != "h1" {
				t.Errorf("the Rollout has %+v, want the version h1", got)
			}
			if len(patched) != 2 || patched[1] != "Deployment" {
				t.Errorf("patched %v, want the Rollout first, and then the Deployment", patched)
			}
		})
	}
}

// An undo that was cut short between its two writes, or that a conflict stopped there, is repeated to its end.
func TestUndoOfADeploymentGoesOnWhereItWasCutShort(t *testing.T) {
	cut := errors.New("the connection is gone")
	for name, tc := range map[string]struct {
		fault error
		want  error
	}{
		"cut short":  {fault: cut, want: cut},
		"a conflict": {fault: apierrors.NewConflict(appsv1.Resource("deployments"), "web", errors.New("somebody was faster"))},
	} {
		t.Run(name, func(t *testing.T) {
			failed := false
			c := server(t, interceptor.Funcs{Patch: func(ctx context.Context, c client.WithWatch, object client.Object, patch client.Patch,
				opts ...client.PatchOption,
			) error {
				if object.GetObjectKind().GroupVersionKind().Kind == "Deployment" && !failed {
					failed = true
					return tc.fault
				}
				return c.Patch(ctx, object, patch, opts...)
			}}, undoable(&v1alpha1.Configuration{ConfigMaps: []v1alpha1.ConfigurationReference{{Name: "web"}}})...)
			if _, err := command.Undo(t.Context(), c, web(), 1); !errors.Is(err, tc.want) {
				t.Fatalf("got %v, want %v", err, tc.want)
			}
			if tc.want != nil {
				if _, err := command.Undo(t.Context(), c, web(), 1); err != nil {
					t.Fatalf("and then %v", err)
				}
			}
			if got := imageOf(t, c); got != "shop/web:v1" {
				t.Errorf("the Deployment has %s", got)
			}
			if got := get(t, c).Spec.Configuration.ConfigMaps; len(got) != 1 || got[0].Version != "h1" {
				t.Errorf("the Rollout has %+v, want the version h1", got)
			}
		})
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
