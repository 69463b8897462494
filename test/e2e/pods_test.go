//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// watchedPods is the name of the template that looks at the candidate's pods, and of its metric.
const watchedPods = "pods"

// TestPodsOfTheCandidateFailIt releases versions that answer every request they get, and whose pods die of them: one leaks
// memory until the kernel ends it, one ends by itself again and again. Without a figure of Prometheus the release is aborted.
func TestPodsOfTheCandidateFailIt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, want string
		change     func(*corev1.Container)
		act        func(*env, *v1alpha1.Rollout)
	}{
		{"leaks-memory", "out of memory", leaking, func(*env, *v1alpha1.Rollout) {}},
		{"crashes", "3 restarted, limit 2", func(*corev1.Container) {}, (*env).crash},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, c.name)
			e.create(e.podsTemplate())
			strategy := canary(untilPromoted(20))
			strategy.Canary.Analysis = &v1alpha1.BackgroundAnalysis{Analysis: *analysis(watchedPods)}
			e.install(strategy)
			e.load()

			e.edit(func(spec *v1alpha1.RolloutSpec) {
				spec.Template = e.Template(good(v2))
				template(spec, func(pod *corev1.PodTemplateSpec) { c.change(&pod.Spec.Containers[0]) })
			})
			c.act(e, e.await("v2 has traffic", func(r *v1alpha1.Rollout) bool {
				return r.Status.State.Stage == v1alpha1.StageAborted || atGates(0)(r)
			}))
			rollout := e.await("v2 is aborted by itself", aborted)
			e.outcome(rollout, v1alpha1.OutcomeAborted, v1alpha1.ReasonAnalysisFailed)
			e.notReady(rollout, v1alpha1.ReasonAnalysisFailed, watchedPods, c.want)
			from := e.mark()
			e.only(v1)
			e.onlyStable()
			e.noFailures(from)
		})
	}
}

// podsTemplate looks at the candidate's pods every 2 s. In this cluster a container waits for no more than a second in
// CrashLoopBackOff, which such a look may miss or not, so that it is left to the restarts to tell.
func (e *env) podsTemplate() *v1alpha1.AnalysisTemplate {
	return &v1alpha1.AnalysisTemplate{
		ObjectMeta: metav1.ObjectMeta{Namespace: e.Namespace, Name: watchedPods},
		Spec: v1alpha1.AnalysisTemplateSpec{Metrics: []v1alpha1.Metric{{
			Name: watchedPods, Interval: &metav1.Duration{Duration: 2 * time.Second}, Kubernetes: &v1alpha1.KubernetesMetric{MaxCrashLooping: ptr.To[int32](1)},
		}}},
	}
}

// leaking has a container take a mebibyte for each request, of the 64 that it may have.
func leaking(container *corev1.Container) {
	container.Env = append(container.Env, corev1.EnvVar{Name: "LEAK", Value: fmt.Sprint(1 << 20)})
	container.Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("64Mi")}
}

// crash ends the process of a pod of the candidate, and again whenever it has been started anew, once more than is
// tolerated.
func (e *env) crash(r *v1alpha1.Rollout) {
	e.t.Helper()
	pod := e.podsOf(r.Status.UpdateRevision)[0]
	for restarts := range int32(v1alpha1.DefaultMaxRestarts + 1) {
		eventually(e.t, fmt.Sprintf("%s runs after %d restarts", pod.Name, restarts), func(ctx context.Context) (bool, string) {
			if err := e.Get(ctx, client.ObjectKeyFromObject(&pod), &pod); err != nil {
				return false, err.Error()
			}
			container := pod.Status.ContainerStatuses[0]
			return container.RestartCount == restarts && container.State.Running != nil, fmt.Sprintf("%+v", container)
		})
		if err := syscall.Kill(processOf(e.t, pod), syscall.SIGKILL); err != nil {
			e.t.Fatal(err)
		}
	}
}
