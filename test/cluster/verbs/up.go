package verbs

import (
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/sluice-dev/sluice/test/cluster/build"
	"github.com/sluice-dev/sluice/test/cluster/lifecycle"
)

func newUp() *cobra.Command {
	var t target
	var bin string
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Bring the cluster up, or make it whole again",
		Long: `Bring the cluster up, or make it whole again.

Installs the Debian packages that are missing, builds the programs that are
missing or out of date, starts everything and waits until the node is Ready, the
GatewayClass Accepted and Prometheus answers. The first build takes about 15
minutes on two cores; after that a start takes seconds.

On a healthy cluster it only looks, and goes on running the programs it has: to
run rebuilt ones, take the cluster down first. What has ended is started again.
What cannot be repaired is taken down and started anew.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := t.layout()
			if err != nil {
				return err
			}
			source, bin, err := folders(bin)
			if err != nil {
				return err
			}
			launcher, err := os.Executable()
			if err != nil {
				return err
			}
			m, err := lifecycle.Up(cmd.Context(), lifecycle.Options{
				Cluster: c, BinDir: bin, Source: source, Launcher: launcher, Report: newReport(),
			})
			if err != nil {
				return err
			}
			return printEnv(cmd.OutOrStdout(), c, m.Settings())
		},
	}
	t.addTo(cmd)
	addBin(cmd, &bin)
	return cmd
}

func addBin(cmd *cobra.Command, bin *string) {
	cmd.Flags().StringVar(bin, "bin", "", "folder for the programs that are built (default bin/components of the repository)")
}

// folders gives the folder to build from and the one to build into.
func folders(bin string) (source, binDir string, err error) {
	source, err = build.Source()
	if err != nil {
		return "", "", err
	}
	if bin == "" {
		bin = filepath.Join(source, "..", "..", "bin", "components")
	}
	binDir, err = filepath.Abs(bin)
	return source, binDir, err
}
