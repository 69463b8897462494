package verbs

import (
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/sluice-dev/sluice/test/cluster/component"
	"github.com/sluice-dev/sluice/test/cluster/layout"
	"github.com/sluice-dev/sluice/test/cluster/lifecycle"
)

func newEnv() *cobra.Command {
	var t target
	cmd := &cobra.Command{
		Use:   "env",
		Short: "Print where things are, as shell variables",
		Long: `Print where things are, one NAME=value a line, for a shell:

  export $(cluster env)

GATEWAY, PROMETHEUS and the kubeconfig's server are ports of this machine's
127.0.0.1. The names that end in _INSIDE are what pods use.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			m, c, err := t.open()
			if err != nil {
				return err
			}
			return printEnv(cmd.OutOrStdout(), c, m.Settings())
		},
	}
	t.addTo(cmd)
	return cmd
}

func printEnv(w io.Writer, c layout.Cluster, s lifecycle.Settings) error {
	for _, v := range []struct{ name, value string }{
		{"CLUSTER", c.Name},
		{"KUBECONFIG", c.Kubeconfig()},
		{"KUBECTL", filepath.Join(s.BinDir, "kubectl")},
		{"GATEWAY", "http://" + component.HostAddress(s.Ports.Gateway)},
		{"GATEWAY_INSIDE", "http://" + layout.Gateway},
		{"PROMETHEUS", "http://" + component.HostAddress(s.Ports.Prometheus)},
		{"PROMETHEUS_INSIDE", "http://" + layout.Prometheus},
		{"TRAEFIK_METRICS_INSIDE", "http://" + layout.TraefikMetrics + "/metrics"},
		{"AUDIT_LOG", c.AuditLog()},
		{"STATE", c.StateDir},
		{"NETWORK_NAMESPACE", c.NetworkNamespace()},
	} {
		if _, err := fmt.Fprintf(w, "%s=%s\n", v.name, v.value); err != nil {
			return err
		}
	}
	return nil
}
