package main

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/sluice-dev/sluice/test/builder"
)

// deployment is one at rest.
func deployment() *appsv1.Deployment {
	labels := map[string]string{"app": "web"}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "shop", UID: "1", Generation: 2},
		Spec: appsv1.DeploymentSpec{
			Replicas: ptr.To[int32](3), Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "shop/web:v2"}}},
			},
		},
		Status: appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 3, UpdatedReplicas: 3, AvailableReplicas: 3},
	}
}

func TestMigrationIsShown(t *testing.T) {
	for name, args := range map[string][]string{
		"as-it-is":     nil,
		"canary":       {"--strategy", "canary", "--route", "web"},
		"workload-ref": {"--workload-ref"},
		"from-a-file":  {"-f", "-"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newTerminal(t, interceptor.Funcs{}, deployment(), builder.Service("shop", "web", "web"))
			c.In = strings.NewReader("canary: {steps: [{weight: 5, pause: {duration: 5m}}]}")
			args := append([]string{"migrate", "deployment/web", "--dry-run=client", "-o", "yaml"}, args...)
			c.expectGolden(t, c.run(t, args...), exitDone, "migrate-"+name)
		})
	}
}

func TestMigrationThatCannotBeMeant(t *testing.T) {
	paused := deployment()
	paused.Spec.Paused = true
	for name, tc := range map[string]struct {
		args     []string
		objects  []client.Object
		wantCode int
		want     string
	}{
		"no kind":          {[]string{"migrate", "web"}, nil, exitUsage, "deployment/web"},
		"two strategies":   {[]string{"migrate", "deploy/web", "--strategy", "canary", "-f", "x"}, nil, exitUsage, "one of them"},
		"no such strategy": {[]string{"migrate", "deploy/web", "--strategy", "fast"}, nil, exitUsage, "canary, blueGreen or rollingUpdate"},
		"-o alone":         {[]string{"migrate", "deploy/web", "-o", "yaml"}, nil, exitUsage, "--dry-run=client"},
		"not a strategy":   {[]string{"migrate", "deploy/web", "-f", "-"}, nil, exitFailed, "below spec.strategy"},
		"no deployment":    {[]string{"migrate", "deploy/web"}, nil, exitFailed, `deployment "web" does not exist`},
		"no service": {
			[]string{"migrate", "deploy/web", "--strategy", "blueGreen"}, []client.Object{deployment()}, exitFailed, "--active-service",
		},
		"paused":     {[]string{"migrate", "deploy/web"}, []client.Object{paused}, exitFailed, "kubectl rollout resume deployment/web"},
		"no rollout": {[]string{"eject", "web"}, nil, exitFailed, `rollout "web" does not exist`},
		"releasing":  {[]string{"eject", "web"}, []client.Object{rollout("web", stepping)}, exitFailed, "kubectl sluice abort web"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newTerminal(t, interceptor.Funcs{}, tc.objects...)
			c.In = strings.NewReader("steps: []")
			if code := c.run(t, tc.args...); code != tc.wantCode || !strings.Contains(c.err.String(), tc.want) {
				t.Errorf("exit code %d, %q, want %d and %q", code, c.err.String(), tc.wantCode, tc.want)
			}
		})
	}
}
