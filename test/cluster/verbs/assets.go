package verbs

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sluice-dev/sluice/test/cluster/build"
)

func newAssets() *cobra.Command {
	var bin string
	cmd := &cobra.Command{
		Use:   "assets",
		Short: "Build etcd and Kubernetes only, for tests against an API server",
		Long: `Build etcd and Kubernetes only, for tests against an API server without nodes.
Needs neither root nor a running cluster.

What it prints on standard output is the folder for KUBEBUILDER_ASSETS, with etcd,
kube-apiserver, kubectl and kube-controller-manager in it.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			source, bin, err := folders(bin)
			if err != nil {
				return err
			}
			builder := build.Builder{BinDir: bin, Report: newReport()}
			if err := builder.Build(cmd.Context(), build.Kubernetes(source)); err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), bin)
			return err
		},
	}
	addBin(cmd, &bin)
	return cmd
}
