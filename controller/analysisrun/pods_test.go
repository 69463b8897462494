package analysisrun

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/analysisrun/podlist"
)

// podsRun looks at the pods of revision 7f9c6d every 15 s, ten times.
func podsRun() *v1alpha1.AnalysisRun {
	run := newRun(v1alpha1.Metric{
		Name: "pods", Interval: &metav1.Duration{Duration: 15 * time.Second}, Count: ptr.To[int32](10),
		Kubernetes: &v1alpha1.KubernetesMetric{},
	})
	run.Spec.Revision = "7f9c6d"
	return run
}

// newPod makes a pod of a revision that runs and is ready.
func newPod(revision string, i int) *corev1.Pod {
	owner := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web-" + revision, UID: "9"}}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: key().Namespace, Name: fmt.Sprintf("web-%s-%d", revision, i),
			Labels: map[string]string{v1alpha1.LabelPodTemplateHash: revision},
			OwnerReferences: []metav1.OwnerReference{
				*metav1.NewControllerRef(owner, corev1.SchemeGroupVersion.WithKind("ReplicaSet")),
			},
		},
		Status: corev1.PodStatus{
			Phase:             corev1.PodRunning,
			Conditions:        []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
			ContainerStatuses: []corev1.ContainerStatus{{Name: "app"}},
		},
	}
}

// change rewrites a pod in the API server.
func (w *world) change(pod *corev1.Pod, how func(*corev1.Pod)) {
	w.t.Helper()
	how(pod)
	if err := w.api.Status().Update(w.t.Context(), pod); err != nil {
		w.t.Fatal(err)
	}
}

// restart is what a kubelet writes when a container of a pod has restarted.
func restart(why string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.ContainerStatuses[0].RestartCount++
		p.Status.ContainerStatuses[0].LastTerminationState.Terminated = &corev1.ContainerStateTerminated{Reason: why, ExitCode: 1}
	}
}

func TestPodsOfAGoodCandidate(t *testing.T) {
	old := newPod("5d8b4", 0)
	restart("OOMKilled")(old)
	w := newWorld(t, &script{}, podsRun(), newPod("7f9c6d", 0), newPod("7f9c6d", 1), old)
	w.follow(100)
	want := "pods: 2 pods: 0 restarted, 0 out of memory, 0 in a crash loop, 0 not ready; 10 looks"
	if status := w.run().Status; status.Phase != v1alpha1.AnalysisPassed || status.Message != want {
		t.Errorf("%s: %s\nwant Passed: %s", status.Phase, status.Message, want)
	}
}

// TestPodsOutOfMemory has a pod killed, another controller take over, and the pod gone: it is counted once, and told.
func TestPodsOutOfMemory(t *testing.T) {
	run := podsRun()
	run.Spec.Metrics[0].Kubernetes.MaxOOMKills = ptr.To[int32](1)
	first, second := newPod("7f9c6d", 0), newPod("7f9c6d", 1)
	w := newWorld(t, &script{}, run, first, second)
	w.follow(3)
	w.change(first, restart("OOMKilled"))
	w.follow(2)
	w.restart()
	if err := w.api.Delete(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	w.follow(2)
	if status := w.run().Status; status.Phase != v1alpha1.AnalysisRunning || status.Metrics[0].Pods.OOMKills != 1 {
		t.Fatalf("%s: %s; want Running with one killed", status.Phase, status.Message)
	}
	w.change(second, restart("OOMKilled"))
	w.follow(100)
	want := "pods: of 1 pods: 2 out of memory, limit 1: web-7f9c6d-1/app"
	if status := w.run().Status; status.Phase != v1alpha1.AnalysisFailed || status.Message != want {
		t.Errorf("%s: %s\nwant Failed: %s", status.Phase, status.Message, want)
	}
}

func TestPodOf(t *testing.T) {
	at := metav1.NewTime(start())
	notReady := func(p *corev1.Pod) {
		p.Status.Conditions[0].Status, p.Status.Conditions[0].LastTransitionTime = corev1.ConditionFalse, at
	}
	for _, row := range []struct {
		name  string
		pod   func(*corev1.Pod)
		since time.Time
		want  string // containers
	}{
		{"ready", func(*corev1.Pod) {}, time.Time{}, "[{app 0 false false}]"},
		{"killed for memory", restart("OOMKilled"), time.Time{}, "[{app 1 true false}]"},
		{"ended with an error", restart("Error"), time.Time{}, "[{app 1 false false}]"},
		{"in a crash loop", func(p *corev1.Pod) {
			p.Status.ContainerStatuses[0].State.Waiting = &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}
		}, time.Time{}, "[{app 0 false true}]"},
		{"waits for its image", func(p *corev1.Pod) {
			notReady(p)
			p.Status.Phase = corev1.PodPending
			p.Status.ContainerStatuses[0].State.Waiting = &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff"}
		}, time.Time{}, "[{app 0 false false}]"},
		{"not ready", notReady, start(), "[{app 0 false false}]"},
		{"not ready since its container began", func(p *corev1.Pod) {
			notReady(p)
			p.Status.ContainerStatuses[0].State.Running = &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(start().Add(time.Minute))}
		}, start().Add(time.Minute), "[{app 0 false false}]"},
		{"ending", func(p *corev1.Pod) { notReady(p); p.DeletionTimestamp = &at }, time.Time{}, "[{app 0 false false}]"},
		{"a container beside it", func(p *corev1.Pod) {
			p.Spec.InitContainers = []corev1.Container{{Name: "setup"}, {Name: "proxy", RestartPolicy: ptr.To(corev1.ContainerRestartPolicyAlways)}}
			p.Status.InitContainerStatuses = []corev1.ContainerStatus{{Name: "setup", RestartCount: 5}, {Name: "proxy", RestartCount: 2}}
		}, time.Time{}, "[{app 0 false false} {proxy 2 false false}]"},
	} {
		pod := newPod("7f9c6d", 0)
		row.pod(pod)
		got := podlist.Of(pod)
		if !got.NotReadySince.Equal(row.since) || fmt.Sprint(got.Containers) != row.want {
			t.Errorf("%s: got %+v, want %s and not ready since %s", row.name, got, row.want, row.since)
		}
	}
}

// TestPodsOfARevisionOnly holds that pods that no ReplicaSet made are not looked at, whatever labels they have.
func TestPodsOfARevisionOnly(t *testing.T) {
	stray := newPod("7f9c6d", 3)
	stray.OwnerReferences = nil
	w := newWorld(t, &script{}, podsRun(), stray)
	w.follow(2)
	status := w.run().Status
	if status.Phase != v1alpha1.AnalysisRunning || !strings.Contains(status.Message, "no pod has the label pod-template-hash=7f9c6d") {
		t.Errorf("%s: %s", status.Phase, status.Message)
	}
}
