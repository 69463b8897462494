package verbs

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/sluice-dev/sluice/test/cluster/sandbox"
)

func newExec() *cobra.Command {
	var t target
	cmd := &cobra.Command{
		Use:   "exec -- COMMAND [ARGUMENT...]",
		Short: "Run a command inside the cluster's network",
		Long: `Run a command inside the cluster's network.

It reaches pods, Services, the gateway and Prometheus at their own addresses, and
sees this machine's files. KUBECONFIG is the administrator's, and the built
kubectl is in PATH.`,
		Example: `  cluster exec -- curl -H 'Host: web.example' http://10.77.0.1:8000/
  cluster exec -- kubectl get pods -A`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			m, c, err := t.work()
			if err != nil {
				return err
			}
			path := m.Settings().BinDir + string(filepath.ListSeparator) + os.Getenv("PATH")
			for name, value := range map[string]string{"PATH": path, "KUBECONFIG": c.KubeconfigOf("admin")} {
				if err := os.Setenv(name, value); err != nil {
					return err
				}
			}
			program, err := exec.LookPath(args[0])
			if err != nil {
				return err
			}
			// The thread that is inside becomes the command, so that signals and the
			// exit status are the command's own.
			return sandbox.DoNetwork(c, func() error {
				return fmt.Errorf("run %s: %w", program, syscall.Exec(program, args, os.Environ()))
			})
		},
	}
	t.addTo(cmd)
	return cmd
}
