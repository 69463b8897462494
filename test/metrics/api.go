package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/clock"
)

// AnnotationLoad is, on a namespace, the memory that each of its workloads needs for its load, in bytes such as 64Mi. The
// ready pods that a selector picks share it evenly. It is memory, as autoscalers count CPU in thousandths, which is coarse
// for pods that request next to nothing.
const AnnotationLoad = "test.sluice.dev/load"

// groupVersion is the API that is served.
const groupVersion = "metrics.k8s.io/v1beta1"

// window is over how long usage is taken. An autoscaler leaves out a pod that has been ready for less.
const window = time.Second

// PodMetrics is what a pod uses.
type PodMetrics struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	// Timestamp is the end of the time that usage was taken over, and Window is how long it was.
	Timestamp metav1.Time     `json:"timestamp"`
	Window    metav1.Duration `json:"window"`
	// Containers are those of the pod.
	Containers []ContainerMetrics `json:"containers"`
}

// ContainerMetrics is what a container uses.
type ContainerMetrics struct {
	// Name of the container.
	Name string `json:"name"`
	// Usage of memory.
	Usage corev1.ResourceList `json:"usage"`
}

// PodMetricsList is the answer to a selector.
type PodMetricsList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`
	// Items are the pods that run.
	Items []PodMetrics `json:"items"`
}

// Handler answers the discovery of the API and lists of pods.
func Handler(client kubernetes.Interface, clk clock.PassiveClock) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /apis/"+groupVersion, func(w http.ResponseWriter, _ *http.Request) {
		write(w, metav1.APIResourceList{
			TypeMeta:     metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"},
			GroupVersion: groupVersion,
			APIResources: []metav1.APIResource{{Name: "pods", Namespaced: true, Kind: "PodMetrics", Verbs: metav1.Verbs{"get", "list"}}},
		})
	})
	mux.HandleFunc("GET /apis/"+groupVersion+"/namespaces/{namespace}/pods", func(w http.ResponseWriter, r *http.Request) {
		list, err := measure(r.Context(), client, r.PathValue("namespace"), r.URL.Query().Get("labelSelector"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		for i := range list.Items {
			list.Items[i].Timestamp = metav1.NewTime(clk.Now())
		}
		write(w, list)
	})
	return mux
}

func write(w http.ResponseWriter, answer any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer)
}

// measure shares the load of a namespace among the ready pods that a selector picks. A pod that is not ready has nothing
// to do, and one that is being deleted is none of the workload's any more.
func measure(ctx context.Context, client kubernetes.Interface, namespace, selector string) (PodMetricsList, error) {
	list := PodMetricsList{TypeMeta: metav1.TypeMeta{Kind: "PodMetricsList", APIVersion: groupVersion}}
	in, err := client.CoreV1().Namespaces().Get(ctx, namespace, metav1.GetOptions{})
	if err != nil {
		return list, err
	}
	load, err := resource.ParseQuantity(in.Annotations[AnnotationLoad])
	if err != nil {
		return list, fmt.Errorf("annotation %s of namespace %s: %w: write a quantity such as 64Mi", AnnotationLoad, namespace, err)
	}
	pods, err := client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return list, err
	}
	ready := int64(0)
	for _, pod := range pods.Items {
		if serves(pod) {
			ready++
		}
	}
	for _, pod := range pods.Items {
		if pod.Status.Phase != corev1.PodRunning || !pod.DeletionTimestamp.IsZero() {
			continue
		}
		bytes := int64(0)
		if serves(pod) {
			bytes = load.Value() / ready
		}
		list.Items = append(list.Items, metricsOf(pod, bytes))
	}
	return list, nil
}

func serves(pod corev1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue && pod.DeletionTimestamp.IsZero()
		}
	}
	return false
}

// metricsOf puts the usage of a pod on its first container.
func metricsOf(pod corev1.Pod, bytes int64) PodMetrics {
	out := PodMetrics{
		TypeMeta:   metav1.TypeMeta{Kind: "PodMetrics", APIVersion: groupVersion},
		ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name, Labels: pod.Labels},
		Window:     metav1.Duration{Duration: window},
	}
	for i, container := range pod.Spec.Containers {
		if i > 0 {
			bytes = 0
		}
		out.Containers = append(out.Containers, ContainerMetrics{
			Name:  container.Name,
			Usage: corev1.ResourceList{corev1.ResourceMemory: *resource.NewQuantity(bytes, resource.BinarySI)},
		})
	}
	return out
}
