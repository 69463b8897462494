package stats

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"k8s.io/client-go/kubernetes"
)

// Port is where the load generator answers /stats.
const Port = 8080

// Read asks the load generator in a pod for its report, through the API server, with the last n seconds one by one. It
// needs no more than a kubeconfig, wherever the cluster is.
func Read(ctx context.Context, client kubernetes.Interface, namespace, pod string, last int) (Report, error) {
	raw, err := client.CoreV1().Pods(namespace).ProxyGet("http", pod, strconv.Itoa(Port), "stats",
		map[string]string{"last": strconv.Itoa(last)}).DoRaw(ctx)
	if err != nil {
		return Report{}, fmt.Errorf("load generator %s/%s: %w", namespace, pod, err)
	}
	var report Report
	if err := json.Unmarshal(raw, &report); err != nil {
		return Report{}, fmt.Errorf("load generator %s/%s: %w", namespace, pod, err)
	}
	return report, nil
}
