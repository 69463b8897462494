//go:build e2e

package e2e

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/demo/workload"
)

// configName is the name of a ConfigMap that says what the app answers.
const configName = "web-config"

// TestConfigurationIsPartOfARevision releases a change of a ConfigMap under load. Candidate and stable each keep their own
// content, also in pods that start later, and an undo brings it back.
func TestConfigurationIsPartOfARevision(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "configuration")
	e.create(&corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: e.Namespace, Name: configName}, Data: map[string]string{"version": v1},
	})
	first := e.install(canary(untilPromoted(50)), func(spec *v1alpha1.RolloutSpec) {
		spec.Configuration = &v1alpha1.Configuration{ConfigMaps: []v1alpha1.ConfigurationReference{{Name: configName}}}
		template(spec, func(pod *corev1.PodTemplateSpec) {
			pod.Spec.Containers[0].Env[0] = corev1.EnvVar{Name: "VERSION", ValueFrom: &corev1.EnvVarSource{
				ConfigMapKeyRef: &corev1.ConfigMapKeySelector{
					LocalObjectReference: corev1.LocalObjectReference{Name: configName}, Key: "version",
				},
			}}
		})
	})
	e.load()
	from := e.mark()

	e.does("patch", "configmap", configName, "--type=merge", `--patch={"data":{"version":"v2"}}`)
	e.await("half the traffic on v2", atGates(0))
	// A pod of stable that starts now reads what stable was released with.
	pod := e.podsOf(first.Status.StableRevision)[0]
	e.does("delete", "pod", pod.Name)
	e.await("stable is whole", func(*v1alpha1.Rollout) bool { return e.readyOf(first.Status.StableRevision) == 4 })
	e.share(50)
	e.says(0, nil, "abort", workload.Name)
	e.await("v2 is aborted", aborted)
	e.only(v1)
	e.noFailures(from)

	e.says(0, nil, "retry", workload.Name)
	e.await("half the traffic on v2 again", atGates(0))
	e.says(0, nil, "promote", workload.Name)
	e.await("v2 is promoted", healthy)
	e.onlyStable()
	e.only(v2)
	e.says(0, nil, "undo", workload.Name)
	rollout := e.await("v1 is on its way back", func(r *v1alpha1.Rollout) bool {
		return r.Status.UpdateRevision == first.Status.StableRevision && (atGates(0)(r) || healthy(r))
	})
	if !healthy(rollout) {
		e.says(0, nil, "promote", workload.Name)
	}
	e.await("v1 is stable again", healthy)
	e.onlyStable()
	e.only(v1)
	e.noFailures(from)
}

// readyOf counts the ready pods of a revision.
func (e *env) readyOf(revision string) int {
	e.t.Helper()
	ready := 0
	for _, pod := range e.podsOf(revision) {
		if isReady(pod) {
			ready++
		}
	}
	return ready
}
