//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/demo/workload"
)

// plainName is the name of a Deployment beside the Rollout, and of the label of its pods.
const plainName = "plain"

// limits of a rolling update.
type limits struct {
	surge, unavailable intstr.IntOrString
	// most and least are how many pods there may be, and how many must be available.
	most, least int
}

// TestRollingUpdateBesideADeployment releases the same pods by a Rollout and by a Deployment, at the same time and with
// the same limits, and counts pods at every change of any of them. The Deployment sometimes has a pod too many, as its old
// ReplicaSet has been told to end one that is still there when its new one makes another. The Rollout waits until it is.
func TestRollingUpdateBesideADeployment(t *testing.T) {
	t.Parallel()
	for name, l := range map[string]limits{
		"a quarter":  {intstr.FromString("25%"), intstr.FromString("25%"), 10, 6},
		"one by one": {intstr.FromInt32(1), intstr.FromInt32(0), 9, 8},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			besideADeployment(t, l)
		})
	}
}

func besideADeployment(t *testing.T, l limits) {
	t.Helper()
	e := newEnv(t, "beside-"+l.surge.String()[:1]+"-"+l.unavailable.String()[:1])
	e.Replicas, e.Drain = 8, time.Second
	e.create(e.deployment(good(v1), l))
	e.install(v1alpha1.Strategy{RollingUpdate: &v1alpha1.RollingUpdateStrategy{
		MaxSurge: &l.surge, MaxUnavailable: &l.unavailable,
	}}, withoutRoutes)
	seen := e.countPods()
	settled := func(version string) {
		eventually(t, version+" everywhere", func(context.Context) (bool, string) {
			return seen.whole(plainName, version) && seen.whole(workload.Name, version), seen.String()
		})
	}
	settled(v1)

	var ratios []float64
	for _, version := range []string{v2, v3, "v4"} {
		began := time.Now()
		seen.forget()
		e.releaseByDeployment(good(version))
		e.release(good(version))
		settled(version)
		plain, ours := seen.wholeAt(plainName, version).Sub(began), seen.wholeAt(workload.Name, version).Sub(began)
		ratios = append(ratios, ours.Seconds()/plain.Seconds())
		t.Logf("%s: Deployment %.1fs, Rollout %.1fs; %s", version, plain.Seconds(), ours.Seconds(), seen)
		seen.within(t, workload.Name, l)
		e.await(version+" is promoted", healthy)
	}
	// The pods of both share a machine with other tests, which may hold up a release of one of them. What makes every
	// release slow is the Rollout's own. The median was 1.00 to 1.07 on two busy cores.
	slices.Sort(ratios)
	const most = 1.25
	if ratios[0] > most {
		t.Errorf("the Rollout took at least %.2f times as long as the Deployment, want at most %.2f: %.2f", ratios[0], most, ratios)
	}
}

// deployment is one beside the Rollout, of the same pods.
func (e *env) deployment(version workload.Version, l limits) *appsv1.Deployment {
	e.t.Helper()
	return e.deploymentNamed(plainName, version, l)
}

// deploymentNamed is one whose pods are labelled with its name.
func (e *env) deploymentNamed(name string, version workload.Version, l limits) *appsv1.Deployment {
	e.t.Helper()
	labels := map[string]string{"app": name}
	d := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: e.Namespace, Name: name},
		Spec: appsv1.DeploymentSpec{
			Replicas: ptr.To(e.Replicas),
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Strategy: appsv1.DeploymentStrategy{
				Type:          appsv1.RollingUpdateDeploymentStrategyType,
				RollingUpdate: &appsv1.RollingUpdateDeployment{MaxSurge: &l.surge, MaxUnavailable: &l.unavailable},
			},
		},
	}
	if err := json.Unmarshal(e.Template(version).Raw, &d.Spec.Template); err != nil {
		e.t.Fatal(err)
	}
	d.Spec.Template.Labels = labels
	return d
}

// releaseByDeployment releases another version by the Deployment.
func (e *env) releaseByDeployment(version workload.Version) {
	e.t.Helper()
	d := &appsv1.Deployment{}
	if err := e.Get(e.t.Context(), client.ObjectKey{Namespace: e.Namespace, Name: plainName}, d); err != nil {
		e.t.Fatal(err)
	}
	before := d.DeepCopy()
	d.Spec.Template = e.deployment(version, limits{}).Spec.Template
	if err := e.Patch(e.t.Context(), d, client.MergeFrom(before)); err != nil {
		e.t.Fatal(err)
	}
}

// census counts the pods of a namespace at every change of any of them.
type census struct {
	// replicas of each app.
	replicas int

	mu      sync.Mutex
	pods    map[string]corev1.Pod
	moments []moment
}

// moment is the count after one change.
type moment struct {
	at   time.Time
	apps map[string]count
}

// count is of the pods of one app that are not being deleted.
type count struct {
	existing, available int
	// versions are the available pods of each version.
	versions map[string]int
}

// countPods begins to count, until the test ends.
func (e *env) countPods() *census {
	e.t.Helper()
	c := &census{replicas: int(e.Replicas), pods: map[string]corev1.Pod{}}
	stream, err := e.Watch(e.t.Context(), &corev1.PodList{}, client.InNamespace(e.Namespace))
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(stream.Stop)
	go func() {
		for event := range stream.ResultChan() {
			if pod, ok := event.Object.(*corev1.Pod); ok {
				c.add(event.Type, *pod)
			}
		}
	}()
	return c
}

func (c *census) add(kind apiwatch.EventType, pod corev1.Pod) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pods[pod.Name] = pod
	if kind == apiwatch.Deleted {
		delete(c.pods, pod.Name)
	}
	m := moment{at: time.Now(), apps: map[string]count{}}
	for _, pod := range c.pods {
		if !pod.DeletionTimestamp.IsZero() {
			continue
		}
		n, found := m.apps[pod.Labels["app"]]
		if !found {
			n.versions = map[string]int{}
		}
		n.existing++
		if isReady(pod) {
			n.available++
			n.versions[workload.VersionOf(&corev1.PodTemplateSpec{Spec: pod.Spec})]++
		}
		m.apps[pod.Labels["app"]] = n
	}
	c.moments = append(c.moments, m)
}

// forget begins the record again with what there is now.
func (c *census) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.moments = c.moments[len(c.moments)-1:]
}

// wholeAt is when all pods of an app were of a version and available for the first time; zero when they never were.
func (c *census) wholeAt(app, version string) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.moments {
		if n := m.apps[app]; n.existing == c.replicas && n.versions[version] == n.existing {
			return m.at
		}
	}
	return time.Time{}
}

func (c *census) whole(app, version string) bool { return !c.wholeAt(app, version).IsZero() }

// bounds are the most pods that an app had at any moment, and the fewest that were available.
func (c *census) bounds(app string) (most, least int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, m := range c.moments {
		n := m.apps[app]
		most = max(most, n.existing)
		if i == 0 || n.available < least {
			least = n.available
		}
	}
	return most, least
}

// within holds that an app kept to its limits at every moment.
func (c *census) within(t *testing.T, app string, l limits) {
	t.Helper()
	if most, least := c.bounds(app); most > l.most || least < l.least {
		t.Errorf("%s had up to %d pods and no fewer than %d available, want up to %d and no fewer than %d", app, most, least,
			l.most, l.least)
	}
}

func (c *census) String() string {
	plainMost, plainLeast := c.bounds(plainName)
	most, least := c.bounds(workload.Name)
	return fmt.Sprintf("%d changes; Deployment up to %d pods, %d available or more; Rollout up to %d and %d", len(c.moments),
		plainMost, plainLeast, most, least)
}
