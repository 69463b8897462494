//go:build e2e

package e2e

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/demo/workload"
)

// throughTraefik is the pod that sends load by the name of an IngressRoute.
const throughTraefik = workload.LoadName + "-traefik"

// TestTraefikService takes a release by the weights of a TraefikService behind an IngressRoute, in place of a route of the
// Gateway API: it is aborted, tried again and promoted, under load, and the object is what its user wrote in the end.
func TestTraefikService(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "traefik-service")
	host := "own-kinds." + e.Namespace + ".example"
	service := e.traefikService()
	e.create(service.DeepCopy())
	e.create(e.ingressRoute(host))
	e.install(canary(untilPromoted(20), untilPromoted(50)), func(spec *v1alpha1.RolloutSpec) {
		spec.Traffic = &v1alpha1.Traffic{Traefik: &v1alpha1.TraefikTraffic{
			TraefikServices: []v1alpha1.TraefikServiceReference{{Name: workload.Name}},
		}}
	})
	e.send(throughTraefik, workload.Load{Target: e.gateway, Host: host, Rate: rate, Fresh: 0.1, Duration: loadFor})
	e.loadAnswered()
	from := e.mark()

	e.release(good(v2))
	rollout := e.await("v2 waits at 20 %", atGates(0))
	e.share(20)
	e.says(0, []string{rollout.Status.UpdateRevision}, "abort", workload.Name)
	e.await("v2 is aborted", aborted)
	e.only(v1)
	e.unchanged(service)

	e.says(0, []string{rollout.Status.UpdateRevision}, "retry", workload.Name)
	e.await("v2 waits at 20 % again", atGates(0))
	e.says(0, []string{rollout.Status.UpdateRevision}, "promote", workload.Name)
	e.await("v2 waits at 50 %", atGates(1))
	e.share(50)
	e.says(0, []string{rollout.Status.UpdateRevision}, "promote", workload.Name)
	e.outcome(e.await("v2 is promoted", healthy), v1alpha1.OutcomePromoted, v1alpha1.ReasonPromoted)
	e.onlyStable()
	e.only(v2)
	e.unchanged(service)
	e.noFailures(from)
}

// traefikService has the active Service alone, as a user writes it who has never heard of a standby.
func (e *env) traefikService() *unstructured.Unstructured {
	e.t.Helper()
	return e.own("TraefikService", map[string]any{"weighted": map[string]any{
		"services": []any{map[string]any{"name": workload.Name, "port": int64(80)}},
	}})
}

// ingressRoute sends the requests of a host to the TraefikService.
func (e *env) ingressRoute(host string) *unstructured.Unstructured {
	e.t.Helper()
	return e.own("IngressRoute", map[string]any{
		"entryPoints": []any{"web"},
		"routes": []any{map[string]any{
			"kind": "Rule", "match": "Host(`" + host + "`)",
			"services": []any{map[string]any{"kind": "TraefikService", "name": workload.Name}},
		}},
	})
}

// own is an object of one of Traefik's own kinds.
func (e *env) own(kind string, spec map[string]any) *unstructured.Unstructured {
	e.t.Helper()
	out := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	out.SetAPIVersion("traefik.io/v1alpha1")
	out.SetKind(kind)
	out.SetNamespace(e.Namespace)
	out.SetName(workload.Name)
	return out
}

// unchanged holds that the spec of an object is what its user wrote.
func (e *env) unchanged(want *unstructured.Unstructured) {
	e.t.Helper()
	got := want.DeepCopy()
	if err := e.Get(e.t.Context(), client.ObjectKeyFromObject(want), got); err != nil {
		e.t.Fatal(err)
	}
	if diff := cmp.Diff(want.Object["spec"], got.Object["spec"]); diff != "" {
		e.t.Errorf("%s %s is not what its user wrote (-want +got):\n%s", want.GetKind(), want.GetName(), diff)
	}
}
