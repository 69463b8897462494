package simulation

import (
	"encoding/base64"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
	"github.com/sluice-dev/sluice/test/builder"
)

// bite is a controller with one mistake, and a story in which it matters.
type bite struct {
	story Story
	// change makes the mistake.
	change func(*World)
}

// mistaken is a planner whose plans are changed.
func mistaken(change func(s planner.Snapshot, p *planner.Plan)) func(*World) {
	return func(w *World) {
		w.next = func(s planner.Snapshot) planner.Plan {
			plan := planner.Next(s)
			change(s, &plan)
			return plan
		}
	}
}

// deluded is a planner that is shown something else.
func deluded(change func(s *planner.Snapshot)) func(*World) {
	return func(w *World) {
		w.next = func(s planner.Snapshot) planner.Plan {
			change(&s)
			return planner.Next(s)
		}
	}
}

// atStep adds an action to every plan of a step at which the candidate has traffic.
func atStep(action func(planner.Snapshot) planner.Action) func(*World) {
	return mistaken(func(s planner.Snapshot, p *planner.Plan) {
		if s.State.Stage == v1alpha1.StageStepping && s.Route.Weight > 0 && len(p.Actions) == 0 {
			p.Actions = append(p.Actions, action(s))
		}
	})
}

// once does something in the controller's name after its first write of a kind.
func once(k kind, do func(*World, *Process)) func(*World) {
	return func(w *World) {
		done := false
		w.meddle = func(p *Process, r request) {
			if r.kind == k && !done {
				done = true
				w.checker.writing(p)
				do(w, p)
			}
		}
	}
}

// asController changes an object in the controller's name.
func asController[T client.Object](p *Process, write Write, k kind, name string, change func(T)) {
	obj := copyOf(lookup[T](p.world.Server, k, types.NamespacedName{Namespace: Namespace, Name: name}))
	change(obj)
	write.By, write.Process = "controller", p
	p.world.env.put(write, k, obj)
}

// whole is a release by route from the start to the end.
func whole() Story {
	return Story{
		Name: "whole", Key: Web(), Objects: with(routed(), network()...),
		Steps: []Step{release(imageV2), steer(v1alpha1.ActionPromote), wait(5 * time.Minute)},
	}
}

// steps is a story of steps about a Rollout by route.
func steps(s ...Step) Story {
	return Story{Name: "steps", Key: Web(), Objects: with(routed(), network()...), Steps: s}
}

func conditional(verb Verb) Write { return Write{Verb: verb, Conditional: true} }

// foreign is a ReplicaSet of nobody.
func foreign() *appsv1.ReplicaSet {
	labels := map[string]string{"app": "other"}
	return &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: Namespace, Name: "other"},
		Spec: appsv1.ReplicaSetSpec{
			Replicas: ptr.To[int32](1), Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "other", Image: "registry.example/other:v1"}}},
			},
		},
	}
}

// bites has for each invariant a mistake that it must notice.
func bites() map[string]bite {
	out := trafficBites()
	maps.Copy(out, overlayBites())
	maps.Copy(out, probeBites())
	maps.Copy(out, experimentBites())
	maps.Copy(out, abortBites())
	maps.Copy(out, releaseBites())
	maps.Copy(out, setBites())
	maps.Copy(out, controlBites())
	maps.Copy(out, endBites())
	return out
}

func trafficBites() map[string]bite {
	return map[string]bite{
		"SUM": {whole(), once(kindRoute(), func(w *World, p *Process) {
			asController(p, conditional(VerbUpdate), kindRoute(), "web", func(r *unstructured.Unstructured) {
				backendsOfStored(r)[0]["weight"] = int64(-5)
			})
		})},
		"NO-EMPTY": {whole(), mistaken(func(s planner.Snapshot, p *planner.Plan) {
			if s.State.Stage == v1alpha1.StageStepping && s.Standby.Revision == s.State.Candidate && s.Route.Weight == 0 {
				p.Actions = []planner.Action{planner.SetWeight{Tenths: 500}}
			}
		})},
		"ORDER": {whole(), atStep(func(s planner.Snapshot) planner.Action {
			return planner.ScaleRevision{Revision: s.State.Candidate, Replicas: 0}
		})},
		"SELECTOR": {whole(), atStep(func(planner.Snapshot) planner.Action {
			return planner.PointService{Role: planner.Standby, Revision: "nothing"}
		})},
		"STABLE-CAP": {whole(), atStep(func(s planner.Snapshot) planner.Action {
			return planner.ScaleRevision{Revision: s.State.Stable, Replicas: 1}
		})},
		"REACT": {
			steps(release(imageV2), Step{"the candidate is lost", func(w *World) error {
				w.env.startup[imageV2] = Never
				w.Kill(Namespace, imageV2, 10)
				return w.Elapse(time.Minute)
			}}),
			mistaken(func(s planner.Snapshot, p *planner.Plan) {
				if s.Route.Weight > 0 {
					p.Actions = nil
				}
			}),
		},
		"REACT to an abort": {steps(release(imageV2), steer(v1alpha1.ActionAbort), wait(time.Minute)), mistaken(func(_ planner.Snapshot, p *planner.Plan) {
			if p.State.Stage == v1alpha1.StageRetreating {
				p.Actions = nil
			}
		})},
		"REACT to a verdict": {
			Story{
				Name: "failing", Key: Web(), Objects: with(measured(), append(network(), rate())...),
				Verdicts: map[string]Verdict{imageV2 + "/step-1": {Phase: v1alpha1.AnalysisFailed}},
				Steps:    []Step{release(imageV2), wait(time.Minute)},
			},
			mistaken(func(s planner.Snapshot, p *planner.Plan) {
				if p.State.Stage == v1alpha1.StageRetreating {
					p.Actions, p.State = nil, s.State
				}
			}),
		},
		"FIELD": {whole(), once(kindService(), func(w *World, p *Process) {
			asController(p, conditional(VerbUpdate), kindService(), "web", func(s *corev1.Service) { s.Spec.Ports[0].Port = 81 })
		})},
		"CONTEST writes again for ever": {fought(routed(), kindRoute(), 1000), deluded(func(s *planner.Snapshot) {
			s.Route.Hands = nil
		})},
		"CONTEST measures another split": {fought(measured(), kindAnalysisRun(), 1), mistaken(func(_ planner.Snapshot, p *planner.Plan) {
			p.State.Round = 0
		})},
		"CONTEST pauses at another split": {
			fought(web().Services("web").Routes("web").Canary(builder.Step().Weight("20").Pause(time.Minute), builder.Step().Weight("50")),
				kindRollout(), 1),
			mistaken(func(s planner.Snapshot, p *planner.Plan) {
				if p.State.Contest != nil && p.State.Step == 0 && !s.State.GatesAt.IsZero() {
					p.State.GatesAt = s.State.GatesAt
				}
			}),
		},
	}
}

// fought is a release during which a tool takes the weight away after the first writes of a kind; after those of the
// Rollout once the gates have begun.
func fought(rollout *builder.RolloutBuilder, k kind, times int) Story {
	return Story{
		Name: "fought", Key: Web(), Objects: with(rollout, append(network(), rate())...),
		Steps: []Step{release(imageV2), wait(5 * time.Minute)},
		Prepare: func(w *World) {
			left := times
			w.meddle = func(_ *Process, r request) {
				route := lookup[*unstructured.Unstructured](w.Server, kindRoute(), Web())
				early := k == kindRollout() && w.Rollout(Web()).Status.State.GatesAt.IsZero()
				if left == 0 || early || r.kind != k || len(backendsOfStored(route)) < 2 || weightOfStored(route) == 0 {
					return
				}
				left--
				edit(w, "gitops", kindRoute(), Web(), func(route *unstructured.Unstructured) {
					backendsOfStored(route)[0]["weight"], backendsOfStored(route)[1]["weight"] = int64(1), int64(0)
				})
			}
		},
	}
}

// weightOfStored is the weight of the standby backend.
func weightOfStored(route *unstructured.Unstructured) int64 {
	weight, _ := backendsOfStored(route)[1]["weight"].(int64)
	return weight
}

// flapping is a planner that changes its mind about a weight, pass after pass.
func flapping() func(*World) {
	flaps := 0
	return mistaken(func(s planner.Snapshot, p *planner.Plan) {
		if s.State.Stage == v1alpha1.StageStepping && s.Route.Weight > 0 && flaps < 20 {
			flaps++
			p.Actions = []planner.Action{planner.SetWeight{Tenths: 50 + 50*(s.Route.Weight/100%2)}}
		}
	})
}

// backendsOfStored are the backends of the first rule, to be changed.
func backendsOfStored(route *unstructured.Unstructured) []map[string]any {
	spec, _ := route.Object["spec"].(map[string]any)
	rules, _ := spec["rules"].([]any)
	rule, _ := rules[0].(map[string]any)
	refs, _ := rule["backendRefs"].([]any)
	var out []map[string]any
	for _, r := range refs {
		if ref, ok := r.(map[string]any); ok {
			out = append(out, ref)
		}
	}
	return out
}

func abortBites() map[string]bite {
	aborted := steps(release(imageV2), steer(v1alpha1.ActionAbort))
	return map[string]bite{
		"ABORT-NOW": {aborted, mistaken(func(s planner.Snapshot, p *planner.Plan) {
			if p.State.Stage == v1alpha1.StageRetreating && s.State.Stage == v1alpha1.StageStepping {
				p.Actions = nil
			}
		})},
		"ABORT-STICKY": {aborted, mistaken(func(s planner.Snapshot, p *planner.Plan) {
			if s.State.Stage == v1alpha1.StageAborted {
				p.Actions = append(p.Actions, planner.ScaleRevision{Revision: s.State.Candidate, Replicas: 3})
			}
		})},
	}
}

func releaseBites() map[string]bite {
	measuredStory := Story{Name: "measured", Key: Web(), Objects: with(measured(), append(network(), rate())...), Steps: []Step{release(imageV2)}}
	return map[string]bite{
		"PROMOTE-ONLY-IF": {whole(), mistaken(func(s planner.Snapshot, p *planner.Plan) {
			if s.State.Stage == v1alpha1.StageStepping {
				p.State.Stable, p.State.Stage, p.State.Candidate = s.State.Candidate, v1alpha1.StageIdle, ""
			}
		})},
		"STEP-MONO": {whole(), mistaken(func(s planner.Snapshot, p *planner.Plan) {
			if s.State.Step == 1 && s.State.Stage == v1alpha1.StageStepping {
				p.State.Step = 0
			}
		})},
		"GATE": {measuredStory, deluded(func(s *planner.Snapshot) {
			s.Analyses = slices.Clone(s.Analyses)
			for i := range s.Analyses {
				s.Analyses[i].Phase = v1alpha1.AnalysisPassed
			}
		})},
		"PAUSE": {whole(), deluded(func(s *planner.Snapshot) {
			if s.State.Stage == v1alpha1.StageStepping {
				s.State.PromotedAt = metav1.NewMicroTime(s.Now)
			}
		})},
		"SUPERSEDE": {steps(release(imageV2), release(imageV3)), func(w *World) {
			w.next = func(s planner.Snapshot) planner.Plan {
				if s.State.Stage == v1alpha1.StageStepping && s.Target != s.State.Candidate && s.Route.Weight > 0 {
					s.State.Candidate, s.State.Attempt, s.State.Step = s.Target, s.State.Attempt+1, 0
					return planner.Plan{State: s.State}
				}
				return planner.Next(s)
			}
		}},
	}
}

func setBites() map[string]bite {
	withForeign := whole()
	withForeign.Objects = append(withForeign.Objects, foreign())
	stories := configuredStories()
	told := func(name string, change func(*World)) bite {
		return bite{stories[slices.IndexFunc(stories, func(s Story) bool { return strings.HasPrefix(s.Name, name) })], change}
	}
	return map[string]bite{
		"DELETE-SAFE of a copy": told("a change of configuration is promoted", once(kindRoute(), func(w *World, p *Process) {
			name := listed[*appsv1.ReplicaSet](w.Server, kindReplicaSet(), Namespace)[0].Spec.Template.Spec.Containers[0].EnvFrom[0].ConfigMapRef.Name
			w.Server.gone(Write{By: "controller", Process: p}, kindConfigMap(), named(name))
		})),
		"DELETE-SAFE of a content": told("a change of configuration is promoted", once(kindRoute(), func(w *World, p *Process) {
			name := listed[*appsv1.ReplicaSet](w.Server, kindReplicaSet(), Namespace)[0].Spec.Template.Spec.Containers[0].EnvFrom[0].ConfigMapRef.Name
			asController(p, conditional(VerbUpdate), kindConfigMap(), name, func(c *corev1.ConfigMap) { c.Data = map[string]string{} })
		})),
		"OWN and keep the pods": told("the pods of a Deployment are adopted", func(w *World) {
			w.meddle = func(p *Process, _ request) {
				pods := listed[*corev1.Pod](w.Server, kindPod(), Namespace)
				if len(pods) > 0 && w.now.Sub(epoch()) > Startup {
					w.Server.gone(Write{By: "controller", Process: p}, kindPod(), client.ObjectKeyFromObject(pods[0]))
					w.meddle = nil
				}
			}
		}),
		"FIELD of a Deployment": told("a Deployment loses its pods once", once(kindReplicaSet(), func(_ *World, p *Process) {
			asController(p, conditional(VerbUpdate), kindDeployment(), "web", func(d *appsv1.Deployment) { d.Spec.Replicas = ptr.To[int32](0) })
		})),
		"ONE-RS": {whole(), once(kindReplicaSet(), func(w *World, p *Process) {
			twin := copyOf(listed[*appsv1.ReplicaSet](w.Server, kindReplicaSet(), Namespace)[0])
			twin.Name, twin.ResourceVersion = "web-twin", ""
			twin.Spec.Selector.MatchLabels[v1alpha1.LabelPodTemplateHash] = "twin"
			if err := w.Server.create(Write{By: "controller", Process: p}, kindReplicaSet(), twin); err != nil {
				panic(err)
			}
		})},
		"OWN": {withForeign, once(kindReplicaSet(), func(w *World, p *Process) {
			asController(p, conditional(VerbUpdate), kindReplicaSet(), "other", func(rs *appsv1.ReplicaSet) { rs.Spec.Replicas = ptr.To[int32](2) })
		})},
		"DELETE-SAFE": {whole(), atStep(func(s planner.Snapshot) planner.Action {
			return planner.DeleteRevision{Revision: s.State.Stable}
		})},
		"BUDGET": {
			Story{Name: "rolling", Key: Web(), Objects: with(web().RollingUpdate("1", "1")), Steps: []Step{release(imageV2)}},
			mistaken(func(_ planner.Snapshot, p *planner.Plan) {
				for i, action := range p.Actions {
					if create, ok := action.(planner.CreateRevision); ok {
						create.Replicas = 9
						p.Actions[i] = create
					}
				}
			}),
		},
		"SCALE-INDEP": {steps(release(imageV2), scale(6)), mistaken(func(s planner.Snapshot, p *planner.Plan) {
			if s.Spec.Replicas == 6 && s.State.Attempt == 2 {
				p.State.Attempt++
			}
		})},
	}
}

func controlBites() map[string]bite {
	first := steps()
	return map[string]bite{
		"QUIET": {first, mistaken(func(s planner.Snapshot, p *planner.Plan) {
			if p.State.Stage == v1alpha1.StageIdle {
				p.State.ProgressMark = int32(s.Since.Sub(epoch()).Milliseconds())
			}
		})},
		"NO-OSC": {steps(release(imageV2)), flapping()},
		"ESR": {whole(), mistaken(func(_ planner.Snapshot, p *planner.Plan) {
			p.Actions = slices.DeleteFunc(p.Actions, func(a planner.Action) bool {
				scale, ok := a.(planner.ScaleRevision)
				return ok && scale.Replicas == 0
			})
		})},
		"TRUTH": {whole(), mistaken(func(s planner.Snapshot, p *planner.Plan) {
			if s.Route.Weight > 0 {
				p.Settled, p.Phase = true, v1alpha1.PhaseHealthy
			}
		})},
		"FENCE": {whole(), once(kindService(), func(w *World, p *Process) {
			asController(p, Write{Verb: VerbUpdate}, kindService(), "web", func(s *corev1.Service) { s.Spec.Ports[0].Port = 81 })
		})},
	}
}

func endBites() map[string]bite {
	first := steps()
	const word = "correct-horse-battery"
	secretive := whole()
	secretive.Objects = append(secretive.Objects, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: Namespace, Name: "credentials"}, Data: map[string][]byte{"token": []byte(word)},
	})
	neighbours := whole()
	neighbours.Objects = append(neighbours.Objects, builder.Rollout("poison").Namespace(Namespace).Obj())
	return map[string]bite{
		"ISOLATE": {neighbours, func(w *World) {
			w.fragile = true
			w.next = func(s planner.Snapshot) planner.Plan {
				if s.Active.Name == "" {
					panic(poison{})
				}
				return planner.Next(s)
			}
		}},
		"ISOLATE from one that never rests": {steps(release(imageV2)), mistaken(func(s planner.Snapshot, p *planner.Plan) {
			if s.State.Stage == v1alpha1.StageStepping && s.Route.Weight > 0 {
				p.WakeAt = s.Now
			}
		})},
		"BOUND": {first, once(kindRollout(), func(w *World, p *Process) {
			asController(p, conditional(VerbStatus), kindRollout(), Web().Name, func(r *v1alpha1.Rollout) {
				r.Status.History = make([]v1alpha1.ReleaseRecord, 11)
			})
		})},
		"SECRET": {secretive, mistaken(func(_ planner.Snapshot, p *planner.Plan) { p.Why.Message += " with " + word })},
		"SECRET in the log": {secretive, atStep(func(planner.Snapshot) planner.Action {
			return planner.DeleteRevision{Revision: word} // there is none, and the log says that it was done
		})},
		"SECRET in an event": {secretive, mistaken(func(_ planner.Snapshot, p *planner.Plan) {
			for i := range p.Events {
				p.Events[i].Message += base64.StdEncoding.EncodeToString([]byte(word))
			}
		})},
		"SECRET in an annotation": {secretive, once(kindReplicaSet(), func(w *World, p *Process) {
			name := listed[*appsv1.ReplicaSet](w.Server, kindReplicaSet(), Namespace)[0].Name
			asController(p, conditional(VerbUpdate), kindReplicaSet(), name, func(rs *appsv1.ReplicaSet) {
				rs.Annotations["content"] = word
			})
		})},
		"SECRET in an error": {secretive, mistaken(func(s planner.Snapshot, _ *planner.Plan) {
			if s.State.Stage == v1alpha1.StageStepping {
				panic(poison{errors.New(word)})
			}
		})},
		"DETACH": {
			steps(release(imageV2), Step{"the Rollout and then the candidate are deleted", func(w *World) error {
				candidate := w.Rollout(Web()).Status.State.Candidate
				by := Write{By: "user"}
				if err := w.Server.remove(by, kindRollout(), Web(), client.DeleteOptions{
					PropagationPolicy: ptr.To(metav1.DeletePropagationOrphan),
				}); err != nil {
					return err
				}
				if err := w.Rest(horizon); err != nil {
					return err
				}
				return w.Server.remove(by, kindReplicaSet(), named("web-"+candidate), client.DeleteOptions{})
			}}),
			func(w *World) {
				w.next = func(s planner.Snapshot) planner.Plan {
					if s.Leaving != nil {
						return planner.Plan{Left: true}
					}
					return planner.Next(s)
				}
			},
		},
		"TOTAL": {first, mistaken(func(s planner.Snapshot, _ *planner.Plan) {
			if s.State.Stage == v1alpha1.StageInitial {
				panic("a bug")
			}
		})},
	}
}

// For each invariant there is a mistake that it notices, or several: the first word of a mistake is the invariant.
func TestEveryInvariantBites(t *testing.T) {
	kit, all := newTestKit(t), bites()
	for _, invariant := range Invariants() {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(all)), func(name string) bool {
			return name == invariant.Name || strings.HasPrefix(name, invariant.Name+" ")
		}) {
			t.Errorf("nothing shows that %s bites", invariant.Name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		t.Run(name, func(t *testing.T) {
			b := all[name]
			invariant, _, _ := strings.Cut(name, " ")
			_, honest := b.story.Tell(kit)
			for _, v := range honest.Violations {
				t.Errorf("without a mistake: %s", v)
			}
			_, got := b.story.Tell(kit, b.change)
			var names []string
			for _, v := range got.Violations {
				names = append(names, v.Invariant)
			}
			if !slices.Contains(names, invariant) {
				t.Errorf("it notices nothing; others noticed %s; stuck: %v", strings.Join(names, " "), got.Stuck)
			}
		})
	}
}

func TestInvariantsAreAllThere(t *testing.T) {
	all := Invariants()
	if len(all) != 36 {
		t.Errorf("%d invariants, want 36", len(all))
	}
	seen := map[string]bool{}
	for _, i := range all {
		if seen[i.Name] || i.Sentence == "" || i.write == nil && i.pass == nil && i.time == nil && i.rest == nil {
			t.Errorf("%s is there twice, or says or checks nothing", i.Name)
		}
		seen[i.Name] = true
	}
}
