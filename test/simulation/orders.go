package simulation

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/builder"
)

// back is how long somebody leaves what was ordered by mistake.
const back = 5 * time.Second

// deed is what somebody does to a Rollout as it is then. It returns what says, once everything has been let go on, what
// is wrong with the end; nil when the invariants say it all.
type deed func(*World, *v1alpha1.Rollout) func(*World) string

// orders are what people and fate do in the middle of everything else. They change the end, and each says which end it
// expects: beside safety, rest and the way back, which all of them have in common.
func orders(key types.NamespacedName) []Fault {
	return slices.Concat(ordersOfTemplate(key), ordersOfSize(key), commands(key), losses(key), ordersOfSteps(key), ends(key))
}

func ordered(key types.NamespacedName, name string, do deed) Fault {
	return Fault{Name: name, Differs: true, hit: func(w *World, _ *Process, _ request, commit func() error) error {
		err := commit()
		rollout := w.Rollout(key)
		switch {
		case rollout == nil:
		case rollout.DeletionTimestamp != nil:
			do(w, rollout) // nothing more is expected of it
		default:
			w.ordered = do(w, rollout)
		}
		return err
	}}
}

// passing is an order that comes to nothing: the end is the one without it.
func passing(key types.NamespacedName, name string, do deed) Fault {
	out := ordered(key, name, do)
	out.Same = true
	return out
}

func ordersOfTemplate(key types.NamespacedName) []Fault {
	const other = "registry.example/web:other"
	return []Fault{
		ordered(key, "another template", func(w *World, _ *v1alpha1.Rollout) func(*World) string {
			w.Release(key, other)
			return func(w *World) string { return w.arrives(key, other) }
		}),
		ordered(key, "the template of stable", func(w *World, r *v1alpha1.Rollout) func(*World) string {
			image := w.env.imageOf(key.Namespace, r.Status.State.Stable)
			if image == "" {
				return nil
			}
			w.Release(key, image)
			return func(w *World) string { return w.arrives(key, image) }
		}),
	}
}

// arrives says whether an image is not that of stable, nor of a release that waits or was ended.
func (w *World) arrives(key types.NamespacedName, image string) string {
	rollout := w.Rollout(key)
	if rollout == nil {
		return "the Rollout is gone"
	}
	st := rollout.Status.State
	stable, candidate := w.env.imageOf(key.Namespace, st.Stable), w.env.imageOf(key.Namespace, st.Candidate)
	held := rollout.Status.Phase == v1alpha1.PhaseDegraded || rollout.Status.Phase == v1alpha1.PhasePaused
	if stable == image || candidate == image || held {
		return ""
	}
	return fmt.Sprintf("%s was asked for, stable is %s, and %q under release", image, stable, candidate)
}

func ordersOfSize(key types.NamespacedName) []Fault {
	to := func(name string, size func(int32) int32) Fault {
		return ordered(key, name, func(w *World, r *v1alpha1.Rollout) func(*World) string {
			n := size(*r.Spec.Replicas)
			w.Scale(key, n)
			return func(w *World) string { return w.sized(key, n) }
		})
	}
	return []Fault{
		to("one replica more", func(n int32) int32 { return n + 1 }),
		to("one replica less", func(n int32) int32 { return max(1, n-1) }),
		to("no replicas", func(int32) int32 { return 0 }),
		ordered(key, "no replicas, and back", func(w *World, r *v1alpha1.Rollout) func(*World) string {
			n := *r.Spec.Replicas
			w.Scale(key, 0)
			w.after(back, func(w *World) { w.Scale(key, n) })
			return func(w *World) string { return w.sized(key, n) }
		}),
	}
}

// sized says what is wrong with a Rollout that was scaled: scaling begins no release, and no replicas are no pods.
func (w *World) sized(key types.NamespacedName, n int32) string {
	t := w.truthOf(w.checker.about(key))
	if t == nil {
		return "the Rollout is gone"
	}
	if w.want != nil && t.rollout.Status.State.Attempt > w.want.Attempt {
		return fmt.Sprintf("there is attempt %d, and %d without it", t.rollout.Status.State.Attempt, w.want.Attempt)
	}
	if all, _ := t.pods(); n == 0 && all > 0 && !conditionTrue(t.rollout.Status, v1alpha1.ConditionStalled) {
		return fmt.Sprintf("there are %d pods, and none were asked for: %s", all, t.rollout.Status.Message)
	}
	return ""
}

func commands(key types.NamespacedName) []Fault {
	command := func(action string, check func(*v1alpha1.Rollout, string) string) Fault {
		return ordered(key, action, func(w *World, r *v1alpha1.Rollout) func(*World) string {
			candidate := r.Status.State.Candidate
			id := w.Command(key, action, candidate)
			if id == "" {
				return nil
			}
			return func(w *World) string {
				accepted, detail := w.answer(key, id)
				if !accepted {
					return detail
				}
				return check(w.Rollout(key), candidate)
			}
		})
	}
	return []Fault{
		command(v1alpha1.ActionAbort, func(r *v1alpha1.Rollout, candidate string) string {
			if r.Status.State.Stable == candidate {
				return candidate + " is stable, and was aborted"
			}
			return ""
		}),
		command(v1alpha1.ActionPromoteFull, func(r *v1alpha1.Rollout, candidate string) string {
			if r.Status.State.Stable != candidate && r.Status.Phase != v1alpha1.PhaseDegraded {
				return candidate + " is not stable, and was promoted in full"
			}
			return ""
		}),
		ordered(key, "pause", func(w *World, _ *v1alpha1.Rollout) func(*World) string { w.Pause(key, true); return nil }),
	}
}

// answer says whether a command was carried out, and what is wrong if nobody has answered it. A later one takes its place.
func (w *World) answer(key types.NamespacedName, id string) (accepted bool, detail string) {
	rollout := w.Rollout(key)
	if rollout == nil {
		return false, "the Rollout is gone"
	}
	last := rollout.Status.LastCommand
	if last == nil {
		return false, "the command is not answered"
	}
	return last.ID == id && last.Accepted, ""
}

func losses(key types.NamespacedName) []Fault {
	loss := func(name string, of func(v1alpha1.RolloutState) string, most int) Fault {
		return ordered(key, name, func(w *World, r *v1alpha1.Rollout) func(*World) string {
			w.Kill(key.Namespace, w.env.imageOf(key.Namespace, of(r.Status.State)), most)
			return nil
		})
	}
	stable := func(st v1alpha1.RolloutState) string { return st.Stable }
	candidate := func(st v1alpha1.RolloutState) string { return st.Candidate }
	return []Fault{
		loss("a pod of stable is lost", stable, 1), loss("a pod of the candidate is lost", candidate, 1),
		loss("all pods of the candidate are lost", candidate, 1000),
	}
}

// ordersOfSteps edit the step of a canary that is under way. That begins no release anew, and comes to the same in the end.
func ordersOfSteps(key types.NamespacedName) []Fault {
	return []Fault{
		editedStep(key, "another weight of the step", func(s *v1alpha1.CanaryStep) { s.Weight = ptr.To(intstr.FromInt32(30)) }),
		editedStep(key, "another pause of the step", func(s *v1alpha1.CanaryStep) {
			if s.Pause == nil || s.Pause.Duration == nil {
				s.Pause = &v1alpha1.Pause{Duration: &metav1.Duration{Duration: 20 * time.Second}}
				return
			}
			s.Pause = &v1alpha1.Pause{Duration: &metav1.Duration{Duration: 2 * s.Pause.Duration.Duration}}
		}),
	}
}

// ordersOfMatches do the same with what a step lays over its weight, and write over it.
func ordersOfMatches(key types.NamespacedName) []Fault {
	return []Fault{
		editedStep(key, "another header of the step", func(s *v1alpha1.CanaryStep) {
			s.Match = builder.Step().Header("x-other", "yes").Obj().Match
		}),
		editedStep(key, "copies at the step", func(s *v1alpha1.CanaryStep) { s.Mirror = &v1alpha1.Mirror{Percent: ptr.To[int32](30)} }),
		ordered(key, "somebody takes out what is laid", func(w *World, _ *v1alpha1.Rollout) func(*World) string {
			putBack(w)
			return nil
		}),
	}
}

func editedStep(key types.NamespacedName, name string, change func(*v1alpha1.CanaryStep)) Fault {
	return passing(key, name, func(w *World, r *v1alpha1.Rollout) func(*World) string {
		canary, step := r.Spec.Strategy.Canary, int(r.Status.State.Step)
		if canary == nil || step >= len(canary.Steps) {
			return nil
		}
		if canary.Steps[step].Experiment != nil {
			change = editExperiment
		}
		w.Change(key, func(r *v1alpha1.Rollout) { change(&r.Spec.Strategy.Canary.Steps[step]) })
		return func(w *World) string { return w.restsAtStep(key, int32(step)) }
	})
}

// editExperiment is what somebody may change of a step with an experiment: its size and its time.
func editExperiment(s *v1alpha1.CanaryStep) {
	s.Experiment.Replicas = ptr.To[int32](3)
	s.Experiment.Duration = &metav1.Duration{Duration: 20 * time.Second}
}

// restsAtStep looks at a release that is still at a step which was edited, as nobody ends its gates: it has the weight that
// was asked for last, and its end is no other's.
func (w *World) restsAtStep(key types.NamespacedName, step int32) string {
	r := w.Rollout(key)
	if st := r.Status.State; st.Stage != v1alpha1.StageStepping || st.Step != step {
		return ""
	}
	w.unlike = true
	want := r.Spec.Strategy.Canary.Steps[step].Weight
	if want != nil && r.Status.Weight != want.String() {
		return fmt.Sprintf("the weight is %s, want %s", r.Status.Weight, want)
	}
	return ""
}

// ends are the end of the Rollout, and another Rollout that wants its Services.
func ends(key types.NamespacedName) []Fault {
	deletion := func(name string, orphan bool) Fault {
		return ordered(key, name, func(w *World, r *v1alpha1.Rollout) func(*World) string {
			if w.Delete(key, orphan) != nil {
				return nil
			}
			gone := leftover{key: key, rollout: r, orphan: orphan}
			return gone.check
		})
	}
	return []Fault{
		deletion("the Rollout is deleted with its pods", false),
		deletion("the Rollout is deleted without its pods", true),
		passing(key, "a second Rollout names the Service", func(w *World, r *v1alpha1.Rollout) func(*World) string {
			if !w.rival(r) {
				return nil
			}
			return func(w *World) string {
				second := w.Rollout(types.NamespacedName{Namespace: key.Namespace, Name: rivalName})
				if second == nil || !conditionTrue(second.Status, v1alpha1.ConditionStalled) {
					return "the second Rollout does not say that the Service is another's"
				}
				return ""
			}
		}),
		passing(key, "a second Rollout names the Service, and goes again", func(w *World, r *v1alpha1.Rollout) func(*World) string {
			if !w.rival(r) {
				return nil
			}
			rival := types.NamespacedName{Namespace: key.Namespace, Name: rivalName}
			w.after(back, func(w *World) { _ = w.Delete(rival, false) })
			return func(w *World) string {
				if w.Rollout(rival) != nil {
					return "the second Rollout is still there"
				}
				return ""
			}
		}),
	}
}

// rivalName is the name of the second Rollout.
const rivalName = "rival"

// rival makes a Rollout of pods of its own that names the Services and routes of one that was there before. It does
// nothing for one that has no Services or whose template is elsewhere.
func (w *World) rival(of *v1alpha1.Rollout) bool {
	if of.Spec.Services == nil || of.Spec.WorkloadRef != nil || of.DeletionTimestamp != nil {
		return false
	}
	template, err := of.Spec.PodTemplate()
	if err != nil || len(template.Spec.Containers) == 0 {
		return false
	}
	const label = "rival"
	template.Labels[label] = "yes"
	template.Spec.Containers[0].Image = "registry.example/rival:v1"
	raw, err := json.Marshal(template)
	if err != nil {
		return false
	}
	out := &v1alpha1.Rollout{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: of.Namespace, Name: rivalName,
			// Of two that were made in one second another rule decides.
			CreationTimestamp: metav1.NewTime(w.now.Add(time.Second).Truncate(time.Second)),
		},
		Spec: *of.Spec.DeepCopy(),
	}
	out.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{label: "yes"}}
	out.Spec.Template.Raw = raw
	return w.Make(out) == nil
}

// leftover is what is to be left of a Rollout that was deleted.
type leftover struct {
	key types.NamespacedName
	// rollout is as it was when somebody deleted it.
	rollout *v1alpha1.Rollout
	orphan  bool
}

// check says what is left that should not be, or is not that should.
func (l leftover) check(w *World) string {
	if rollout := w.Rollout(l.key); rollout != nil {
		return "the Rollout is still there: " + rollout.Status.Message
	}
	if detail := l.ofServices(w); detail != "" {
		return detail
	}
	if detail := l.ofRoutes(w); detail != "" {
		return detail
	}
	return l.ofSets(w)
}

// ofServices says whether a Service still selects one revision.
func (l leftover) ofServices(w *World) string {
	for _, service := range listed[*corev1.Service](w.Server, kindService(), l.key.Namespace) {
		if hash := service.Spec.Selector[v1alpha1.LabelPodTemplateHash]; hash != "" {
			return fmt.Sprintf("Service %s still selects revision %s", service.Name, hash)
		}
	}
	return ""
}

// ofRoutes says whether a route still sends requests to a standby Service that has gone. A backend that its owner wrote with the
// weight 0 stays: the route is what they wrote.
func (l leftover) ofRoutes(w *World) string {
	for _, route := range listed[*unstructured.Unstructured](w.Server, kindRoute(), l.key.Namespace) {
		for _, ref := range backendsOf(route) {
			name, _ := ref["name"].(string)
			there := lookup[*corev1.Service](w.Server, kindService(), types.NamespacedName{Namespace: l.key.Namespace, Name: name})
			weight, weighed := ref["weight"].(int64)
			if sent := !weighed || weight > 0; sent && there == nil && name == l.rollout.Spec.Services.StandbyName() {
				return fmt.Sprintf("route %s still sends requests to Service %s, which is gone", route.GetName(), name)
			}
		}
	}
	return ""
}

// ofSets says whether ReplicaSets have stayed that should have gone, or gone that should have stayed.
func (l leftover) ofSets(w *World) string {
	if detail := l.owned(w); detail != "" {
		return detail
	}
	pods := int32(0)
	for _, rs := range listed[*appsv1.ReplicaSet](w.Server, kindReplicaSet(), l.key.Namespace) {
		if rs.Annotations[v1alpha1.AnnotationRevisionNumber] != "" {
			pods += *rs.Spec.Replicas
		}
	}
	switch {
	case !l.orphan && pods > 0:
		return fmt.Sprintf("%d pods are left", pods)
	case l.orphan && pods == 0 && l.serves(w):
		return "no pods are left"
	}
	return ""
}

// owned names something that still belongs to the Rollout.
func (l leftover) owned(w *World) string {
	for _, k := range w.Server.kinds() {
		for _, obj := range w.Server.table(k).list(l.key.Namespace) {
			if slices.ContainsFunc(obj.GetOwnerReferences(), func(o metav1.OwnerReference) bool { return o.UID == l.rollout.UID }) {
				return fmt.Sprintf("%s %s still belongs to the Rollout", k.Kind, obj.GetName())
			}
		}
	}
	return ""
}

// serves says whether there was a stable to leave behind. Without Services nothing holds the deletion up, and so nobody brings
// pods back that were on their way out.
func (l leftover) serves(w *World) bool {
	stable := l.rollout.Status.State.Stable
	return l.rollout.Spec.Services != nil && stable != "" && *l.rollout.Spec.Replicas > 0 && w.env.imageOf(l.key.Namespace, stable) != ""
}
