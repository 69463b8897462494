//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/demo/workload"
)

// kubectl runs kubectl itself, and returns what it wrote and whether it ended well. Without a manifest as its input, which
// would say so itself, it works in the namespace of the test.
func (e *env) kubectl(input string, args ...string) (output string, well bool) {
	e.t.Helper()
	if input == "" {
		args = append([]string{"--namespace", e.Namespace}, args...)
	}
	args = append([]string{"--kubeconfig", e.kubeconfig}, args...)
	command := exec.CommandContext(context.WithoutCancel(e.t.Context()), e.kubectlPath, args...)
	var out bytes.Buffer
	command.Stdin, command.Stdout, command.Stderr = strings.NewReader(input), &out, &out
	err := command.Run()
	return out.String(), err == nil
}

// does runs kubectl, which has to end well, and returns what it wrote.
func (e *env) does(args ...string) string {
	e.t.Helper()
	out, well := e.kubectl("", args...)
	if !well {
		e.t.Fatalf("kubectl %s: %s", strings.Join(args, " "), out)
	}
	return strings.TrimSpace(out)
}

// TestKubectl asks kubectl of a Rollout what it is asked of a Deployment, and holds that the answers are the same.
func TestKubectl(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "kubectl")
	e.create(e.deployment(good(v1), limits{surge: intstr.FromInt32(1)}))
	e.create(e.Rollout(good(v1), canary(untilPromoted(50))))
	both := map[string]string{"deployment/" + plainName: "Available", "rollout/" + workload.Name: "Ready"}
	for object, condition := range both {
		e.does("wait", "--for=condition="+condition, object, "--timeout=2m")
		e.does("wait", "--for=condition=Available", object, "--timeout=2m")
		e.does("wait", "--for=jsonpath={.status.availableReplicas}=4", object, "--timeout=2m")
	}
	for object := range both {
		e.does("scale", object, "--replicas=2")
		e.does("wait", "--for=jsonpath={.status.replicas}=2", object, "--timeout=2m")
		if out, well := e.kubectl("", "scale", object, "--current-replicas=4", "--replicas=3"); well {
			t.Errorf("kubectl scale %s --current-replicas=4 with 2 replicas ended well: %s", object, out)
		}
		if got := e.does("get", object, "--subresource=scale", "-o=jsonpath={.spec.replicas} {.status.replicas}"); got != "2 2" {
			t.Errorf("the scale of %s is %q, want 2 asked for and 2 there", object, got)
		}
		e.does("autoscale", object, "--min=2", "--max=5", "--cpu=80%")
	}
	e.autoscaled("deployment", plainName)
	e.autoscaled("rollout", workload.Name)
	e.waitsForTheLatestEdit()
	e.listed()
}

// autoscaled waits until the real autoscaler has read the scale of an object and the pods that its selector picks.
func (e *env) autoscaled(kind, name string) {
	e.t.Helper()
	eventually(e.t, "the autoscaler of "+kind+" "+name+" can scale it", func(ctx context.Context) (bool, string) {
		hpa := &autoscalingv2.HorizontalPodAutoscaler{}
		if err := e.Get(ctx, client.ObjectKey{Namespace: e.Namespace, Name: name}, hpa); err != nil {
			return false, err.Error()
		}
		for _, c := range hpa.Status.Conditions {
			if c.Type == autoscalingv2.AbleToScale && c.Status == "True" {
				return strings.EqualFold(hpa.Spec.ScaleTargetRef.Kind, kind) && hpa.Status.CurrentReplicas == 2, ""
			}
		}
		return false, string(e.mustJSON(hpa.Status))
	})
}

func (e *env) mustJSON(v any) []byte {
	e.t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		e.t.Fatal(err)
	}
	return raw
}

// waitsForTheLatestEdit holds that a wait right after an edit waits for what was edited, while a release is under way, and
// not for what was there before.
func (e *env) waitsForTheLatestEdit() {
	e.t.Helper()
	e.release(good(v2))
	if out, well := e.kubectl("", "wait", "--for=condition=Ready", "rollout/"+workload.Name, "--timeout=5s"); well {
		e.t.Errorf("kubectl wait ended well in the middle of a release: %s", out)
	}
	e.await("v2 waits for a person", atGates(0))
	e.says(0, nil, "promote", workload.Name)
	e.does("wait", "--for=condition=Ready", "rollout/"+workload.Name, "--timeout=2m")
	if rollout := e.rollout(e.t.Context()); !healthy(rollout) || rollout.Status.Phase != v1alpha1.PhaseHealthy {
		e.t.Errorf("kubectl wait ended before the release did: %s", summary(rollout))
	}
}

// listed holds that kubectl lists a Rollout by its names and with its columns.
func (e *env) listed() {
	e.t.Helper()
	for _, name := range []string{"rollouts", "rollout", "ro", "all", "sluice"} {
		if got := e.does("get", name); !strings.Contains(got, workload.Name) {
			e.t.Errorf("kubectl get %s does not list the Rollout:\n%s", name, got)
		}
	}
	// The old pods, which stay for a moment, are available too.
	e.does("wait", "--for=jsonpath={.status.availableReplicas}=2", "rollout/"+workload.Name, "--timeout=2m")
	got := strings.Join(strings.Fields(e.does("get", "ro")), " ")
	const want = "NAME STRATEGY PHASE STEP WEIGHT DESIRED UPDATED AVAILABLE READY AGE web canary Healthy 2 2 2 True "
	if !strings.HasPrefix(got, want) {
		e.t.Errorf("kubectl get ro writes %q, want %q", got, want)
	}
	if got := e.does("get", "ro", "-o=wide"); !strings.Contains(got, e.appImage) {
		e.t.Errorf("kubectl get ro -o=wide does not show the image %s:\n%s", e.appImage, got)
	}
	if got := e.does("describe", "rollout", workload.Name); !strings.Contains(got, v1alpha1.ReasonPromoted) {
		e.t.Errorf("kubectl describe does not tell of the promotion:\n%s", got)
	}
	e.does("explain", "rollout.spec.strategy.canary.steps")
}

// installMetrics makes the metrics API of test/metrics that of the cluster, until the test ends. While such an API does
// not answer, no namespace can be removed: it comes last and goes first.
func (e *env) installMetrics() {
	e.t.Helper()
	raw, err := os.ReadFile("testdata/metrics.yaml")
	if err != nil {
		e.t.Fatal(err)
	}
	parts := strings.Split(strings.ReplaceAll(string(raw), "image: IMAGE", "image: "+e.metricsImage), "\n---\n")
	rest, api := strings.Join(parts[:len(parts)-1], "\n---\n"), parts[len(parts)-1]
	remove := func() {
		for _, manifest := range []string{api, rest} {
			if out, well := e.kubectl(manifest, "delete", "--ignore-not-found", "-f", "-"); !well {
				e.t.Errorf("kubectl delete: %s", out)
			}
		}
	}
	remove()
	e.t.Cleanup(remove)
	for _, manifest := range []string{rest, api} {
		if out, well := e.kubectl(manifest, "apply", "-f", "-"); !well {
			e.t.Fatalf("kubectl apply: %s", out)
		}
		e.does("wait", "--namespace=sluice-test-metrics", "--for=condition=Ready", "pod/metrics", "--timeout=2m")
	}
	e.does("wait", "--for=condition=Available", "apiservice/v1beta1.metrics.k8s.io", "--timeout="+time.Minute.String())
}
