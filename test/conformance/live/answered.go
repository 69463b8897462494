package live

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/test/demo/workload"
)

// Answered counts by the metrics of the sample app, which it reads through the API server: it needs no way to the pods.
func Answered(plain kubernetes.Interface) func(context.Context, client.ObjectKey) (int64, error) {
	return func(ctx context.Context, key client.ObjectKey) (int64, error) {
		deployment, err := plain.AppsV1().Deployments(key.Namespace).Get(ctx, key.Name, metav1.GetOptions{})
		if err != nil {
			return 0, err
		}
		return ofPods(ctx, plain, deployment)
	}
}

func ofPods(ctx context.Context, plain kubernetes.Interface, of *appsv1.Deployment) (sum int64, err error) {
	pods, err := plain.CoreV1().Pods(of.Namespace).List(ctx, metav1.ListOptions{
		LabelSelector: metav1.FormatLabelSelector(of.Spec.Selector),
	})
	if err != nil {
		return 0, err
	}
	for _, pod := range pods.Items {
		text, err := plain.CoreV1().Pods(pod.Namespace).ProxyGet("http", pod.Name, strconv.Itoa(workload.AdminPort), "metrics", nil).
			DoRaw(ctx)
		if err != nil {
			return 0, fmt.Errorf("metrics of pod %s: %w", pod.Name, err)
		}
		n, err := requestsIn(string(text))
		if err != nil {
			return 0, fmt.Errorf("metrics of pod %s: %w", pod.Name, err)
		}
		sum += n
	}
	return sum, nil
}

// requestsIn adds up http_requests_total, of which metrics have a line for each status code.
func requestsIn(metrics string) (sum int64, err error) {
	for line := range strings.Lines(metrics) {
		if !strings.HasPrefix(line, "http_requests_total{") {
			continue
		}
		text := strings.TrimSpace(line[strings.LastIndex(line, "}")+1:])
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return 0, fmt.Errorf("%q is no number", text)
		}
		sum += int64(n)
	}
	return sum, nil
}
