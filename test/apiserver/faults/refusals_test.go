//go:build apiserver

package faults_test

import (
	"os"
	"slices"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/apiserver/env"
	"github.com/sluice-dev/sluice/test/apiserver/live"
	"github.com/sluice-dev/sluice/test/apiserver/proxy"
	"github.com/sluice-dev/sluice/test/builder"
)

// installedRole is the role of the controller as it is installed.
func installedRole(t testing.TB) *rbacv1.ClusterRole {
	t.Helper()
	data, err := os.ReadFile("../../../config/rbac/role.yaml")
	must(t, err)
	role := &rbacv1.ClusterRole{}
	must(t, yaml.Unmarshal(data, role))
	if len(role.Rules) == 0 {
		t.Fatal("config/rbac/role.yaml does not begin with the role of the controller")
	}
	return role
}

// account is a user with the role of the controller, for the controllers of one test.
type account struct {
	w    *live.World
	name string
	role *rbacv1.ClusterRole
}

func newAccount(w *live.World) *account {
	w.T.Helper()
	a := &account{w: w, name: "controller-of-" + w.Namespace, role: installedRole(w.T)}
	a.role.ObjectMeta = metav1.ObjectMeta{Name: a.name}
	clusterWide(w, a.role)
	clusterWide(w, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: a.name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: a.name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: a.name}},
	})
	a.waitUntilMay(true, "rollouts", "list")
	return a
}

func (a *account) config() *rest.Config {
	config := rest.CopyConfig(a.w.Config)
	config.Impersonate = rest.ImpersonationConfig{UserName: a.name}
	return config
}

// withdraw takes all rules about a resource out of the role, but for some verbs. The function that is returned puts them
// back.
func (a *account) withdraw(resource string, but ...string) (restore func()) {
	a.w.T.Helper()
	rules := a.role.Rules
	var left []rbacv1.PolicyRule
	for _, r := range rules {
		r = *r.DeepCopy()
		if slices.Contains(r.Resources, resource) {
			r.Verbs = slices.DeleteFunc(r.Verbs, func(verb string) bool { return !slices.Contains(but, verb) })
		}
		if len(r.Verbs) > 0 {
			left = append(left, r)
		}
	}
	a.set(left)
	a.waitUntilMay(false, resource, "patch")
	return func() {
		a.set(rules)
		a.waitUntilMay(true, resource, "patch")
	}
}

func (a *account) set(rules []rbacv1.PolicyRule) {
	a.w.T.Helper()
	a.role.Rules = rules
	must(a.w.T, a.w.Client.Update(a.w.T.Context(), a.role))
}

// waitUntilMay waits until the API server has heard of a change of the role.
func (a *account) waitUntilMay(may bool, resource, verb string) {
	a.w.T.Helper()
	groups := map[string]string{
		"httproutes": "gateway.networking.k8s.io", "replicasets": "apps", "rollouts": v1alpha1.GroupVersion.Group,
		"endpointslices": "discovery.k8s.io",
	}
	a.w.Eventually("the role", func() (bool, string) {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User: a.name,
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Namespace: a.w.Namespace, Group: groups[resource], Resource: resource, Verb: verb,
			},
		}}
		must(a.w.T, a.w.Client.Create(a.w.T.Context(), review))
		return review.Status.Allowed == may, review.Status.Reason
	})
}

// A permission that goes in mid-release holds up what needs it, and says so with the cure. Other releases go on, and when
// the permission is back the one that waited does too, at the step where it was.
func TestAPermissionIsWithdrawn(t *testing.T) {
	tests := map[string]struct {
		resource, reason string
		but              []string // verbs that stay
		breaks           bool     // watches break, and may not begin again
	}{
		"to write routes":      {resource: "httproutes", but: []string{"get", "list", "watch"}, reason: v1alpha1.ReasonWriteRefused},
		"to read routes":       {resource: "httproutes", breaks: true, reason: v1alpha1.ReasonWriteRefused},
		"to write ReplicaSets": {resource: "replicasets", but: []string{"get", "list", "watch"}, reason: v1alpha1.ReasonReplicaSetRefused},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := world(t, env.Start(t))
			other := live.New(t, w.Another(t), live.Service(), builder.Rollout("web").Image(live.ImageV1).BlueGreen().Obj())
			other.StartHardyPlane()
			a := newAccount(w)
			p := proxy.Start(t, a.config())
			w.StartControllersWith(p.Config(), w.Namespace, other.Namespace)
			atFirstStep(w)
			other.Reaches("healthy", live.Healthy)
			restore := a.withdraw(tt.resource, tt.but...)
			if tt.breaks {
				p.Break()
			}
			w.Command(v1alpha1.ActionPromote)
			told(w, tt.reason, `"`+tt.resource+`"`, "let the service account of the controller")
			if tt.resource != "replicasets" {
				other.Release(live.ImageV2)
				other.Reaches("promoted", live.Promoted)
			}
			before := len(p.Requests(nil))
			elapse(storm)
			if n := len(p.Requests(nil)) - before; n > 20 {
				t.Errorf("%d requests in %s without the permission: %v", n, storm, p.Requests(nil)[before:])
			}
			restore()
			w.Reaches("the last step", atLastStep)
			w.Command(v1alpha1.ActionAbort)
			aborts(w)
			newTape(w).wantSafe()
		})
	}
}

// A quota that is used up in mid-life: the release is told of it, can be aborted although it has no pods, and tried again
// once the quota is raised.
func TestAQuotaInMidRelease(t *testing.T) {
	t.Parallel()
	w, p := behindProxy(t)
	w.Reaches("healthy", live.Healthy)
	quota := &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "few"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{"count/replicasets.apps": resource.MustParse("1")}},
	}
	w.Make(quota)
	quota.Status.Hard, quota.Status.Used = quota.Spec.Hard, quota.Spec.Hard // what the controller of quotas would write
	must(t, w.Client.Status().Update(t.Context(), quota))
	w.Release(live.ImageV2)
	told(w, v1alpha1.ReasonReplicaSetRefused, "exceeded quota: few")
	before := len(p.Requests(nil))
	elapse(storm)
	if n := len(p.Requests(nil)) - before; n > 8 {
		t.Errorf("%d requests in %s with the quota used up: %v", n, storm, p.Requests(nil)[before:])
	}
	w.Command(v1alpha1.ActionAbort)
	w.Reaches("aborted", live.Aborted)
	live.Alter(w, "few", quota, func(q *corev1.ResourceQuota) {
		q.Spec.Hard = corev1.ResourceList{"count/replicasets.apps": resource.MustParse("2")}
	})
	quota.Status.Hard = quota.Spec.Hard
	must(t, w.Client.Status().Update(t.Context(), quota))
	w.Command(v1alpha1.ActionRetry)
	w.Reaches("the first step", live.Awaiting)
	w.SizesAre(map[string]int32{live.ImageV1: 5, live.ImageV2: 1})
}

// A namespace that is on its way out: what can be written is, what cannot be made is not tried over and over, and the end
// is quiet.
func TestANamespaceOnItsWayOut(t *testing.T) {
	t.Parallel()
	w, p := behindProxy(t)
	h := newTape(w)
	atFirstStep(w)
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.Namespace}}
	must(t, w.Client.Delete(t.Context(), namespace))
	before := len(p.Requests(nil))
	w.Release(live.ImageV3) // its ReplicaSet cannot be made any more
	w.Eventually("no traffic on v2", func() (bool, string) { return w.Weight() == 0, w.Rollout().Status.Message })
	must(t, w.Client.Delete(t.Context(), builder.Service(w.Namespace, "web-standby", "web"))) // nor this again
	elapse(storm)
	wantFew(t, p, before, "in a namespace that is on its way out")
	h.wantSafe()

	before = len(p.Requests(nil))
	for _, obj := range live.Network() {
		w.Remove(obj)
	}
	w.Remove(canary().Obj())
	elapse(storm)
	wantFew(t, p, before, "after the end")
}

func wantFew(t testing.TB, p *proxy.Proxy, before int, when string) {
	t.Helper()
	n := len(p.Requests(nil)) - before
	t.Logf("%d requests %s", n, when)
	if n > 40 {
		t.Errorf("%d requests %s: %v", n, when, p.Requests(nil)[before:])
	}
}
