package simulation

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// fork is a world that goes on from here by itself, without a controller. Objects are never changed, so that two worlds
// share them. Counters begin anew.
func (w *World) fork() *World {
	out := *w
	out.Server = &Server{
		kit: w.kit, now: func() time.Time { return out.now }, version: w.Server.version, made: w.Server.made,
		tables: map[kind]*table{}, committed: out.committed,
	}
	for k, t := range w.Server.tables {
		out.Server.tables[k] = &table{objects: maps.Clone(t.objects), log: slices.Clip(t.log)}
	}
	out.env = w.env.fork(&out)
	out.checker = w.checker.fork(&out)
	out.processes, out.fault, out.began = nil, nil, w.Server.version
	out.writes, out.passes, out.turns, out.reads = 0, 0, 0, 0
	out.events, out.said = slices.Clip(w.events), slices.Clip(w.said)
	out.rested, out.lastWrite, out.excused = false, nil, time.Time{}
	out.refusing, out.plans, out.want, out.ordered = nil, slices.Clip(w.plans), nil, nil
	out.Server.committed = out.committed
	return &out
}

func (e *environment) fork(w *World) *environment {
	out := newEnvironment(w)
	for i, a := range e.actors {
		out.actors[i].queue = slices.Clone(a.queue)
	}
	out.startup, out.verdicts, out.refusals = maps.Clone(e.startup), maps.Clone(e.verdicts), maps.Clone(e.refusals)
	out.ruled, out.ruling = e.ruled, e.ruling
	out.slow, out.late = e.slow, maps.Clone(e.late)
	out.programmed, out.matching, out.heard = maps.Clone(e.programmed), maps.Clone(e.matching), maps.Clone(e.heard)
	return out
}

func (c *checker) fork(w *World) *checker {
	out := &checker{world: w, subjects: map[types.NamespacedName]*subject{}, fates: c.fates, disturbed: c.disturbed, kept: c.kept}
	out.written = maps.Clone(c.written)
	for key, s := range c.subjects {
		one := *s
		one.promoted, one.runs, one.values = maps.Clone(s.promoted), maps.Clone(s.runs), map[string][]string{}
		one.contents = maps.Clone(s.contents)
		for field, values := range s.values {
			one.values[field] = slices.Clip(values)
		}
		one.routeWrites = slices.Clip(s.routeWrites)
		one.fight.putBacks, one.fight.began = slices.Clip(s.fight.putBacks), maps.Clone(s.fight.began)
		out.subjects[key] = &one
	}
	return out
}

// calm ends what a fault has left behind: one controller is left, and it sees everything.
func (w *World) calm() {
	w.processes = w.processes[:min(1, len(w.processes))]
	for _, p := range w.processes {
		p.drip, p.repeat, p.skew, p.expires = together, 0, 0, 0
		clear(p.blind)
		clear(p.deaf)
	}
}

// essence is everything that decides about what comes next, without what follows from chance and the hour: two worlds of
// the same essence go on in the same way.
func (w *World) essence() map[string]any {
	out := map[string]any{"programmed": maps.Clone(w.env.programmed), "matching": maps.Clone(w.env.matching), "ruling": w.env.ruling, "tasks": w.env.tasks()}
	for k, t := range w.Server.tables {
		for key, obj := range t.objects {
			if what := essenceOf(obj); what != nil {
				out[k.Kind+" "+key.String()] = what
			}
		}
	}
	return out
}

// tasks are what others have yet to do, but for pods, whose names follow from chance.
func (e *environment) tasks() []string {
	var out []string
	for _, a := range e.actors {
		for _, t := range a.queue {
			if t.item.kind != kindPod() {
				out = append(out, a.name+" "+t.item.key.String())
			}
		}
	}
	slices.Sort(out)
	return out
}

// essenceOf is what decides of one object; nil for one of which nothing does.
func essenceOf(obj any) any {
	switch o := obj.(type) {
	case *v1alpha1.Rollout:
		return []any{o.Spec, o.Annotations, timeless(o.Status)}
	case *appsv1.ReplicaSet:
		return []any{o.Spec.Replicas, o.Spec.MinReadySeconds, o.Annotations, o.Status.AvailableReplicas, o.Status.Replicas}
	case *corev1.Service:
		return o.Spec
	case *unstructured.Unstructured:
		return o.Object["spec"]
	case *appsv1.Deployment:
		return []any{o.Spec, o.Status.AvailableReplicas}
	case *corev1.ConfigMap:
		return o.Data
	case *corev1.Secret:
		return o.Data
	case *v1alpha1.AnalysisRun:
		return o.Status.Phase
	}
	return nil
}

// timeless is a status in which times are only there or not, and sentences, which speak of times, are left out.
func timeless(in v1alpha1.RolloutStatus) v1alpha1.RolloutStatus {
	out := *in.DeepCopy()
	some := metav1.NewMicroTime(epoch())
	st := &out.State
	for _, at := range []*metav1.MicroTime{&st.StartedAt, &st.ProgressAt, &st.ShiftedAt, &st.EndpointsAt, &st.GatesAt, &st.PromotedAt, &st.RestartAt} {
		if !at.IsZero() {
			*at = some
		}
	}
	out.Message, st.Message, out.ObservedGeneration = "", "", 0
	for i := range st.ScaleDowns {
		st.ScaleDowns[i].At = some
	}
	for i := range out.Conditions {
		out.Conditions[i].LastTransitionTime, out.Conditions[i].Message, out.Conditions[i].ObservedGeneration = metav1.Time{}, "", 0
	}
	for i := range out.History {
		out.History[i].StartedAt, out.History[i].EndedAt, out.History[i].Message = some, some, ""
	}
	for i := range out.Analyses {
		out.Analyses[i].Message = ""
	}
	if out.LastCommand != nil {
		out.LastCommand.At, out.LastCommand.Message = some, ""
	}
	return out
}

// contrast is the first thing in which two essences differ; empty when there is none.
func contrast(want, got map[string]any) string {
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if !reflect.DeepEqual(want[key], got[key]) {
			x, _ := json.Marshal(want[key])
			y, _ := json.Marshal(got[key])
			return fmt.Sprintf("%s: %s, want %s", key, y, x)
		}
	}
	if len(got) > len(want) {
		return fmt.Sprintf("%d objects, want %d", len(got), len(want))
	}
	return ""
}
