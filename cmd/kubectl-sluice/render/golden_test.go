package render_test

import (
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/cmd/kubectl-sluice/render"
	"github.com/sluice-dev/sluice/test/builder"
	"github.com/sluice-dev/sluice/test/golden"
)

func TestMain(m *testing.M) { golden.Main(m) }

// now is when every snapshot was taken.
func now() time.Time { return time.Date(2026, 8, 20, 12, 0, 0, 0, time.UTC) }

func ago(d time.Duration) metav1.Time { return metav1.Time{Time: now().Add(-d)} }

// world is a snapshot that grows.
type world struct{ render.Snapshot }

func worldOf(b *builder.RolloutBuilder, status v1alpha1.RolloutStatus) *world {
	r := b.Namespace("shop").Obj()
	r.UID, r.Generation, r.CreationTimestamp = "web-uid", 4, ago(50*time.Hour)
	r.Status = status
	if status.Phase != "" {
		r.Status.ObservedGeneration = 4
	}
	return &world{render.Snapshot{Rollout: r, Now: now()}}
}

// pods is what a ReplicaSet has of them.
type pods struct{ desired, current, ready int32 }

// revision adds a ReplicaSet of the Rollout, without pods.
func (w *world) revision(n int, hash, image string, p pods) *world {
	age := ago(time.Duration(10-n) * 24 * time.Hour)
	w.ReplicaSets = append(w.ReplicaSets, appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{
			Name: "web-" + hash, UID: types.UID(hash), CreationTimestamp: age,
			Labels:          map[string]string{v1alpha1.LabelPodTemplateHash: hash},
			Annotations:     map[string]string{v1alpha1.AnnotationRevisionNumber: fmt.Sprint(n)},
			OwnerReferences: []metav1.OwnerReference{{Kind: v1alpha1.RolloutKind, UID: "web-uid", Controller: ptr.To(true)}},
		},
		Spec: appsv1.ReplicaSetSpec{
			Replicas: &p.desired,
			Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: image}}}},
		},
		Status: appsv1.ReplicaSetStatus{Replicas: p.current, ReadyReplicas: p.ready, AvailableReplicas: p.ready},
	})
	return w
}

// pod adds a pod of a revision. A container state says what is wrong with it.
func (w *world) pod(hash, suffix string, ready bool, change ...func(*corev1.Pod)) *world {
	pod := corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: "web-" + hash + "-" + suffix, CreationTimestamp: ago(5 * time.Minute),
			OwnerReferences: []metav1.OwnerReference{{Kind: "ReplicaSet", UID: types.UID(hash), Controller: ptr.To(true)}},
		},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app"}}},
		Status: corev1.PodStatus{
			Phase:             corev1.PodRunning,
			ContainerStatuses: []corev1.ContainerStatus{{Name: "app", Ready: ready}},
		},
	}
	for _, f := range change {
		f(&pod)
	}
	w.Pods = append(w.Pods, pod)
	return w
}

func waitingFor(reason string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.Phase = corev1.PodPending
		p.Status.ContainerStatuses[0].State.Waiting = &corev1.ContainerStateWaiting{Reason: reason}
	}
}

func crashed(p *corev1.Pod) {
	p.Status.ContainerStatuses[0].RestartCount = 4
	p.Status.ContainerStatuses[0].State.Terminated = &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "OOMKilled"}
}

func failedInit(p *corev1.Pod) {
	p.Status.Phase = corev1.PodPending
	p.Status.InitContainerStatuses = []corev1.ContainerStatus{{
		Name: "migrate", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}},
	}}
}

func placed(p *corev1.Pod) { p.Status.PodIP, p.Spec.NodeName = "10.0.0.7", "node-a" }

func evicted(p *corev1.Pod) { p.Status.Phase, p.Status.Reason = corev1.PodFailed, "Evicted" }

func terminating(p *corev1.Pod) { p.DeletionTimestamp = ptr.To(ago(0)) }

// run adds an AnalysisRun.
func (w *world) run(hash, gate string, started time.Duration, status v1alpha1.AnalysisRunStatus) *world {
	run := builder.AnalysisRun("web-"+hash+"-1-"+gate).For("web", hash, gate).Obj()
	run.CreationTimestamp, run.Status = ago(started), status
	w.AnalysisRuns = append(w.AnalysisRuns, *run)
	return w
}

func values(values ...string) []v1alpha1.Measurement {
	var out []v1alpha1.Measurement
	for _, v := range values {
		out = append(out, v1alpha1.Measurement{Value: v})
	}
	return out
}

const (
	v1 = "hv8k2mzqtb"
	v2 = "c9x4wlnd7f"
	v3 = "tp5zq6bhsr"
)

// canary releases in three steps over a route.
func canary() *builder.RolloutBuilder {
	return builder.Rollout("web").Image("shop/web:v3").Replicas(3).Routes("web").Canary(
		builder.Step().Weight("5").Pause(time.Minute), builder.Step().Weight("33.3").Hold(), builder.Step().Weight("66"))
}

// stepping is a canary that waits at its second step.
func stepping() *world {
	w := worldOf(canary(), v1alpha1.RolloutStatus{
		Phase: v1alpha1.PhasePaused, Message: "step 2/3: revision " + v3 + " waits for a person to promote or abort it",
		Step: "2/3", Weight: "33.3", Replicas: 4, UpdatedReplicas: 1, ReadyReplicas: 4, AvailableReplicas: 4,
		UpdateRevision: v3, StableRevision: v2,
		State:       v1alpha1.RolloutState{Stage: v1alpha1.StageStepping, Stable: v2, Candidate: v3, Step: 1},
		LastCommand: &v1alpha1.CommandStatus{Message: "step 1/3 of revision " + v3 + " may go on"},
	})
	w.revision(2, v2, "shop/web:v2", pods{3, 3, 3}).revision(3, v3, "shop/web:v3", pods{1, 1, 1}).revision(1, v1, "shop/web:v1", pods{})
	w.pod(v2, "qk7x2", true).pod(v2, "b4d9n", true).pod(v2, "m2wpz", true).pod(v3, "x8c5t", true)
	w.run(v3, "background", 4*time.Minute, v1alpha1.AnalysisRunStatus{
		Phase: v1alpha1.AnalysisRunning,
		Metrics: []v1alpha1.MetricResult{
			{Name: "success-rate", Successful: 7, Failed: 1, Measurements: values("0.93", "0.998")},
			{Name: "latency-p95", NoData: 2, Errors: 1, Measurements: values("", "")},
		},
	})
	w.run(v3, "step-1", 5*time.Minute, v1alpha1.AnalysisRunStatus{
		Phase: v1alpha1.AnalysisPassed, Metrics: []v1alpha1.MetricResult{{Name: "success-rate", Successful: 1, Measurements: values("1")}},
	})
	// Neither of these belongs to the Rollout.
	w.run(v2, "step-1", 50*time.Hour, v1alpha1.AnalysisRunStatus{Phase: v1alpha1.AnalysisPassed})
	w.AnalysisRuns[2].Spec.Rollout = "other"
	w.revision(9, "stranger99", "other:v1", pods{1, 1, 1})
	w.ReplicaSets[len(w.ReplicaSets)-1].OwnerReferences[0].UID = "other"
	return w
}

func healthy() *world {
	w := worldOf(canary(), v1alpha1.RolloutStatus{
		Phase: v1alpha1.PhaseHealthy, Message: "revision " + v3 + " is stable with 3 pods",
		Replicas: 4, UpdatedReplicas: 3, ReadyReplicas: 4, AvailableReplicas: 4, UpdateRevision: v3, StableRevision: v3,
		State: v1alpha1.RolloutState{
			Stable: v3, ScaleDowns: []v1alpha1.ScaleDown{{Revision: v2, At: metav1.NewMicroTime(now().Add(22 * time.Second))}},
		},
	})
	w.revision(2, v2, "shop/web:v2", pods{1, 1, 1}).revision(3, v3, "shop/web:v3", pods{3, 3, 3})
	w.pod(v2, "qk7x2", true).pod(v2, "b4d9n", true, terminating).pod(v3, "x8c5t", true).pod(v3, "f6h2k", true).pod(v3, "z3v8r", true)
	return w
}

func aborted() *world {
	w := worldOf(canary(), v1alpha1.RolloutStatus{
		Phase:   v1alpha1.PhaseDegraded,
		Message: "revision " + v3 + " was aborted at step 1/3: analysis background failed at step 1/3: success-rate: 4 of 9 measurements failed, 0 are tolerated",
		Step:    "1/3", Weight: "0", Replicas: 4, UpdatedReplicas: 1, ReadyReplicas: 3, AvailableReplicas: 3,
		UpdateRevision: v3, StableRevision: v2,
		State: v1alpha1.RolloutState{Stage: v1alpha1.StageAborted, Stable: v2, Candidate: v3},
	})
	w.Rollout.Status.History = history()
	w.revision(2, v2, "shop/web:v2", pods{3, 3, 3}).revision(3, v3, "shop/web:v3", pods{1, 1, 0})
	w.pod(v2, "qk7x2", true, placed).pod(v2, "b4d9n", true, placed).pod(v2, "m2wpz", true).pod(v3, "x8c5t", false, crashed, placed)
	return w.run(v3, "background", 4*time.Minute, v1alpha1.AnalysisRunStatus{
		Phase:   v1alpha1.AnalysisFailed,
		Message: "success-rate: 4 of 9 measurements failed, 0 are tolerated",
		Metrics: []v1alpha1.MetricResult{{Name: "success-rate", Successful: 5, Failed: 4, Inconclusive: 1, Measurements: values("0.8")}},
	})
}

// history are releases that have ended; the last is the first of all.
func history() []v1alpha1.ReleaseRecord {
	at := func(d time.Duration) metav1.MicroTime { return metav1.NewMicroTime(ago(d).Time) }
	return []v1alpha1.ReleaseRecord{
		{
			Revision: v3, Attempt: 4, Outcome: v1alpha1.OutcomeAborted, Reason: v1alpha1.ReasonAnalysisFailed, Step: "1/3", MostWeight: "5",
			MostAvailable: 1, Analyses: &v1alpha1.VerdictCounts{Passed: 2, Failed: 1, Inconclusive: 1},
			StartedAt: at(9 * time.Minute), EndedAt: at(4 * time.Minute),
		},
		{
			Revision: v2, Attempt: 3, Outcome: v1alpha1.OutcomePromoted, Reason: v1alpha1.ReasonRolledBack, MostWeight: "100", MostAvailable: 3,
			StartedAt: at(time.Hour), EndedAt: at(59 * time.Minute),
		},
		{
			Revision: v1, Attempt: 1, Outcome: v1alpha1.OutcomePromoted, Reason: v1alpha1.ReasonPromoted, MostAvailable: 3,
			StartedAt: at(50 * time.Hour), EndedAt: at(49 * time.Hour),
		},
	}
}

func retreating() *world {
	w := aborted()
	w.Rollout.Status.State.Stage, w.Rollout.Status.Weight = v1alpha1.StageRetreating, "5"
	return w
}

func first() *world {
	w := worldOf(builder.Rollout("web").Image("shop/web:v1").Replicas(5).RollingUpdate("1", "0"), v1alpha1.RolloutStatus{
		Phase: v1alpha1.PhaseProgressing, Message: "the first revision " + v1 + " comes up: 1 of 5 pods are available",
		Replicas: 5, UpdatedReplicas: 5, ReadyReplicas: 1, AvailableReplicas: 1, UpdateRevision: v1,
		State: v1alpha1.RolloutState{Stage: v1alpha1.StageInitial, Candidate: v1},
	})
	w.revision(1, v1, "shop/web:v1", pods{5, 5, 1})
	return w.pod(v1, "aaaaa", true).pod(v1, "bbbbb", false, waitingFor("ImagePullBackOff")).
		pod(v1, "ccccc", false, waitingFor("ContainerCreating")).pod(v1, "ddddd", false, failedInit).pod(v1, "eeeee", false, evicted)
}

func blueGreen() *world {
	w := worldOf(builder.Rollout("web").Image("shop/web:v3").Replicas(2).BlueGreen(), v1alpha1.RolloutStatus{
		Phase: v1alpha1.PhasePaused, Message: "spec.paused holds revision " + v3 + "; unset it to release it",
		Replicas: 2, ReadyReplicas: 2, AvailableReplicas: 2, UpdateRevision: v3, StableRevision: v2,
		State: v1alpha1.RolloutState{Stable: v2},
	})
	w.Rollout.Spec.Paused = true
	return w.revision(2, v2, "shop/web:v2", pods{2, 2, 2}).pod(v2, "qk7x2", true).pod(v2, "b4d9n", true)
}

func unseen() *world { return worldOf(canary(), v1alpha1.RolloutStatus{ObservedGeneration: -1}) }

// edited has an edit that the controller has not seen, and a message that tries to own the terminal.
func edited() *world {
	w := healthy()
	w.Rollout.Generation++
	w.Rollout.Status.Message = "line one\nline two \x1b[2J"
	w.Pods = nil
	return w
}

// matched is one that has requests by a header beside its share.
func matched() *world {
	w := stepping()
	w.Rollout.Status.Overlay = "requests with header x-canary=yes, and copies of 10% of the requests"
	return w
}

func worlds() map[string]*world {
	return map[string]*world{
		"stepping": stepping(), "healthy": healthy(), "aborted": aborted(), "retreating": retreating(), "first": first(),
		"bluegreen": blueGreen(), "matched": matched(), "unseen": unseen(), "edited": edited(),
	}
}

func TestTree(t *testing.T) {
	for name, w := range worlds() {
		t.Run(name, func(t *testing.T) {
			golden.Compare(t, "testdata/tree-"+name+".txt", render.Tree(w.Snapshot, render.View{}))
		})
	}
}

func TestTreeInOtherViews(t *testing.T) {
	for name, view := range map[string]render.View{
		"colour": {Palette: render.Colour}, "wide": {Wide: true}, "narrow": {Width: 60}, "too-narrow": {Width: 30},
	} {
		t.Run(name, func(t *testing.T) {
			golden.Compare(t, "testdata/tree-"+name+".txt", render.Tree(aborted().Snapshot, view))
		})
	}
}

func TestTable(t *testing.T) {
	for name, columns := range map[string]render.Columns{
		"usual": {}, "wide": {Wide: true}, "namespaces": {Namespace: true}, "all": {Namespace: true, Wide: true},
	} {
		t.Run(name, func(t *testing.T) {
			rows := [][]render.Cell{render.RolloutHeadings(columns)}
			for _, name := range []string{"aborted", "bluegreen", "first", "stepping", "unseen"} {
				rows = append(rows, render.RolloutRow(worlds()[name].Rollout, columns, now()))
			}
			table := render.Table{}
			golden.Compare(t, "testdata/table-"+name+".txt", table.Rows(rows))
		})
	}
}

func TestTableKeepsItsColumns(t *testing.T) {
	table := render.Table{}
	table.Rows([][]render.Cell{{{Text: "a long name"}, {Text: "x"}}})
	if got, want := table.Rows([][]render.Cell{{{Text: "b"}, {Text: "y"}}}), "b            y\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLine(t *testing.T) {
	text := ""
	for _, name := range []string{"aborted", "bluegreen", "edited", "first", "healthy", "stepping", "unseen"} {
		text += render.Line(worlds()[name].Rollout, render.Monochrome) + "\n"
	}
	golden.Compare(t, "testdata/lines.txt", text)
}
