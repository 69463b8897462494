// Package verbs is the launcher's commands, one file each.
package verbs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/sluice-dev/sluice/test/cluster/layout"
	"github.com/sluice-dev/sluice/test/cluster/lifecycle"
	"github.com/sluice-dev/sluice/test/cluster/machine"
	"github.com/sluice-dev/sluice/test/cluster/progress"
)

// Run carries out a command line and gives the exit status.
func Run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := newRoot()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, "error:", err)
	if ctx.Err() != nil {
		return 130 // As the shell reports an interrupt.
	}
	if exit := new(exec.ExitError); errors.As(err, &exit) && exit.ExitCode() > 0 {
		return exit.ExitCode()
	}
	return 1
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "cluster",
		Short: "A real Kubernetes with a gateway and Prometheus on a bare Debian machine",
		Long: `A real Kubernetes with a gateway and Prometheus on a bare Debian machine.

Everything but containerd is built from Go modules, and everything runs in
namespaces of its own: nothing of it reaches the machine, and "cluster down"
leaves nothing behind. Clusters of different names run side by side.`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddCommand(
		newUp(), newDown(), newStatus(), newEnv(), newExec(),
		newLoad(), newImage(), newAssets(),
		newStart(), newStop(), newKill(), newLogs(), newForward(),
	)
	return root
}

// target is the cluster that a command works on.
type target struct{ name string }

// addTo adds the flag that names the cluster.
func (t *target) addTo(cmd *cobra.Command) {
	cmd.Flags().StringVar(&t.name, "name", layout.DefaultName, "the cluster's name")
}

func (t *target) layout() (layout.Cluster, error) { return layout.New(t.name) }

// open opens a cluster that was brought up earlier, to look at it.
func (t *target) open() (*lifecycle.Manager, layout.Cluster, error) {
	c, err := t.layout()
	if err != nil {
		return nil, c, err
	}
	m, err := lifecycle.Open(c, newReport())
	return m, c, err
}

// work opens a cluster to do something to it, which takes root. It is said at
// once, rather than by the first file that cannot be read.
func (t *target) work() (*lifecycle.Manager, layout.Cluster, error) {
	m, c, err := t.open()
	if err == nil {
		err = machine.Check()
	}
	return m, c, err
}

// newReport reports to standard error. Standard output is for results.
func newReport() *progress.Reporter { return progress.New(os.Stderr) }
