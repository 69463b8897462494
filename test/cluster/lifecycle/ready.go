package lifecycle

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/sluice-dev/sluice/test/cluster/layout"
	"github.com/sluice-dev/sluice/test/cluster/process"
	"github.com/sluice-dev/sluice/test/cluster/sandbox"
)

// requirement is something that has to hold before a cluster is ready.
type requirement struct {
	what  string
	check func(ctx context.Context) error
}

// requirements are what makes the whole more than its components.
func (m *Manager) requirements() []requirement {
	return []requirement{
		{"node " + m.cluster.Name + " is Ready", m.nodeReady},
		{"pods can be created", m.podsCreatable},
		{"Services route", m.servicesRoute},
		{"GatewayClass " + layout.GatewayClass + " is Accepted", m.gatewayClassAccepted},
	}
}

// Healthy reports what is wrong with the cluster, if anything.
func (m *Manager) Healthy(ctx context.Context) error {
	// A cluster outlives the checkout that it was started from.
	for _, path := range []string{m.settings.Launcher, filepath.Join(m.settings.BinDir, "kubectl")} {
		if _, err := os.Stat(path); err != nil {
			return fmt.Errorf("a program it was started from is gone: %w", err)
		}
	}
	for _, component := range m.stages.All() {
		record, err := process.Load(m.cluster.Record(component.Name))
		if err != nil {
			return err
		}
		if !record.Alive() {
			return fmt.Errorf("%s does not run", component.Name)
		}
		if err := m.probes.ask(ctx, component.Probe); err != nil {
			return fmt.Errorf("%s does not answer: %w", component.Name, err)
		}
	}
	for _, r := range m.requirements() {
		if err := r.check(ctx); err != nil {
			return fmt.Errorf("not so yet: %s: %w", r.what, err)
		}
	}
	return nil
}

// nodeReady also waits for the taint that keeps pods away to be gone.
func (m *Manager) nodeReady(ctx context.Context) error {
	var node struct {
		Spec   struct{ Taints []struct{ Key string } }
		Status struct{ Conditions []condition }
	}
	if err := m.api.get(ctx, "/api/v1/nodes/"+m.cluster.Name, &node); err != nil {
		return err
	}
	if err := isTrue(node.Status.Conditions, "Ready"); err != nil {
		return err
	}
	if len(node.Spec.Taints) > 0 {
		return fmt.Errorf("it still has the taint %s", node.Spec.Taints[0].Key)
	}
	return nil
}

// podsCreatable waits for the account that a pod runs as unless it names one. A
// pod created before is refused.
func (m *Manager) podsCreatable(ctx context.Context) error {
	var account struct{}
	return m.api.get(ctx, "/api/v1/namespaces/default/serviceaccounts/default", &account)
}

// servicesRoute connects to the API server the way pods do.
func (m *Manager) servicesRoute(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	conn, err := sandbox.Dialer(m.cluster)(ctx, "tcp", net.JoinHostPort(layout.KubernetesServiceIP, "443"))
	if err != nil {
		return err
	}
	return conn.Close()
}

func (m *Manager) gatewayClassAccepted(ctx context.Context) error {
	var class struct {
		Status struct{ Conditions []condition }
	}
	path := "/apis/gateway.networking.k8s.io/v1/gatewayclasses/" + layout.GatewayClass
	if err := m.api.get(ctx, path, &class); err != nil {
		return err
	}
	return isTrue(class.Status.Conditions, "Accepted")
}
