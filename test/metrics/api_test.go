package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	testingclock "k8s.io/utils/clock/testing"
)

func pod(name, app string, ready corev1.ConditionStatus) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, Labels: map[string]string{"app": app}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app"}}},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: ready}},
		},
	}
}

func namespace(load string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Annotations: map[string]string{AnnotationLoad: load}}}
}

func get(t *testing.T, handler http.Handler, path string, into any) int {
	t.Helper()
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	if recorder.Code == http.StatusOK {
		if err := json.Unmarshal(recorder.Body.Bytes(), into); err != nil {
			t.Fatal(err)
		}
	}
	return recorder.Code
}

func TestReadyPodsOfASelectorShareTheLoad(t *testing.T) {
	now := time.Date(2030, time.June, 1, 12, 0, 0, 0, time.UTC)
	leaving := pod("leaving", "web", corev1.ConditionTrue)
	leaving.DeletionTimestamp, leaving.Finalizers = &metav1.Time{Time: now}, []string{"test/stays"}
	handler := Handler(fake.NewClientset(namespace("64Mi"),
		pod("a", "web", corev1.ConditionTrue), pod("b", "web", corev1.ConditionTrue), pod("starting", "web", corev1.ConditionFalse),
		leaving, pod("c", "other", corev1.ConditionTrue),
	), testingclock.NewFakePassiveClock(now))

	var got PodMetricsList
	if code := get(t, handler, "/apis/metrics.k8s.io/v1beta1/namespaces/shop/pods?labelSelector=app%3Dweb", &got); code != http.StatusOK {
		t.Fatalf("answer %d", code)
	}
	usage := map[string]string{}
	for _, item := range got.Items {
		usage[item.Name] = item.Containers[0].Usage.Memory().String()
		if !item.Timestamp.Time.Equal(now) {
			t.Errorf("usage of %s is of %s, want %s", item.Name, item.Timestamp, now)
		}
	}
	if diff := cmp.Diff(map[string]string{"a": "32Mi", "b": "32Mi", "starting": "0"}, usage); diff != "" {
		t.Errorf("usage (-want +got):\n%s", diff)
	}
}

func TestNamespaceWithoutLoadIsAnError(t *testing.T) {
	handler := Handler(fake.NewClientset(namespace("")), testingclock.NewFakePassiveClock(time.Time{}))
	if code := get(t, handler, "/apis/metrics.k8s.io/v1beta1/namespaces/shop/pods", nil); code != http.StatusInternalServerError {
		t.Errorf("answer %d, want 500", code)
	}
}

func TestDiscovery(t *testing.T) {
	handler := Handler(fake.NewClientset(), testingclock.NewFakePassiveClock(time.Time{}))
	var got metav1.APIResourceList
	if code := get(t, handler, "/apis/metrics.k8s.io/v1beta1", &got); code != http.StatusOK || len(got.APIResources) != 1 {
		t.Errorf("answer %d with %+v, want pods", code, got.APIResources)
	}
}
