//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/demo/workload"
)

// TestAbortWithAnUnreadyStablePod aborts a canary while a pod of stable is not ready, and stays so. The others take all the
// traffic at once: nobody waits for the one that may never come back.
func TestAbortWithAnUnreadyStablePod(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "unready-stable")
	first := e.install(canary(untilPromoted(50)))
	e.load()
	from := e.mark()
	e.release(good(v2))
	e.await("half the traffic on v2", atGates(0))

	log := openAudit(t, e.auditLog)
	e.becomeUnready(first.Status.StableRevision, 1)
	e.says(0, nil, "abort", workload.Name)
	e.await("v2 is aborted", aborted)
	e.only(v1)
	e.onlyStable()
	e.tookBack(log, "httproutes")
	e.noFailures(from)
}

// TestUnreadyPodsAfterTheSwitch makes new pods unready after a blue/green switch: one, and then in another attempt all of
// them. From one, an abort takes the traffic back while that pod stays as it is; from all, it leaves by itself.
func TestUnreadyPodsAfterTheSwitch(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		// moved is what the traffic is moved by.
		moved   string
		changes []func(*v1alpha1.RolloutSpec)
	}{
		"route":    {moved: "httproutes"},
		"selector": {moved: "services", changes: []func(*v1alpha1.RolloutSpec){withoutRoutes}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, "unready-new-"+name)
			e.create(e.endless())
			e.install(v1alpha1.Strategy{BlueGreen: &v1alpha1.BlueGreenStrategy{
				ScaleDownDelay: &metav1.Duration{Duration: scaleDownDelay},
				PostPromotionAnalysis: &v1alpha1.Analysis{Templates: []v1alpha1.AnalysisTemplateReference{
					{Kind: v1alpha1.DefaultTemplateKind, Name: e.endless().Name},
				}},
			}}, c.changes...)
			e.loadGateway(rate)
			e.loadConnections(rate, 1)
			e.loadAnswered()
			from := e.mark()
			e.release(good(v2))
			e.await("all traffic on v2", atGates(1))

			log := openAudit(t, e.auditLog)
			e.becomeUnready(e.rollout(t.Context()).Status.UpdateRevision, 1)
			e.says(0, nil, "abort", workload.Name)
			e.await("v2 is aborted", aborted)
			e.only(v1)
			e.onlyStable()
			e.tookBack(log, c.moved)
			e.noFailures(from)

			e.says(0, nil, "retry", workload.Name)
			e.await("all traffic on v2 again", atGates(1))
			log = openAudit(t, e.auditLog)
			e.becomeUnready(e.rollout(t.Context()).Status.UpdateRevision, int(e.Replicas))
			e.await("v2 has lost its traffic", func(r *v1alpha1.Rollout) bool { return r.Status.Weight == "0" })
			// A connection that was begun while the Service had no endpoint is given up after three seconds.
			e.loadAnswered()
			e.requests(6 * rate)
			lost := e.mark()
			e.says(0, nil, "abort", workload.Name)
			e.await("v2 is aborted", aborted)
			e.only(v1)
			e.onlyStable()
			e.tookBack(log, c.moved)
			e.noFailures(lost)
			t.Logf("%d of %d requests failed while no pod of v2 was ready and the traffic on its way back",
				lost.Minus(from).All.Bad(), lost.Minus(from).All.Requests)
		})
	}
}

// endless is an analysis that has no verdict as long as a test lasts.
func (e *env) endless() *v1alpha1.AnalysisTemplate {
	e.t.Helper()
	template := e.AnalysisTemplate()
	template.Name = "endless"
	template.Spec.Metrics[0].InitialDelay = &metav1.Duration{Duration: time.Hour}
	return template
}

// becomeUnready has some pods of a revision tell the kubelet that they are not ready, and waits until it has said so. They
// answer requests as ever.
func (e *env) becomeUnready(revision string, number int) {
	e.t.Helper()
	chosen := e.podsOf(revision)[:number]
	for _, pod := range chosen {
		err := e.plain.CoreV1().RESTClient().Post().Namespace(pod.Namespace).Resource("pods").SubResource("proxy").
			Name(fmt.Sprintf("%s:%d", pod.Name, workload.AdminPort)).Suffix("admin/fault").
			Body([]byte(`{"unready":true}`)).Do(e.t.Context()).Error()
		if err != nil {
			e.t.Fatal(err)
		}
	}
	eventually(e.t, fmt.Sprintf("%d pods of %s are unready", number, revision), func(ctx context.Context) (bool, string) {
		unready := 0
		for _, pod := range e.pods(ctx) {
			was := func(c corev1.Pod) bool { return c.Name == pod.Name }
			if slices.ContainsFunc(chosen, was) && !isReady(pod) {
				unready++
			}
		}
		return unready == number, fmt.Sprintf("%d are", unready)
	})
}

// tookBack holds what the controller wrote to take traffic back, and says how soon it began: what moves traffic first, the
// selector of each Service at most once, and the size of no ReplicaSet before.
func (e *env) tookBack(log *audit, moved string) {
	e.t.Helper()
	log.read(e.t)
	ours := func(all []entry) []entry {
		return slices.DeleteFunc(slices.Clone(all), func(w entry) bool { return w.ObjectRef.Namespace != e.Namespace })
	}
	writes, commands := ours(log.writes), ours(log.commands)
	if len(writes) == 0 || len(commands) != 1 {
		e.t.Fatalf("the audit log has %d writes of the controller and %d commands, want some and one", len(writes), len(commands))
	}
	if first := writes[0]; first.ObjectRef.Resource != moved {
		e.t.Errorf("the first write was %s %s, want one of %s", first.Verb, first.URI, moved)
	}
	selectors := map[string]int{}
	for _, w := range writes {
		if w.ObjectRef.Resource == "services" {
			selectors[w.ObjectRef.Name]++
		}
	}
	for service, n := range selectors {
		if n > 1 {
			e.t.Errorf("service %s was written %d times, want at most once", service, n)
		}
	}
	asked := commands[0].At
	taken := slices.IndexFunc(writes, func(w entry) bool { return w.ObjectRef.Resource == moved && w.At.After(asked) })
	soon := "had all left before the abort"
	if taken >= 0 {
		soon = fmt.Sprintf("was written %s after the abort", writes[taken].At.Sub(asked))
	}
	e.t.Logf("what moves traffic %s; all writes:%s", soon, sequence(writes))
}

// sequence is a list of writes in one line.
func sequence(writes []entry) string {
	out := ""
	for _, w := range writes {
		out += fmt.Sprintf(" %s/%s", w.ObjectRef.Resource, w.ObjectRef.Name)
	}
	return out
}
