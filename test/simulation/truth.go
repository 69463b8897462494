package simulation

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
	"github.com/sluice-dev/sluice/controller/revision"
	"github.com/sluice-dev/sluice/trafficrouting/gatewayapi"
)

// truth is one Rollout and all that belongs to it, as the API server has it, and what the data plane has made of it.
type truth struct {
	rollout *v1alpha1.Rollout
	spec    planner.Spec
	// target is the revision of the template in the spec.
	target string
	sets   map[string]set
	active,
	standby backend
	// baselines are the ReplicaSets of fresh baselines, by hash, and baseline the Service that reaches one.
	baselines map[string]set
	baseline  backend
	// weight is the share of the standby Service as the routes have it, in tenths of a percent; programmed is what the
	// gateway serves by.
	weight, programmed int32
	// matching says that a route, or the gateway, sends requests to the standby Service whatever the weight, and laid that
	// a route has anything of an overlay, copies of requests included.
	matching, laid bool
}

// set is one revision.
type set struct {
	rs *appsv1.ReplicaSet
	// desired pods, those that exist and are not ending, and those that answer requests.
	desired, created, serving int32
}

// backend is one Service.
type backend struct {
	service *corev1.Service
	// selects is the revision in its selector.
	selects string
	// ready counts the ready endpoints in its EndpointSlices whose pods serve, by revision; listed counts them whether the
	// pods serve or not.
	ready, listed map[string]int32
	// heard counts the endpoints that the gateway knows, by revision, and alive those of them whose pods serve.
	heard, alive map[string]int32
}

// compiled is what is worked out once for each version of a spec.
type compiled struct {
	generation int64
	collisions int32
	spec       planner.Spec
	target     string
}

// truthOf gathers everything about a Rollout; nil when there is none.
func (w *World) truthOf(s *subject) *truth {
	rollout := lookup[*v1alpha1.Rollout](w.Server, kindRollout(), s.key)
	if rollout == nil {
		return nil
	}
	c := s.compile(rollout)
	t := &truth{rollout: rollout, spec: c.spec, target: c.target, sets: map[string]set{}, baselines: map[string]set{}, weight: planner.WeightUnknown}
	if rollout.Spec.WorkloadRef != nil {
		t.target = rollout.Status.UpdateRevision // the template is elsewhere
	}
	owners := w.ownSets(t)
	w.retarget(t, c.collisions)
	alive := w.countPods(t, owners)
	if rollout.Spec.Services != nil {
		t.active = w.backendOf(s.key.Namespace, rollout.Spec.Services.Active, owners, alive)
		t.standby = w.backendOf(s.key.Namespace, rollout.Spec.Services.StandbyName(), owners, alive)
		t.baseline = w.backendOf(s.key.Namespace, revision.BaselineServiceName(rollout.Name), owners, alive)
	}
	w.weigh(t)
	return t
}

// retarget finds the revision that a template asks for where that follows from more than its text: from the content of what
// it reads, or from a ReplicaSet that was adopted under another name.
func (w *World) retarget(t *truth, collisions int32) {
	raw := t.rollout.Spec.Template.Raw
	if t.rollout.Spec.WorkloadRef != nil {
		return
	}
	if t.rollout.Spec.Configuration != nil {
		if raw = w.resolved(t.rollout); raw == nil {
			t.target = t.rollout.Status.UpdateRevision // nobody knows
			return
		}
		if hash, err := revision.Hash(raw, collisions); err == nil {
			t.target = hash
		}
	}
	identity, err := revision.Hash(raw, 0)
	for hash, s := range t.sets {
		if err == nil && s.rs.Annotations[v1alpha1.AnnotationIdentity] == identity {
			t.target = hash
		}
	}
}

// belongs says whether a ReplicaSet is one of a Rollout: also when that is being deleted without its pods, and the garbage
// collector has already taken its name off them.
func belongs(rs *appsv1.ReplicaSet, rollout *v1alpha1.Rollout) bool {
	left := rollout.DeletionTimestamp != nil && metav1.GetControllerOf(rs) == nil && rs.Annotations[v1alpha1.AnnotationRevisionNumber] != ""
	return left || metav1.IsControlledBy(rs, rollout)
}

// countPods counts the pods of each revision, and returns those that serve by name.
func (w *World) countPods(t *truth, owners map[string]string) map[string]bool {
	alive := map[string]bool{}
	for _, pod := range listed[*corev1.Pod](w.Server, kindPod(), t.rollout.Namespace) {
		owner := metav1.GetControllerOf(pod)
		if owner == nil || pod.DeletionTimestamp != nil || owners[owner.Name] == "" {
			continue
		}
		if _, baseline := t.baselines[owners[owner.Name]]; baseline {
			if serving(pod) {
				alive[pod.Name] = true
			}
			continue
		}
		one := t.sets[owners[owner.Name]]
		one.created++
		if serving(pod) {
			one.serving++
			alive[pod.Name] = true
		}
		t.sets[owners[owner.Name]] = one
	}
	return alive
}

// weigh reads the weight of the routes of a Rollout: 0 without routes.
func (w *World) weigh(t *truth) {
	if t.spec.Mode != planner.Routed {
		t.weight, t.programmed = 0, 0
		return
	}
	for i, ref := range routesOf(t.rollout) {
		key := types.NamespacedName{Namespace: t.rollout.Namespace, Name: ref.Name}
		weight, programmed := planner.WeightUnknown, w.env.programmed[key]
		if ref.Template != nil {
			weight = 0 // before it is made
		}
		if route := lookup[*unstructured.Unstructured](w.Server, kindRoute(), key); route != nil {
			weight, _ = gatewayapi.Weight(route, splitOf(t.rollout))
			traces := tracesOf(route, t.rollout.Spec.Services.StandbyName())
			t.matching, t.laid = t.matching || traces.rules > 0, t.laid || traces.any()
		}
		t.matching = t.matching || w.env.matching[key]
		if i == 0 {
			t.weight, t.programmed = weight, programmed
			continue
		}
		// Of several routes the one that sends most to the standby Service counts.
		t.weight, t.programmed = max(t.weight, weight), max(t.programmed, programmed)
	}
}

func (w *World) backendOf(namespace, name string, owners map[string]string, alive map[string]bool) backend {
	key := types.NamespacedName{Namespace: namespace, Name: name}
	out := backend{
		service: lookup[*corev1.Service](w.Server, kindService(), key),
		ready:   map[string]int32{}, listed: map[string]int32{}, heard: map[string]int32{}, alive: map[string]int32{},
	}
	if out.service != nil {
		out.selects = out.service.Spec.Selector[v1alpha1.LabelPodTemplateHash]
	}
	slice := lookup[*discoveryv1.EndpointSlice](w.Server, kindSlice(), types.NamespacedName{Namespace: namespace, Name: name + "-slice"})
	if slice != nil {
		for _, e := range slice.Endpoints {
			if !ptr.Deref(e.Conditions.Ready, true) || e.TargetRef == nil {
				continue
			}
			hash := owners[revision.ReplicaSetOfPod(e.TargetRef.Name)]
			out.listed[hash]++
			if alive[e.TargetRef.Name] {
				out.ready[hash]++
			}
		}
	}
	for _, pod := range w.env.heard[key] {
		hash := owners[revision.ReplicaSetOfPod(pod)]
		out.heard[hash]++
		if alive[pod] {
			out.alive[hash]++
		}
	}
	return out
}

// compile works out what a spec asks for.
func (s *subject) compile(rollout *v1alpha1.Rollout) compiled {
	if c := s.compiled; c.generation == rollout.Generation && c.collisions == rollout.Status.State.CollisionCount {
		return c
	}
	c := compiled{generation: rollout.Generation, collisions: rollout.Status.State.CollisionCount}
	if spec, err := planner.Compile(&rollout.Spec, Settle); err == nil {
		c.spec = spec
	}
	if raw, err := rollout.Spec.Template.MarshalJSON(); err == nil {
		if hash, err := revision.Hash(raw, c.collisions); err == nil {
			c.target = hash
		}
	}
	s.compiled = c
	return c
}

func hashOf(rs *appsv1.ReplicaSet) string {
	if rs.Spec.Selector == nil {
		return ""
	}
	return rs.Spec.Selector.MatchLabels[v1alpha1.LabelPodTemplateHash]
}

// matched is the share, in tenths of a percent, that requests count for which go to the standby Service whatever the weight:
// they are some, and nobody knows how many.
const matched = 1

// share is the largest share of a revision, in tenths of a percent, by what is written and by what the gateway serves by.
func (t *truth) share(hash string) int32 {
	switch t.spec.Mode {
	case planner.Routed:
		share := max(t.shareAt(hash, t.weight), t.shareAt(hash, t.programmed))
		if t.matching && t.standby.selects == hash {
			share = max(share, matched)
		}
		return share
	case planner.Switch:
		return t.shareAt(hash, 0)
	case planner.Ratio:
	}
	return 0
}

// written is the share of a revision by what is written alone.
func (t *truth) written(hash string) int32 {
	if t.spec.Mode == planner.Ratio {
		return 0
	}
	return t.shareAt(hash, t.weight)
}

func (t *truth) shareAt(hash string, weight int32) int32 {
	if weight == planner.WeightUnknown || hash == "" {
		return 0
	}
	var share int32
	if t.active.selects == hash {
		share += planner.FullWeight - weight
	}
	if t.standby.selects == hash {
		share += weight
	}
	return share
}

// carried is the largest share of a Service by what is written and by what the gateway serves by.
func (t *truth) carried(name string) int32 {
	switch {
	case t.spec.Mode != planner.Routed || t.weight == planner.WeightUnknown:
		return 0
	case name == t.rollout.Spec.Services.Active:
		return planner.FullWeight - min(t.weight, t.programmed)
	}
	if t.matching {
		return max(t.weight, t.programmed, matched)
	}
	return max(t.weight, t.programmed)
}

// backend is a Service by its name.
func (t *truth) backend(name string) backend {
	if t.rollout.Spec.Services != nil && name == t.rollout.Spec.Services.Active {
		return t.active
	}
	return t.standby
}

// sum adds up counts of all revisions.
func sum(counts map[string]int32) int32 {
	var n int32
	for _, count := range counts {
		n += count
	}
	return n
}

// answering is the number of serving endpoints of what a Service selects.
func (b backend) answering() int32 {
	if b.selects == "" {
		return sum(b.ready)
	}
	return b.ready[b.selects]
}

// need is the number of pods for a share of the traffic.
func need(replicas, share int32) int32 {
	n := int64(replicas) * int64(share)
	return int32((n + int64(planner.FullWeight) - 1) / int64(planner.FullWeight))
}

// runOf is the AnalysisRun of a gate of the release under way; nil when there is none.
func (w *World) runOf(t *truth, gate string) *v1alpha1.AnalysisRun {
	st := t.rollout.Status.State
	return lookup[*v1alpha1.AnalysisRun](w.Server, kindAnalysisRun(), types.NamespacedName{
		Namespace: t.rollout.Namespace, Name: revision.AnalysisRunName(t.rollout.Name, st.Candidate, st.Attempt, st.Round, gate),
	})
}

// gatesOf are the gates of the step that a state is at.
func (t *truth) gatesOf(st v1alpha1.RolloutState) []planner.Gate {
	if int(st.Step) >= len(t.spec.Steps) {
		return nil
	}
	return t.spec.Steps[st.Step].Gates
}
